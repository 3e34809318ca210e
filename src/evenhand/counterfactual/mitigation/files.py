"""The files of a mitigation summary, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evenhand.counterfactual.mitigation.documents import (
    counts_document,
    gates_document,
    latex_table,
    table_csv,
    traces_document,
)
from evenhand.counterfactual.mitigation.summary import Summary
from evenhand.errors import StorageError

__all__ = ["as_text", "write_files", "write_text"]


def write_files(
    folder: Path,
    summary: Summary,
    document: Mapping[str, Any],
    *,
    smoke: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """Write every document into a folder, which is made if it is not there.

    Args:
        document: what ``summary_document`` made of the summary.
        smoke: the same of the smoke pass, where there was one.

    Raises:
        StorageError: the disk or the folder refuses.
    """
    texts = {
        "mitigation_parsing_confidence.json": as_text(gates_document(summary)),
        "mitigation_summary.json": as_text(document),
        "mitigation_condition_counts.json": as_text(counts_document(summary)),
        "mitigation_trace_samples.json": as_text(traces_document(summary)),
        "mitigation_table.csv": table_csv(summary),
        "mitigation_table.tex": latex_table(summary),
    }
    if smoke is not None:
        texts["mitigation_summary_smoke.json"] = as_text(smoke)
    return tuple(write_text(folder / name, text) for name, text in texts.items())


def as_text(document: Any) -> str:
    r"""A document as the published files have it: sorted keys, two spaces, a line end.

    Example:
        >>> as_text({"b": 1, "a": []})
        '{\n  "a": [],\n  "b": 1\n}\n'
    """
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> Path:
    """Write a file beside its place and move it there, line ends as they are.

    Raises:
        StorageError: the disk or the folder refuses.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StorageError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return path
