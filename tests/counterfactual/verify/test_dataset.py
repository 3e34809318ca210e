"""The data set's rows and images: each thing that can be wrong is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from support.artifacts import read_json, write_json

Failures = Callable[..., str]

ROWS = ("dataset/qc_metadata.jsonl", "dataset/qc_passed_pair_manifest.jsonl")
FIRST = "dataset/counterfactual_images/buu_0000-F-050Y0/young_female.png"


def change_rows(bundle: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the first rows of both files alike."""
    for name in ROWS:
        rows = [orjson.loads(line) for line in (bundle / name).read_bytes().splitlines()]
        change(rows)
        (bundle / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def test_blank_lines_are_skipped(copy: Path, failures: Failures) -> None:
    """A blank line between rows is no row."""
    path = copy / ROWS[1]
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n"))
    assert failures("dataset", copy) == ""


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"edit_label": "old_female"}, "'old_female' is not an edit"),
        ({"source_id": "other"}, "is not of source 'other'"),
        ({"pair_id": ""}, "'' is not a text"),
        ({"passed_qc": 1}, "1 is not true or false"),
        ({"counterfactual_image_path": "dataset/x.png"}, "is not the image of its pair"),
        ({"counterfactual_image_size_bytes": 3}, "its row says 3"),
        ({"counterfactual_image_size_bytes": 3.0}, "3.0 is not a whole number"),
    ],
)
def test_a_wrong_field_is_named(
    copy: Path, failures: Failures, fields: dict[str, Any], message: str
) -> None:
    """A field that contradicts its row, or is of the wrong kind, does not hold."""
    change_rows(copy, lambda rows: rows[0].update(fields))
    assert message in failures("dataset", copy)


def test_a_pair_twice_is_named(copy: Path, failures: Failures) -> None:
    """A pair stands once."""
    change_rows(copy, lambda rows: rows.append(rows[0]))
    assert "stands twice" in failures("dataset", copy)


def test_passed_rows_are_those_of_the_attempts(copy: Path, failures: Failures) -> None:
    """A row that differs between the two files, or is in one alone, does not hold."""
    path = copy / ROWS[1]
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    rows[0]["more"] = 1
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows[:-1]))
    said = failures("dataset", copy)
    assert f"{rows[-1]['pair_id']} is missing" in said
    assert f"{rows[0]['pair_id']} differs" in said


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_name("more.png").write_bytes(b""), "is not in the manifest"),
        (lambda path: path.with_name("source.png").write_bytes(b""), "source.png"),
        (lambda path: path.write_bytes(b"short"), "has 5 bytes"),
    ],
)
def test_images_are_exactly_those_listed(
    copy: Path, failures: Failures, change: Callable[[Path], object], message: str
) -> None:
    """An image too few, too many, a raw source, or of another size does not hold."""
    change(copy / FIRST)
    assert message in failures("dataset", copy)


def test_a_linked_image_is_no_image(copy: Path, failures: Failures) -> None:
    """An image that is a link does not hold, though its contents would."""
    image = copy / FIRST
    image.rename(copy / "elsewhere.bin")
    image.symlink_to(copy / "elsewhere.bin")
    assert "no plain file" in failures("dataset", copy)


@pytest.mark.parametrize("name", ["dataset/pairs.json", "dataset/source_metadata.json"])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows.pop(), "no row of buu_0002"),
        (lambda rows: rows.append(rows[0]), "stands twice"),
        (lambda rows: rows[0].update(source_id="x"), "no QC-passed row is of source 'x'"),
        (
            lambda rows: rows[0]["qc_passed_counterfactuals"].pop(),
            "passed_counterfactuals: are not",
        ),
        (
            lambda rows: rows[0]["counterfactual_images"].popitem(),
            "images: are not those of the rows",
        ),
        (lambda rows: rows[0].update(counterfactual_images=[]), "is not an object"),
    ],
)
def test_mappings_agree_with_rows(
    copy: Path, failures: Failures, name: str, change: Callable[[Any], object], message: str
) -> None:
    """Each source stands once in each mapping, with exactly its images and edits."""
    rows = read_json(copy / name)
    change(rows)
    write_json(copy / name, rows)
    assert message in failures("dataset", copy)


def test_counts_agree_with_the_release(copy: Path, failures: Failures) -> None:
    """Each count is compared with the release's own manifest."""
    path = copy / "dataset/release_manifest.json"
    release = read_json(path)
    release["counterfactual_images"]["included_png_count"] = 12
    release["pair_manifests"] = dict.fromkeys(release["pair_manifests"], 99)
    write_json(path, release)
    said = failures("dataset", copy).splitlines()
    assert len(said) == 4
    assert said[0].startswith("Released QC-passed PNGs: 11, but dataset/release_manifest.json")
