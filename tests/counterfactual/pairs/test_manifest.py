"""The manifest of pairs: what is read, what is refused, and that writing gives it back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.pairs.manifest import (
    ManifestPair,
    bundle_root,
    digest_of,
    read_manifest,
    write_manifest,
)
from evenhand.errors import InputError, InvalidInputs

ROW = {
    "pair_id": "a__young_male",
    "source_id": "a",
    "edit_label": "young_male",
    "passed_qc": True,
    "counterfactual_image_path": "images/a/young_male.png",
    "counterfactual_image_size_bytes": 1,
}


def write(path: Path, *rows: Mapping[str, Any] | str) -> Path:
    """A manifest of these rows; a text stands as it is."""
    lines = [row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    """What is wrong with a manifest, without the file's name."""
    with pytest.raises(InvalidInputs) as caught:
        read_manifest(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_benchmark_rows_are_read(tmp_path: Path) -> None:
    """A row of the benchmark's own list is a pair whose images lie below the bundle's root."""
    manifest = read_manifest(write(tmp_path / "dataset" / "pairs.jsonl", ROW, ""))
    assert manifest.root == tmp_path
    (pair,) = manifest.pairs
    assert (pair.pair_id, pair.source_id, pair.edit) == ("a__young_male", "a", "young_male")
    assert pair.counterfactual_image == tmp_path / "images/a/young_male.png"
    assert pair.source_image is None


def test_ids_follow_from_the_pair_id(tmp_path: Path) -> None:
    """Source and edit are those around the first double underscore where they are not given."""
    (pair,) = read_manifest(write(tmp_path / "m.jsonl", {"pair_id": "a__b__c"})).pairs
    assert (pair.source_id, pair.edit) == ("a", "b__c")


def test_rows_that_failed_quality_control_are_counted(tmp_path: Path) -> None:
    """A row with passed_qc false is no pair; a file of only such rows is refused."""
    failed = {**ROW, "pair_id": "a__old", "edit_label": "old", "passed_qc": False}
    manifest = read_manifest(write(tmp_path / "m.jsonl", ROW, failed))
    assert (len(manifest.pairs), manifest.failed_qc) == (1, 1)
    with pytest.raises(InputError, match=r"no pair to ask about \(1 rows did not pass"):
        read_manifest(write(tmp_path / "n.jsonl", failed))


@pytest.mark.parametrize(
    "row, says",
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ({}, "has no pair_id"),
        ({"pair_id": 3}, "pair_id must be a text, not 3"),
        ({"pair_id": "a"}, "pair_id 'a' must be source_id and edit_label"),
        ({**ROW, "edit_label": "old"}, "must be source_id and edit_label"),
        ({"pair_id": "a\x00b__c"}, "holds control characters"),
        ({**ROW, "source_id": " "}, "source_id must be a text, not ' '"),
        ({**ROW, "passed_qc": "yes"}, "passed_qc must be true or false, not 'yes'"),
        ({**ROW, "source_image_path": "../x.png"}, "must be a path below the bundle's folder"),
        ({**ROW, "source_image_path": "/x.png"}, "must be a path below the bundle's folder"),
        ({**ROW, "source_image_path": "C:x.png"}, "must be a path below the bundle's folder"),
        ({**ROW, "source_image_path": "a\\x.png"}, "must be a path below the bundle's folder"),
        ({**ROW, "source_sha256": "abc"}, "must be 64 hexadecimal digits"),
        ({**ROW, "source_attributes": [1]}, "source_attributes must map names to values"),
        ({**ROW, "source_attributes": {"age": True}}, "source_attributes.age must be a text"),
        ({**ROW, "stratum": 1}, "stratum must be a text, not 1"),
    ],
)
def test_each_fault_is_a_sentence_with_its_line(
    tmp_path: Path, row: Mapping[str, Any] | str, says: str
) -> None:
    """Whatever is wrong with a row is told with the row's line."""
    (problem,) = problems(write(tmp_path / "m.jsonl", "", row))
    assert problem.startswith("2: ")
    assert says in problem


def test_all_faults_come_together(tmp_path: Path) -> None:
    """Twenty faults are told at once, and the rest counted."""
    found = problems(write(tmp_path / "m.jsonl", *["{"] * 25))
    assert len(found) == 21
    assert "5 more rows are wrong" in found[-1]


def test_a_pair_stands_once(tmp_path: Path) -> None:
    """The same pair on a second line is refused with both lines."""
    (problem,) = problems(write(tmp_path / "m.jsonl", ROW, ROW))
    assert problem == "2: the pair 'a__young_male' stands on line 1 already"


def test_a_source_is_one_image(tmp_path: Path) -> None:
    """Two pairs of one source that name different source images are refused."""
    other = {**ROW, "pair_id": "a__old", "edit_label": "old", "source_image_path": "b.png"}
    (problem,) = problems(write(tmp_path / "m.jsonl", ROW, other))
    assert problem == "2: source_image of the source 'a' differs from that on line 1"


def test_no_such_file(tmp_path: Path) -> None:
    """A manifest that is not there is one sentence."""
    with pytest.raises(InputError, match="cannot read the manifest"):
        read_manifest(tmp_path / "none.jsonl")


def test_an_endless_line_is_refused(tmp_path: Path) -> None:
    """A line of more than a megabyte ends the reading."""
    with pytest.raises(InputError, match=":1: is longer than 1 MB"):
        read_manifest(write(tmp_path / "m.jsonl", "x" * 1_000_001))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
KEYS = st.sampled_from(
    ["pair_id", "source_id", "edit_label", "passed_qc", "source_image_path", "dataset", "stratum",
     "counterfactual_image_path", "source_attributes", "source_text", "source_sha256", "more"]
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=3),
    tail=st.binary(max_size=9),
)
def test_whatever_a_manifest_holds_is_read_or_told(
    tmp_path: Path, rows: list[dict[str, Any]], tail: bytes
) -> None:
    """Any rows, and any bytes after them, are pairs or sentences, and nothing else."""
    path = tmp_path / "m.jsonl"
    path.write_bytes(b"\n".join([*map(orjson.dumps, [ROW, *rows]), tail]))
    try:
        told, pairs = "", len(read_manifest(path).pairs)
    except InputError as error:
        told, pairs = str(error), 0
    assert str(path) in told or 1 <= pairs <= 1 + len(rows)


def test_writing_gives_back_what_was_read(tmp_path: Path) -> None:
    """A manifest written and read holds the same pairs, whichever its folder."""
    pair = ManifestPair(
        pair_id="a__old",
        source_id="a",
        edit="old",
        source_image=tmp_path / "images" / "a.png",
        counterfactual_image=tmp_path / "images" / "a_old.png",
        dataset="mine",
        stratum="any",
        source_attributes={"age": "30"},
        source_text="A note.",
        counterfactual_text="Another note.",
        source_sha256="0" * 64,
        counterfactual_sha256="1" * 64,
    )
    for path in (tmp_path / "m.jsonl", tmp_path / "dataset" / "m.jsonl"):
        assert write_manifest([pair], path) == 1
        assert read_manifest(path).pairs == (pair,)


def test_images_elsewhere_are_not_written(tmp_path: Path) -> None:
    """An image outside the manifest's root is refused, since no path below the root names it."""
    pair = ManifestPair(
        pair_id="a__b", source_id="a", edit="b", source_image=tmp_path.parent / "x.png"
    )
    with pytest.raises(InputError, match="lies outside"):
        write_manifest([pair], tmp_path / "m.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_digest_moves_with_the_bundle(tmp_path: Path) -> None:
    """A bundle's pairs have the same digest wherever it lies, and another when a row changes."""
    digests = []
    for name in ("one", "two"):
        manifest = read_manifest(write(tmp_path / name / "m.jsonl", ROW))
        digests.append(digest_of(manifest.pairs, manifest.root))
    assert digests[0] == digests[1]
    changed = read_manifest(write(tmp_path / "one" / "m.jsonl", {**ROW, "stratum": "x"}))
    assert digest_of(changed.pairs, changed.root) != digests[0]


def test_root_of_a_manifest_named_from_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest named without a folder still has its root above a folder ``dataset``."""
    (tmp_path / "dataset").mkdir()
    monkeypatch.chdir(tmp_path / "dataset")
    assert bundle_root(Path("m.jsonl")) == tmp_path
