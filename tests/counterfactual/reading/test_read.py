"""Whole readings: the published vectors, texts that never came, speed, agreement, JSON lines."""

from __future__ import annotations

import json
import math
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evenhand.cli import options
from evenhand.cli.counterfactual_labels import register
from evenhand.counterfactual.reading.agreement import CategoryAgreement, agreement
from evenhand.counterfactual.reading.labels import json_line, labelled, texts_in
from evenhand.counterfactual.reading.read import read_contextual, read_reports
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import FAILED
from evenhand.errors import InputError, NotFound

SPINE = load_registry()
WORDS = (
    "the lumbar vertebral bodies demonstrate preserved height and there is mild degenerative change "
    "at level with some loss of signal; findings are consistent with age, clinical correlation"
)
WORD_LIST = WORDS.split()
TERMS = [term for c in (*SPINE.diagnostic, *SPINE.recommendation) for term in c.terms]


def report(rng: random.Random, *, letters: int = 1300) -> str:
    """Words of a report, one in fifteen of them a term."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < letters:
        words.append(rng.choice(WORD_LIST if rng.random() < 14 / 15 else TERMS))
    return " ".join(words)


def app() -> typer.Typer:
    """The verb on a small app, which forgets what was given before."""
    made = typer.Typer()
    made.callback()(lambda: setattr(options.early, "json", False))
    register(made)
    return made


def vectors() -> list[str]:
    """The lines of the published vectors."""
    folder = os.environ.get("EVENHAND_REAL_DATA")
    if not folder:
        pytest.skip("EVENHAND_REAL_DATA names no data folder")
    path = Path(folder) / "counterfactual" / "metric_vectors.jsonl"
    return path.read_text("utf-8").splitlines()


@pytest.mark.real_data
def test_the_published_vectors_are_reproduced() -> None:
    """All 1,500 lines come out as they stand in the file, letter for letter."""
    lines = vectors()
    assert len(lines) == 1500
    for line in lines:
        assert json_line(labelled(json.loads(line)["text"], SPINE)).decode() == line + "\n"


@pytest.mark.real_data
def test_readings_agree_with_the_vectors_in_bulk() -> None:
    """Reading many reports at once gives the refusals and sizes of sets of the vectors."""
    rows = [json.loads(line) for line in vectors()]
    readings = read_reports([row["text"] for row in rows], SPINE)
    classes = ["genuine", "partial_refusal", "full_refusal"]
    assert [classes[code] for code in readings.response] == [row["response_class"] for row in rows]
    assert [int(m).bit_count() for m in readings.labels] == [len(row["labels"]) for row in rows]
    assert [int(m).bit_count() for m in readings.recommendations] == [
        len(row["recommendations"]) for row in rows
    ]


def test_reports_that_never_came_are_missing_not_refused() -> None:
    """None has empty sets and a class of its own, in both readings; blank is a full refusal."""
    for read in (read_reports, read_contextual):
        readings = read([None, "  ", "Fracture; MRI."], SPINE)
        assert readings.labels.tolist() == [0, 0, 1 << 12]
        assert readings.recommendations.tolist() == [0, 0, 4]
        assert readings.response.tolist() == [FAILED, 2, 0]
        assert readings.labels.dtype == np.uint64
        assert len(read([], SPINE).labels) == 0


def test_refusals_in_bulk_are_those_one_by_one() -> None:
    """The shortcut over a text's words changes no class, in ASCII or not."""
    texts = [
        "I cannot provide a diagnosis", "ı cannot provide a diagnosis", "I’m unable to", "", "\u2003",
        "...", "consult a medical man", "It is mild", "conſult a medical man",
        "I am unable to. İ. Findings: x", "K i'm unable to",
    ]  # fmt: skip
    assert read_reports(texts, SPINE).response.tolist() == [response_class(t) for t in texts]


def test_reading_8000_reports_takes_little() -> None:
    """8,000 reports of 1,300 letters, frozen: near 0.3 s of CPU; 1.2 s is the alarm."""
    rng = random.Random(5)
    texts = [report(rng) for _ in range(400)] * 20
    read_reports(texts[:10], SPINE)
    began = time.process_time()
    read_reports(texts, SPINE)
    assert time.process_time() - began < 1.2


def test_agreement_counts_each_category() -> None:
    """Sets are compared whole and each category by a two-by-two table; missing texts are out."""
    texts = ["No fracture.", "Osteophytes.", "Fractures.", None]
    frozen, ours = read_reports(texts, SPINE), read_contextual(texts, SPINE)
    found = agreement(frozen, ours, SPINE)
    assert (found.labels.n, found.labels.exact, found.labels.jaccard) == (3, 1 / 3, 1 / 3)
    assert found.labels.categories["Fracture"] == CategoryAgreement(0, 1, 1, 1)
    assert found.recommendations.exact == 1.0
    assert found.recommendations.categories["surgery"].share == 1.0
    assert math.isnan(found.recommendations.categories["surgery"].kappa)
    empty = agreement(read_reports([], SPINE), read_reports([], SPINE), SPINE)
    assert (empty.labels.exact, empty.labels.jaccard, empty.labels.n) == (0.0, 0.0, 0)
    with pytest.raises(InputError, match="1 and 4 texts"):
        agreement(read_reports(["a"], SPINE), ours, SPINE)


def test_the_command_prints_lines_of_json(tmp_path: Path) -> None:
    """One line per text with the published fields in order; ours come behind when asked for."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "No fx"}\n\n{"id": 2, "text": "\\ud800"}\r\n')
    got = CliRunner().invoke(app(), ["labels", "--text", str(path), "--json", "--contextual"])
    rows = [json.loads(line) for line in got.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["No fx", "\ud800"]
    assert list(rows[0]) == [
        "text", "labels", "labels_strict", "recommendations", "response_class", "hedging",
        "severity", "labels_contextual", "recommendations_contextual",
    ]  # fmt: skip
    assert rows[0]["labels"] == ["Fracture"]
    assert rows[0]["labels_strict"] == rows[0]["labels_contextual"] == []


def test_the_command_reads_stdin_into_a_table() -> None:
    """Without --json a person gets a block per text, cut to a width."""
    line = json.dumps({"text": "MRI\n" + "x" * 99 + "\ud800"})
    got = CliRunner().invoke(app(), ["labels", "--text", "-"], input=line)
    assert got.exit_code == 0, got.output
    assert "recommendations            imaging" in got.stdout
    assert "labels                     -" in got.stdout


@pytest.mark.parametrize(
    "line, said",
    [
        (b"{", "x:2: is not JSON: "),
        (b"[]", "x:2: must be a JSON object with a field 'text'"),
        (b'{"txt": 1}', "x:2: the field 'text' is missing"),
        (b'{"text": null}', "x:2: the field 'text' is null, no text"),
        (b'{"text": "\xff"}', "x:2: is not UTF-8 text"),
        (b"[" * 100_000, "x:2: is not JSON that can be read"),
        (b'{"text": ' + b"9" * 5000 + b"}", "x:2: is not JSON that can be read"),
    ],
)
def test_a_bad_line_is_told_by_number(line: bytes, said: str) -> None:
    """What is wrong with a line is one sentence with its number."""
    with pytest.raises(InputError) as error:
        list(texts_in([b'{"text": ""}', line], source="x"))
    assert str(error.value).startswith(said)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file and a folder are errors of the input."""
    for path, kind in ((str(tmp_path / "no"), NotFound), (str(tmp_path), InputError)):
        got = CliRunner().invoke(app(), ["labels", "--text", path])
        assert isinstance(got.exception, kind)
