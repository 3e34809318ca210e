"""What rows of the mitigation refer to: stage-1 texts and rewritten reports, in files beside."""

from __future__ import annotations

from pathlib import Path

from evenhand.counterfactual.mitigation.gate import read_stage1
from evenhand.counterfactual.mitigation.places import Below
from evenhand.counterfactual.mitigation.rows import Row, read_json
from evenhand.counterfactual.mitigation.stage1 import primary_diagnosis
from evenhand.errors import InputError

__all__ = ["Staged"]


class Staged:
    """Reads diagnoses below one folder and rewrites below another, each stage-1 file once.

    ``missing`` gathers the paths that rows name and that are not there: such a side has no
    stage-1 diagnosis, or keeps its own text.
    """

    def __init__(self, stage1: Path, rewrites: Path | None = None) -> None:
        self._stage1 = Below(stage1)
        self._rewrites = Below(stage1.parent if rewrites is None else rewrites)
        self._diagnoses: dict[str, str | None] = {}
        self.missing: dict[str, None] = {}

    def diagnosis(self, row: Row) -> str | None:
        """The primary diagnosis of a row's stage-1 text."""
        path = row.stage1_path
        if path is None:
            return None
        if path not in self._diagnoses:
            file = self._find(self._stage1, path, row)
            self._diagnoses[path] = None if file is None else primary_diagnosis(read_stage1(file))
        return self._diagnoses[path]

    def rewrite(self, row: Row) -> str | None:
        """The field ``rewritten_output`` of a row's rewrite file, where there is one."""
        if row.rewrite_path is None:
            return None
        file = self._find(self._rewrites, row.rewrite_path, row)
        if file is None:
            return None
        record = read_json(file, what="rewrite")
        text = record.get("rewritten_output") if isinstance(record, dict) else None
        if text is not None and not isinstance(text, str):
            raise InputError("rewritten_output is no text", where=str(file))
        return text

    def _find(self, files: Below, path: str, row: Row) -> Path | None:
        file = files.find(path, where=row.where)
        if file is None:
            self.missing[path] = None
        return file
