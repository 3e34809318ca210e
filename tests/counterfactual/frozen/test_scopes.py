"""Which pairs a scope holds, and what its files must be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.frozen.scopes import (
    Scope,
    check_coverage,
    listed,
    read_index,
    read_scope,
)
from evenhand.counterfactual.frozen.submission import SubmittedPair
from evenhand.counterfactual.frozen.version import (
    CORE_LIST,
    FROZEN_SHA256,
    INTERSECTION,
    QC_MANIFEST,
    VERSIONS,
    Version,
)
from evenhand.counterfactual.spec import EDITS
from evenhand.errors import InputError, NotFound
from support.submissions import index_row, pins_of, write_bundle, write_json

CORE, COMMON = "common-core-1000", "all-model-intersection-2166"


def newest(root: Path) -> Version:
    """The newest version, with this bundle's files pinned in place of the released ones."""
    return replace(VERSIONS["pcg64"], pins=pins_of(root))


def scope_of(name: str, root: Path, version: Version | None = None, *pairs: str) -> Scope:
    """A scope of a bundle."""
    return read_scope(name, artifacts=root, version=version or VERSIONS["stdlib"], submitted=pairs)


def test_each_scope_holds_its_pairs(tmp_path: Path) -> None:
    """The whole index, the pairs of the core's sources, the listed pairs, the submitted ones."""
    write_bundle(tmp_path)
    for version in (VERSIONS["stdlib"], newest(tmp_path)):
        whole = scope_of("qc-passed", tmp_path, version)
        assert len(whole.expected) == 12
        assert whole.source_of["vindr_3__young_male"] == "vindr_3"
        core = scope_of(CORE, tmp_path, version).expected
        assert core == {pair for pair in whole.expected if not pair.startswith("buu_2")}
        assert scope_of(COMMON, tmp_path, version).expected == {p for p in core if "young" in p}
        toy = scope_of("toy", tmp_path, version, "buu_2__young_male")
        assert toy.expected == {"buu_2__young_male"}


def test_named_scopes_are_pinned_in_the_newest_version(tmp_path: Path) -> None:
    """Own artifacts never pass for the released ones; what was verified is told with its digests."""
    write_bundle(tmp_path)
    for name in (CORE, COMMON):
        with pytest.raises(
            InputError, match="not the released file: its SHA-256 is [0-9a-f]{64}, not 43ba"
        ):
            scope_of(name, tmp_path, VERSIONS["pcg64"])
    for name in ("qc-passed", "toy"):
        assert scope_of(name, tmp_path, VERSIONS["pcg64"], "buu_1__young_male").identity == {}
    pins = pins_of(tmp_path)
    assert scope_of(CORE, tmp_path, newest(tmp_path)).identity == {
        file: pins[file] for file in (QC_MANIFEST, CORE_LIST)
    }
    assert scope_of(COMMON, tmp_path, newest(tmp_path)).identity == pins
    assert sorted(FROZEN_SHA256) == sorted(pins)


@pytest.mark.parametrize(
    "row, said",
    [
        (index_row("a", "young_male", pair_id="a_young_male"), "pair_id: is 'a_young_male', and"),
        (index_row("a", "younger"), "edit_label: is 'younger'; the edits are elderly_female, "),
        (index_row("a", "young_male", passed_qc=1), "passed_qc: is 1; the index holds only"),
        (index_row("a", "young_male", passed_qc=False), "passed_qc: is false"),
        (index_row("buu_1", "young_male"), "the pair 'buu_1__young_male' stands twice"),
        (index_row("a", "young_male", source_id=None), "source_id: is null; give a text"),
        ({"pair_id": "a__young_male"}, "source_id: is null"),
        ([1], "is a list, not a JSON object"),
    ],
)
def test_the_newest_version_checks_each_row_of_the_index(
    tmp_path: Path, row: Any, said: str
) -> None:
    """Identity, edit, quality control and uniqueness; the line is named."""
    write_bundle(tmp_path, rows=[index_row("buu_1", edit) for edit in EDITS] + [row])
    with pytest.raises(InputError, match=f"manifest.jsonl: line 5: {said}|line 5: {said}"):
        read_index(tmp_path)


def test_the_older_version_tolerates(tmp_path: Path) -> None:
    """Rows without an id are skipped, the last row of an id counts, a source comes from the id."""
    rows = [
        {"note": "no id"},
        {"pair_id": ""},
        {"pair_id": "a__young_male", "source_id": "first"},
        {"pair_id": "a__young_male", "source_id": "last", "passed_qc": False},
        {"pair_id": "b__c__d"},
    ]
    write_bundle(tmp_path, rows=rows)
    index = read_index(tmp_path, strict=False)
    assert dict(index.source_of) == {"a__young_male": "last", "b__c__d": "b"}


def test_the_index_is_json_lines(tmp_path: Path) -> None:
    """Blank lines and any line end pass; a bad line is named; an empty or missing file is told."""
    path = tmp_path / QC_MANIFEST
    path.parent.mkdir()
    rows = [json.dumps(index_row("a", edit)) for edit in EDITS]
    path.write_bytes("\r\n \n\r".join(rows).encode())
    assert len(read_index(tmp_path).source_of) == 4
    path.write_text(rows[0] + "\n\n{'pair_id'}\n")
    with pytest.raises(InputError, match="line 3: is not JSON"):
        read_index(tmp_path)
    path.write_bytes(b'{"pair_id": "\xff"}\n')
    with pytest.raises(InputError, match="line 1: is not UTF-8"):
        read_index(tmp_path)
    path.write_text("\n")
    with pytest.raises(InputError, match="lists no pair"):
        read_index(tmp_path)
    path.unlink()
    with pytest.raises(NotFound, match="no index of checked pairs"):
        read_index(tmp_path)


def test_own_edits_are_known_when_named(tmp_path: Path) -> None:
    """A registry's edits take the place of the frozen four; none at all lets any edit stand."""
    write_bundle(tmp_path, rows=[index_row("cv_1", "older")])
    assert read_index(tmp_path, edits=["older"]).source_of == {"cv_1__older": "cv_1"}
    assert len(read_index(tmp_path, edits=[]).source_of) == 1
    with pytest.raises(InputError, match="'older'"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    "file, value, said",
    [
        (CORE_LIST, {"source_ids": ["buu_1"]}, "actual_n: is null, and 1 are listed"),
        (CORE_LIST, {"source_ids": ["buu_1"], "actual_n": 2}, "actual_n: is 2, and 1 are listed"),
        (CORE_LIST, {"source_ids": ["buu_1"], "actual_n": True}, "actual_n: is true"),
        (CORE_LIST, {"source_ids": ["buu_1", "buu_1"], "actual_n": 2}, "'buu_1' stands more than"),
        (CORE_LIST, {"source_ids": ["buu_1 "], "actual_n": 1}, r"source_ids\[0\]: 'buu_1 ' has wh"),
        (CORE_LIST, {"source_ids": ["x", "y"], "actual_n": 2}, r"2 sources \('x', 'y'\) have no p"),
        (CORE_LIST, {"source_ids": "buu_1"}, "source_ids: is 'buu_1', not a list"),
        (CORE_LIST, {"source_ids": [1]}, r"source_ids\[0\]: is 1; give a text"),
        (CORE_LIST, [], "is a list, not a JSON object"),
        (INTERSECTION, {"records": []}, "pair_count: is null"),
        (INTERSECTION, {"records": {}}, "records: is an object, not a list"),
        (INTERSECTION, {"records": [3]}, r"records\[0\].pair_id: is null"),
        (INTERSECTION, {"records": [{"pair_id": "x"}], "pair_count": 1}, r"lacks 1 pair \('x'\)"),
        (INTERSECTION, {"records": [{"pair_id": "buu_2__young_male"}], "pair_count": 1}, "outside"),
    ],
)  # fmt: skip
def test_the_newest_version_checks_the_lists(
    tmp_path: Path, file: str, value: Any, said: str
) -> None:
    """Counts, white space, duplicates, strangers and types, even where the digest is right."""
    write_bundle(tmp_path)
    write_json(tmp_path / file, value)
    with pytest.raises(InputError, match=said):
        scope_of(COMMON, tmp_path, newest(tmp_path))


def test_missing_and_strange_lists_are_sentences(tmp_path: Path) -> None:
    """The older version fails on a missing list with a sentence, and lets a wrong count stand."""
    write_bundle(tmp_path)
    write_json(tmp_path / CORE_LIST, {"source_ids": ["buu_1", "elsewhere"], "actual_n": 99})
    assert len(scope_of(CORE, tmp_path).expected) == 4
    write_json(tmp_path / CORE_LIST, {"source_ids": []})
    with pytest.raises(InputError, match=f"scope {CORE}: holds no pair"):
        scope_of(CORE, tmp_path)
    (tmp_path / INTERSECTION).unlink()
    with pytest.raises(NotFound, match="no list of the models' common pairs"):
        scope_of(COMMON, tmp_path)
    (tmp_path / CORE_LIST).unlink()
    with pytest.raises(NotFound, match="no list of core sources"):
        scope_of(CORE, tmp_path)
    with pytest.raises(InputError, match=r"lacks 1 pair \('nobody'\)"):
        scope_of("toy", tmp_path, None, "nobody", "buu_1__young_male")


def test_coverage_is_exact_unless_partial(tmp_path: Path) -> None:
    """Pairs outside always fail, missing ones without leave, a declared source must be the index's."""
    held = scope_of("qc-passed", write_bundle(tmp_path))
    every = [SubmittedPair(pair, "a", "b") for pair in sorted(held.expected)]
    assert check_coverage(held, every, allow_partial=False) == ()
    assert check_coverage(held, every[1:], allow_partial=True) == (every[0].pair_id,)
    with pytest.raises(InputError, match="1 pair .* is missing from the submission; .* --allow-p"):
        check_coverage(held, every[1:], allow_partial=False)
    with pytest.raises(InputError, match=r"11 pairs \(.*, …\) of it are missing"):
        check_coverage(held, every[:1], allow_partial=False)
    with pytest.raises(InputError, match=r"does not hold 1 pair \('x'\)"):
        check_coverage(held, [*every, SubmittedPair("x", "a", "b")], allow_partial=True)
    wrong = [*every[:3], replace(every[3], source_id="buu_9"), *every[4:]]
    with pytest.raises(
        InputError, match=r"results\[3\].source_id: is 'buu_9', and the index says"
    ):
        check_coverage(held, wrong, allow_partial=False)


def test_long_lists_show_ten() -> None:
    """The count is of all, the names of the first ten."""
    said = listed([f"p{i}" for i in range(12)])
    assert said.startswith("12 pairs ('p0', ")
    assert said.endswith("'p9', …)")
