"""Submissions: what is accepted, and one sentence for each thing that is not."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.frozen.large import LARGE_BYTES, read_large
from evenhand.counterfactual.frozen.submission import (
    SCOPES,
    Submission,
    SubmittedPair,
    read_submission,
    reports_of,
    submission_of,
    write_submission,
)
from evenhand.errors import InputError, NotFound
from support.submissions import FRACTURE, NORMAL, submission, write_json

ENTRY = {"pair_id": "buu_1__young_male", "source_report": NORMAL, "counterfactual_report": NORMAL}


def entries(*changes: dict[str, Any]) -> dict[str, Any]:
    """A submission whose entries are the usual one with these changes."""
    return submission(results=[{**ENTRY, **change} for change in changes])


def without(key: str) -> dict[str, Any]:
    """A submission that lacks a top-level field."""
    return {k: v for k, v in submission().items() if k != key}


def lacking(key: str) -> dict[str, Any]:
    """A submission whose second entry lacks a field."""
    second = {k: v for k, v in {**ENTRY, "pair_id": "other"}.items() if k != key}
    return submission(results=[ENTRY, second])


@pytest.mark.parametrize(
    "payload, said",
    [
        ([], "s: is a list, not a JSON object"),
        (None, "s: is null, not a JSON object"),
        (submission(schema_version="v2"), "s: schema_version: is 'v2'; give 'spinefair"),
        (without("schema_version"), "s: schema_version: is missing; give"),
        (submission(scope="all"), "s: scope: is 'all'; give one of common-core-1000, "),
        (submission(scope=["toy"]), "s: scope: is a list; give one of"),
        (submission(scope=True), "s: scope: is true; give one of"),
        (without("scope"), "s: scope: is null"),
        (submission(model="gpt"), "s: model: is 'gpt'; give an object"),
        (submission(model={"version": "1"}), "s: model.name: is missing; give a text"),
        (submission(model={"name": " "}), "s: model.name: is ' '; give a text"),
        (submission(model={"name": False}), "s: model.name: is false; give a text"),
        (submission(model={"name": "m", "version": 1e400}), "s: model: holds a number that is not"),
        (submission(results=[]), "s: results: is a list; give a list of at least one entry"),
        (submission(results={}), "s: results: is an object; give a list"),
        (submission(results="xy"), "s: results: is 'xy'; give a list"),
        (without("results"), "s: results: is missing; give a list"),
        (submission(results=[ENTRY, 7]), r"s: results\[1\]: is 7, not an object"),
        (entries({"report": "x"}), r"s: results\[0\]: has the unknown field 'report'"),
        (entries({"pair_id": ""}), r"s: results\[0\].pair_id: is ''; give a text"),
        (entries({"pair_id": 12}), r"s: results\[0\].pair_id: is 12; give a text"),
        (lacking("pair_id"), r"s: results\[1\].pair_id: is missing"),
        (entries({}, {}), r"s: results\[1\].pair_id: 'buu_1__young_male' stands in results\[0\]"),
        (entries({"source_report": "\n "}), r"s: results\[0\].source_report: is '\\n '; give"),
        (entries({"source_report": None}), r"s: results\[0\].source_report: is null; give"),
        (lacking("counterfactual_report"), r"results\[1\].counterfactual_report: is missing; give"),
        (entries({"counterfactual_report": ["x"]}), r"counterfactual_report: is a list; give a rep"),
        (entries({"source_id": "  "}), r"s: results\[0\].source_id: is '  '; give"),
        (entries({"source_id": True}), r"s: results\[0\].source_id: is true; give"),
        (entries({"metadata": []}), r"s: results\[0\].metadata: is a list; give an object"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(payload: Any, said: str) -> None:
    """The field, the index where there is one, what was found and what is wanted."""
    with pytest.raises(InputError, match="^" + said if said.startswith("s:") else said) as caught:
        submission_of(payload, where="s")
    assert "\n" not in str(caught.value)


def test_the_published_order_decides_between_faults() -> None:
    """Of several faults the first in the published order is told."""
    payload = entries({"pair_id": ""}, {"what": 1})
    with pytest.raises(InputError, match=r"results\[0\].pair_id"):
        submission_of(payload)
    with pytest.raises(InputError, match="schema_version"):
        submission_of({**payload, "schema_version": 1, "scope": 2, "model": 3})
    with pytest.raises(InputError, match="stands in"):
        submission_of(entries({}, {"source_report": ""}))


def test_what_the_code_never_checked_stays_allowed() -> None:
    """Unknown keys above the entries, odd optional fields and any pair id pass; the model is echoed."""
    model = {"name": "m", "version": 3, "extra": {"a": [None, 1.5]}}
    made = submission_of(submission({"no pattern": (NORMAL, "x")}, model=model, note="x"))
    assert made.model == model
    assert made.results[0].pair_id == "no pattern"


@pytest.mark.parametrize("blank", [None, "", " \n\u2003"])
def test_blank_reports_count_as_refusals_when_asked(blank: str | None) -> None:
    """Blank, null and missing reports become empty ones and are counted; other types stay errors."""
    payload = entries({"source_report": blank}, {"pair_id": "b"})
    del payload["results"][1]["counterfactual_report"]
    made = submission_of(payload, blank_as_refusal=True)
    assert made.results[0].source_report == ""
    assert made.results[1] == SubmittedPair("b", NORMAL, "")
    assert made.blanks == 2
    assert submission_of(entries({})).blanks is None
    with pytest.raises(InputError, match="source_report: is 5; give a report"):
        submission_of(entries({"source_report": 5}), blank_as_refusal=True)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1,}', "is not JSON: .* at line 1, column 9"),
        (b'{"a": NaN}', "is not JSON: NaN is no number"),
        (b'{"a": [-Infinity]}', "is not JSON: -Infinity is no number"),
        (b'{"a": "\xff"}', "is not UTF-8: byte 7"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[1, 2]", "is a list, not a JSON object"),
    ],
)
def test_what_is_no_json_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    """Bad JSON, bad UTF-8 and endless nesting name the file and the place."""
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_submission(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    """Nothing there, a folder, a path below a file, and a path that no system takes."""
    with pytest.raises(NotFound, match="no submission"):
        read_submission(tmp_path / "none.json")
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="no submission"):
        read_submission(tmp_path / "file" / "none.json")
    for path in (tmp_path, tmp_path / "a\0b", Path("/dev/zero")):
        with pytest.raises(InputError, match="cannot be read|is no file") as caught:
            read_submission(path)
        assert str(caught.value).count(str(path)) == 1


def test_absurdly_large_files_are_refused_unread(tmp_path: Path) -> None:
    """A sparse file of 3 GiB costs neither memory nor time."""
    path = tmp_path / "s.json"
    with path.open("wb") as out:
        out.truncate(3 << 30)
    with pytest.raises(InputError, match="has more than 2147483648 bytes; split it"):
        read_submission(path)


@pytest.mark.timeout(20)
def test_a_submission_may_come_through_a_pipe(tmp_path: Path) -> None:
    """What can be read only once is read once."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(
        target=path.write_text, args=(json.dumps(submission()),), daemon=True
    )
    writer.start()
    assert len(read_submission(path).results) == 4
    writer.join(timeout=10)


def test_half_a_surrogate_pair_is_read(tmp_path: Path) -> None:
    """A report cut inside a character, as JSON escapes it, is a report; we write it so, too."""
    path = tmp_path / "s.json"
    results = [{**ENTRY, "source_report": "cut \ud83d"}]
    write_submission(path, model={"name": "m"}, scope="toy", results=results)
    assert read_submission(path).results[0].source_report == "cut \ud83d"


reports = st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip()))


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(reports, st.tuples(reports, reports), min_size=1, max_size=5),
    st.sampled_from(SCOPES),
    st.booleans(),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: dict[str, tuple[str, str]],
    scope: str,
    said: bool,
) -> None:
    """Any texts, with and without sources and metadata, also by the reader of large files."""
    path = tmp_path_factory.mktemp("written") / "s.json"
    results = submission(pairs)["results"]
    for result in results if said else []:
        result |= {"source_id": 'so \\"urce', "metadata": {"[": "}", "list": [1, "]"]}}
    count = write_submission(path, model={"name": "m", "v": "[]"}, scope=scope, results=results)
    made = read_submission(path)
    assert count == len(pairs)
    assert (made.scope, made.name) == (scope, "m")
    assert {r.pair_id: (r.source_report, r.counterfactual_report) for r in made.results} == pairs
    assert read_large(path, least=1) == orjson.loads(path.read_bytes())


def test_large_files_are_left_alone_where_they_differ(tmp_path: Path) -> None:
    """Anything but the expected layout is for the ordinary reader; so is a small file."""
    whole = submission()
    path = write_json(tmp_path / "s.json", whole)
    assert read_large(path) is None
    assert read_large(path, least=1) == whole
    text = path.read_text()
    broken = [
        text[:-40],
        text.replace("[{", "[{ nonsense, "),
        text.replace("}, {", "} {"),
        text.replace('"results": [', '"results": [], "x": ['),
        text[:-1] + ', "results": []}',
        text.replace(NORMAL, "\x00", 1),
        '{"results": [',
        '{"model": {"results": [{"a": 1}]}}',
        '{"results": [{"a": "%s"}]}' % ("}" * 30),
        '{"results": [{"a": 1} 2]}',
        "",
        "[]",
    ]
    for content in broken:
        path.write_text(content)
        assert read_large(path, least=1) is None, content
    assert read_large(tmp_path / "none.json") is None


def test_a_large_file_is_read_like_a_small_one(tmp_path: Path) -> None:
    """Beyond the limit the same submission comes out, and the same fault of an entry."""
    long = "x" * (1 << 20)
    pairs = {f"p{i}": (long, FRACTURE) for i in range(17)}
    path = write_json(tmp_path / "s.json", submission(pairs, scope="qc-passed"))
    assert path.stat().st_size > LARGE_BYTES
    made = read_submission(path)
    assert [r.pair_id for r in made.results] == list(pairs)
    write_json(path, submission({**pairs, "last": (long, " ")}))
    with pytest.raises(InputError, match=r"results\[17\].counterfactual_report"):
        read_submission(path)


def test_writing_refuses_what_no_submission_is(tmp_path: Path) -> None:
    """No result, no name, another scope or an unknown field; and no half-written file stays."""
    path = tmp_path / "s.json"
    good: dict[str, Any] = {"model": {"name": "m"}, "scope": "toy", "results": [ENTRY]}
    for change, said in (
        ({"results": []}, "no result"),
        ({"model": {}}, "model.name"),
        ({"scope": "x"}, "scope"),
        ({"results": [ENTRY, {**ENTRY, "note": 1}]}, r"results\[1\]: has the unknown"),
    ):
        with pytest.raises(InputError, match=said):
            write_submission(path, **{**good, **change})
    assert list(tmp_path.iterdir()) == []


def test_reports_of_a_submission() -> None:
    """Pairs by id; source, edit and dataset from the index, the entry or the id, in that order."""
    made = Submission(
        model={"name": "m", "prompt_id": "primary"},
        scope="toy",
        origin="f.json",
        results=(
            SubmittedPair("vindr_2__young_male", "a", "b"),
            SubmittedPair("buu_1__x__young_male", "c", "d", source_id="buu_1__x"),
            SubmittedPair("odd", "", "f"),
            SubmittedPair("a__b__c", "g", "h"),
        ),
    )
    told = reports_of(made, {"a__b__c": "a__b"})
    assert (told.subject, told.origin, told.prompt) == ("m", "f.json", "primary")
    assert [(p.pair_id, p.source_id, p.edit, p.dataset) for p in told.pairs] == [
        ("a__b__c", "a__b", "c", "a"),
        ("buu_1__x__young_male", "buu_1__x", "young_male", "buu"),
        ("odd", "odd", "", None),
        ("vindr_2__young_male", "vindr_2", "young_male", "vindr"),
    ]
    assert told.pairs[2].source == ""
