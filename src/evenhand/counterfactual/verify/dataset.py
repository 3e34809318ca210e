"""The released images against the rows that tell of them: identities, paths, sizes, membership."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.counterfactual.verify.bundle import Bundle
from evenhand.counterfactual.verify.lines import Line, first_of, holds
from evenhand.counterfactual.verify.values import Value, shown
from evenhand.errors import InputError

__all__ = ["check_dataset"]

FOLDER = "dataset"
IMAGES = f"{FOLDER}/counterfactual_images"
RELEASE = f"{FOLDER}/release_manifest.json"
ATTEMPTED = f"{FOLDER}/qc_metadata.jsonl"
PASSED = f"{FOLDER}/qc_passed_pair_manifest.jsonl"
MAPPINGS = (f"{FOLDER}/pairs.json", f"{FOLDER}/source_metadata.json")

NO_FILE = -1
"""Stands for the size of a link."""

Images = Mapping[str, Mapping[str, str]]
"""Image path by edit by source id."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One attempted edit."""

    pair_id: str
    source_id: str
    edit: str
    passed: bool
    value: Value

    @property
    def image(self) -> str:
        return f"{IMAGES}/{self.source_id}/{self.edit}.png"


def check_dataset(bundle: Bundle, *, edits: Collection[str]) -> Iterator[Line]:
    """The rows and images of a release, against each other and against the release's own counts.

    QC is not done again, nor is it looked whether an image shows what its edit says.

    Args:
        edits: the labels that an edit may have.
    """
    release = bundle.json(RELEASE)
    attempted, strange = _rows(bundle, ATTEMPTED, edits)
    passed, unlike = _rows(bundle, PASSED, edits)
    found = dict(_images_below(bundle.root / FOLDER))
    raw_sources = [name for name in found if name.endswith("/source.png")]
    yield Line(f"Folder of the edited images: {IMAGES}")
    yield from _counts(release, len(found), len(passed), len(attempted), len(raw_sources))
    yield holds("Attempted rows: unique pairs of a known edit", strange)
    yield holds("QC-passed rows: unique pairs of a known edit", unlike)
    yield holds("QC-passed rows are the passed rows of the attempts", _unequal(attempted, passed))
    yield holds("Image paths and sizes", _wrong_images(passed, found))
    yield holds("Membership of PNG files", _membership({row.image for row in passed}, found))
    images = _by_source(passed)
    for name in MAPPINGS:
        yield holds(f"Images by source in {name}", _wrong_mapping(bundle, name, images))
    yield _agrees("Sources", release["pair_manifests"]["source_level_rows"], len(images))
    yield holds("No source image among the edited ones", raw_sources)


def _counts(
    release: Value, images: int, passed: int, attempted: int, raw_sources: int
) -> Iterator[Line]:
    """What was counted, each beside what the release's manifest says."""
    manifests = release["pair_manifests"]
    yield _agrees(
        "Released QC-passed PNGs", release["counterfactual_images"]["included_png_count"], images
    )
    yield _agrees("QC-passed pair manifest rows", manifests["qc_passed_pair_rows"], passed)
    yield _agrees("Attempted QC metadata rows", manifests["attempted_qc_rows"], attempted)
    radiographs = release["source_radiographs"]
    yield Line(
        f"Source images in the bundle: {raw_sources}", figures={"source_images": raw_sources}
    )
    yield Line(
        f"What the release says of source images: {shown(radiographs['release_status'].raw)}"
    )


def _agrees(what: str, said: Value, counted: int) -> Line:
    ok = said.count() == counted
    text = f"{what}: {counted}" + ("" if ok else f", but {said.where} says {said.raw}")
    return Line(text, ok=ok, figures={"counted": counted, "said": said.raw})


def _rows(bundle: Bundle, name: str, edits: Collection[str]) -> tuple[list[_Row], list[str]]:
    """A file's rows, and what is wrong with those that cannot be taken for one."""
    rows: list[_Row] = []
    problems: list[str] = []
    seen: set[str] = set()
    for value in bundle.json_lines(name):
        try:
            row = _row(value, edits)
        except InputError as error:
            problems.append(str(error))
            continue
        if row.pair_id in seen:
            problems.append(f"{value.where}: the pair {shown(row.pair_id)} stands twice")
            continue
        seen.add(row.pair_id)
        rows.append(row)
    return rows, problems


def _row(value: Value, edits: Collection[str]) -> _Row:
    pair_id, source_id = value["pair_id"].text(), value["source_id"].text()
    edit = value["edit_label"].text()
    if edit not in edits:
        raise value["edit_label"].wrong(f"an edit ({', '.join(edits)})")
    if pair_id != f"{source_id}__{edit}":
        raise InputError(
            f"the pair {shown(pair_id)} is not of source {shown(source_id)} and edit {edit!r}",
            where=value.where,
        )
    return _Row(pair_id, source_id, edit, value["passed_qc"].flag(), value)


def _unequal(attempted: Sequence[_Row], passed: Sequence[_Row]) -> list[str]:
    """Pairs whose row in one file is not the row in the other."""
    wanted = {row.pair_id: row.value.raw for row in attempted if row.passed}
    given = {row.pair_id: row.value.raw for row in passed}
    missing = [f"{pair} is missing" for pair in wanted if pair not in given]
    extra = [f"{pair} did not pass" for pair in given if pair not in wanted]
    other = [f"{p} differs" for p, row in wanted.items() if p in given and given[p] != row]
    return missing + extra + other


def _wrong_images(passed: Sequence[_Row], found: Mapping[str, int]) -> list[str]:
    problems = []
    for row in passed:
        try:
            _check_image(row, found)
        except InputError as error:
            problems.append(str(error))
    return problems


def _check_image(row: _Row, found: Mapping[str, int]) -> None:
    named = row.value["counterfactual_image_path"].text()
    size = row.value["counterfactual_image_size_bytes"].count()
    if named != row.image:
        raise InputError(f"{shown(named)} is not the image of its pair", where=row.pair_id)
    if found.get(named, NO_FILE) == NO_FILE:
        raise InputError("is missing, or no plain file", where=named)
    if found[named] != size:
        raise InputError(f"has {found[named]} bytes, its row says {size}", where=named)


def _membership(wanted: Collection[str], found: Mapping[str, int]) -> list[str]:
    missing = [f"{name} is missing" for name in sorted(wanted) if name not in found]
    return missing + [f"{name} is not in the manifest" for name in found if name not in wanted]


def _by_source(passed: Sequence[_Row]) -> Images:
    images: dict[str, dict[str, str]] = {}
    for row in passed:
        images.setdefault(row.source_id, {})[row.edit] = row.image
    return images


def _wrong_mapping(bundle: Bundle, name: str, images: Images) -> list[str]:
    """Sources whose images a mapping file tells otherwise than the rows do."""
    problems = []
    seen: set[str] = set()
    for item in bundle.json(name).items():
        try:
            _check_source(item, images, seen)
        except InputError as error:
            problems.append(str(error))
    missing = sorted(set(images) - seen)
    return problems + ([f"no row of {first_of(missing)}"] if missing else [])


def _check_source(item: Value, images: Images, seen: set[str]) -> None:
    source = item["source_id"].text()
    if source in seen:
        raise InputError(f"the source {shown(source)} stands twice", where=item.where)
    seen.add(source)
    wanted = images.get(source)
    if wanted is None:
        raise InputError(f"no QC-passed row is of source {shown(source)}", where=item.where)
    if item["counterfactual_images"].object() != wanted:
        raise InputError("are not those of the rows", where=item["counterfactual_images"].where)
    edits = item["qc_passed_counterfactuals"]
    if sorted(edits.texts()) != sorted(wanted):
        raise InputError("are not those of the rows", where=edits.where)


def _images_below(folder: Path) -> Iterator[tuple[str, int]]:
    """Every PNG below the data's folder with its size; a link is no file."""
    if not folder.is_dir():
        raise InputError("is missing from the bundle", where=FOLDER)
    for place, _, names in os.walk(folder):
        inside = Path(FOLDER, Path(place).relative_to(folder)).as_posix()
        for name in sorted(names):
            if name.endswith(".png"):
                status = os.lstat(os.path.join(place, name))
                plain = stat.S_ISREG(status.st_mode)
                # A name that is no UTF-8 is told as far as it is one.
                told = os.fsencode(f"{inside}/{name}").decode(errors="replace")
                yield told, status.st_size if plain else NO_FILE
