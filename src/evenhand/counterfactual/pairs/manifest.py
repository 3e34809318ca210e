"""The manifest of an audit: one JSON line per image pair, with where its two images are.

A row holds what the benchmark's list of checked pairs holds (``pair_id``, ``source_id``,
``edit_label``, ``passed_qc``, ``counterfactual_image_path``) and what asking a model takes beside
it: ``source_image_path``, ``dataset``, ``stratum``, ``source_attributes``, the two texts of pairs
that are asked without images, and digests of the images. Other keys are left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from evenhand.errors import InputError, InvalidInputs
from evenhand.runs.export import whole_file

__all__ = [
    "DATASET_FOLDER",
    "Manifest",
    "ManifestPair",
    "bundle_root",
    "digest_of",
    "read_manifest",
    "row_of",
    "source_of",
    "write_manifest",
]

DATASET_FOLDER = "dataset"
"""A manifest in a folder of this name has its bundle's root one folder above."""

# More than a person mends at once; the rest is counted.
MOST_PROBLEMS = 20
MAX_LINE = 1_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DRIVE = re.compile(r"[A-Za-z]:")
_IMAGES = ("source_image_path", "counterfactual_image_path")
_DIGESTS = ("source_sha256", "counterfactual_sha256")
_TEXTS = ("dataset", "stratum", "source_text", "counterfactual_text")
# What belongs to the source, and is the same in each of its rows.
_OF_SOURCE = ("source_image", "source_text", "source_sha256", "source_attributes", "dataset",
              "stratum")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPair:
    """One pair: an image as it was found, and the same image with a person's attribute edited.

    ``pair_id`` is ``<source_id>__<edit>``. Image paths are ready to be opened (root and relative
    path); None where there is no image, or it is not given away. ``source_attributes`` says who
    is on the source image (``{"age": "61", "sex": "F"}``), where that is known.
    """

    pair_id: str
    source_id: str
    edit: str
    source_image: Path | None = None
    counterfactual_image: Path | None = None
    dataset: str | None = None
    stratum: str | None = None
    source_attributes: Mapping[str, str] = field(default_factory=dict)
    source_text: str | None = None
    counterfactual_text: str | None = None
    source_sha256: str | None = None
    counterfactual_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All pairs of one file, in its order, that passed quality control.

    Images lie below ``root``. ``failed_qc`` counts the rows that say they did not pass.
    """

    path: Path
    root: Path
    pairs: tuple[ManifestPair, ...]
    failed_qc: int = 0


def bundle_root(manifest: Path) -> Path:
    """The folder that image paths in a manifest start from.

    Example:
        >>> bundle_root(Path("bundle/dataset/pairs.jsonl")).as_posix()
        'bundle'
        >>> bundle_root(Path("mine/pairs.jsonl")).as_posix()
        'mine'
    """
    folder = manifest.parent
    if folder.absolute().name == DATASET_FOLDER:
        return folder.parent if folder.name == DATASET_FOLDER else folder.absolute().parent
    return folder


def source_of(pair_id: str) -> str:
    """The source of a pair by its id: what stands before the first double underscore.

    Example:
        >>> source_of("buu_0004-F-010Y0__young_male")
        'buu_0004-F-010Y0'
    """
    return pair_id.partition("__")[0]


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest and check every row of it; images are not opened.

    Raises:
        InputError: there is no such file, it is not UTF-8 text, or no pair in it passed.
        InvalidInputs: everything that is wrong, each with its line.
    """
    path = Path(path)
    check = _Check(path, bundle_root(path))
    pairs = [pair for pair in map(check.pair, _rows(path, check)) if pair is not None]
    check.raise_problems()
    if not pairs:
        more = f" ({check.failed_qc:,} rows did not pass quality control)"
        raise InputError(
            f"has no pair to ask about{more if check.failed_qc else ''}", where=str(path)
        )
    return Manifest(path=path, root=check.root, pairs=tuple(pairs), failed_qc=check.failed_qc)


def write_manifest(pairs: Iterable[ManifestPair], path: str | Path) -> int:
    """Write a manifest; returns how many pairs. It appears only when it is complete.

    Raises:
        InputError: an image lies outside the folder that the manifest's paths start from.
        StorageError: the file cannot be written.
    """
    path = Path(path)
    root = bundle_root(path)
    count = 0
    with whole_file(path) as out:
        for pair in pairs:
            out.write(orjson.dumps(row_of(pair, root), option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def row_of(pair: ManifestPair, root: Path) -> dict[str, Any]:
    """A pair as a row; what is not known is left out, and sizes are those of the files now."""
    row: dict[str, Any] = {
        "pair_id": pair.pair_id,
        "source_id": pair.source_id,
        "edit_label": pair.edit,
        "passed_qc": True,
    }
    for role in ("source", "counterfactual"):
        image: Path | None = getattr(pair, f"{role}_image")
        if image is not None:
            row[f"{role}_image_path"] = _relative(image, root, pair.pair_id)
            if role == "counterfactual" and image.is_file():
                row["counterfactual_image_size_bytes"] = image.stat().st_size
    for name in (*_TEXTS, *_DIGESTS):
        if (value := getattr(pair, name)) is not None:
            row[name] = value
    if pair.source_attributes:
        row["source_attributes"] = dict(pair.source_attributes)
    return row


def digest_of(pairs: Iterable[ManifestPair], root: Path) -> str:
    """SHA-256 of what is known of pairs, wherever their bundle lies and whatever files weigh."""
    hasher = hashlib.sha256()
    for pair in pairs:
        row = row_of(pair, root)
        row.pop("counterfactual_image_size_bytes", None)
        hasher.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    return hasher.hexdigest()


def _relative(image: Path, root: Path, pair_id: str) -> str:
    # As texts: relative_to takes a second for 30,000 images.
    beginning = os.path.join(root.absolute(), "")
    text = str(image.absolute())
    if not text.startswith(beginning) or ".." in image.parts:
        raise InputError(
            f"the image {str(image)!r} lies outside {str(root)!r}, where the manifest's paths "
            "start; write the manifest above its images",
            where=pair_id,
        )
    return text[len(beginning) :].replace(os.sep, "/")


def _rows(path: Path, check: _Check) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its line; what is no row is told to ``check``."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE:
                    raise InputError("is longer than 1 MB", where=f"{path}:{number}")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if not line.strip():
                    continue
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    check.problem(number, f"is not JSON ({error.msg})")
                    continue
                if isinstance(row, dict):
                    yield number, row
                else:
                    check.problem(number, "is not a JSON object")
    except OSError as error:
        raise InputError(f"cannot read the manifest ({error.strerror})", where=str(path)) from None


class _Check:
    """Rows on their way to pairs; problems are gathered and told together."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.root = root
        self.failed_qc = 0
        self._problems: list[InputError] = []
        self._more = 0
        self._line_of: dict[str, int] = {}
        self._sources: dict[str, tuple[int, ManifestPair]] = {}

    def problem(self, line: int, message: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(InputError(message, where=f"{self.path}:{line}"))
        else:
            self._more += 1

    def raise_problems(self) -> None:
        if self._more:
            more = InputError(f"{self._more:,} more rows are wrong", where=str(self.path))
            raise InvalidInputs([*self._problems, more])
        if self._problems:
            raise InvalidInputs(self._problems)

    def pair(self, numbered: tuple[int, dict[str, Any]]) -> ManifestPair | None:
        """The pair of one row; None when it did not pass, or something is wrong with it."""
        line, row = numbered
        try:
            passed = row.get("passed_qc", True)
            if not isinstance(passed, bool):
                raise InputError(f"passed_qc must be true or false, not {_shown(passed)}")
            pair = self._read(row)
            first = self._line_of.setdefault(pair.pair_id, line)
            if first != line:
                raise InputError(f"the pair {pair.pair_id!r} stands on line {first} already")
            if not passed:
                self.failed_qc += 1
                return None
            self._check_source(line, pair)
        except InputError as error:
            self.problem(line, error.detail)
            return None
        return pair

    def _read(self, row: Mapping[str, Any]) -> ManifestPair:
        pair_id = _text(row, "pair_id", needed=True) or ""
        source_id = _text(row, "source_id") or source_of(pair_id)
        edit = _text(row, "edit_label") or pair_id.removeprefix(f"{source_id}__")
        if pair_id != f"{source_id}__{edit}" or not edit:
            raise InputError(
                f"pair_id {pair_id!r} must be source_id and edit_label with two underscores "
                f"between them: {source_id + '__' + edit!r}"
            )
        if not pair_id.isprintable():  # ids stand in keys, files and on terminals
            raise InputError(f"pair_id {pair_id!r} holds control characters; leave them out")
        images = [self._image(row, name) for name in _IMAGES]
        digests = [_digest(row, name) for name in _DIGESTS]
        dataset, stratum, *texts = (_text(row, name) for name in _TEXTS)
        return ManifestPair(
            pair_id=pair_id,
            source_id=source_id,
            edit=edit,
            source_image=images[0],
            counterfactual_image=images[1],
            dataset=dataset,
            stratum=stratum,
            source_attributes=_attributes(row),
            source_text=texts[0],
            counterfactual_text=texts[1],
            source_sha256=digests[0],
            counterfactual_sha256=digests[1],
        )

    def _image(self, row: Mapping[str, Any], name: str) -> Path | None:
        """The image below the root; whether links lead out of it is seen when it is opened."""
        given = _text(row, name)
        if given is None:
            return None
        pure = PurePosixPath(given)
        wrong = pure.is_absolute() or ".." in pure.parts or "\\" in given or "\0" in given
        if wrong or _DRIVE.match(given):
            raise InputError(
                f"{name} {given!r} must be a path below the bundle's folder, with slashes and "
                "without .."
            )
        return self.root / pure

    def _check_source(self, line: int, pair: ManifestPair) -> None:
        """A source has one image, one text and one description, whichever its edits."""
        first, known = self._sources.setdefault(pair.source_id, (line, pair))
        if first == line:
            return
        for name in _OF_SOURCE:
            if getattr(known, name) != getattr(pair, name):
                raise InputError(
                    f"{name} of the source {pair.source_id!r} differs from that on line {first}"
                )


def _text(row: Mapping[str, Any], name: str, *, needed: bool = False) -> str | None:
    """A text that is not blank, or None where there is none."""
    value = row.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{name} must be a text, not {_shown(value)}" if name in row else f"has no {name}"
        )
    return value


def _digest(row: Mapping[str, Any], name: str) -> str | None:
    value = _text(row, name)
    if value is not None and not _SHA256.fullmatch(value):
        raise InputError(f"{name} must be 64 hexadecimal digits in lower case, not {value!r}")
    return value


def _attributes(row: Mapping[str, Any]) -> dict[str, str]:
    given = row.get("source_attributes") or {}
    if not isinstance(given, dict):
        raise InputError(f"source_attributes must map names to values, not {_shown(given)}")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InputError(
                f"source_attributes.{name} must be a text or a number, not {_shown(value)}"
            )
    return {name: str(value).strip() for name, value in given.items()}


def _shown(value: Any) -> str:
    """A wrong value, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
