"""Malformed submissions and bundles: exit 2 and one sentence each, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from evenhand.cli import main
from evenhand.cli.counterfactual_score import score
from evenhand.counterfactual.frozen.version import QC_MANIFEST
from evenhand.errors import EvenhandError
from support.submissions import submission, write_bundle

START = [sys.executable, "-c", "from evenhand.cli.main import main; main()"]

VALID = submission()
TEXT = json.dumps(VALID)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
not_text = junk.filter(lambda value: not isinstance(value, str) or not value.strip())
not_object = junk.filter(lambda value: not isinstance(value, dict))
in_top = st.sampled_from(
    [("schema_version", junk), ("scope", junk), ("results", not_object.filter(bool))]
)


@st.composite
def broken_fields(draw: st.DrawFn) -> bytes:
    """A submission with one field that breaks a rule."""
    payload = deepcopy(VALID)
    entry = payload["results"][draw(st.integers(0, 3))]
    kind = draw(st.integers(0, 9))
    if kind == 0:
        field, values = draw(in_top)
        payload[field] = draw(values)
    elif kind == 1:
        payload["model"] = draw(not_object)
    elif kind == 2:
        payload["model"]["name"] = draw(not_text)
    elif kind == 3:
        del payload[draw(st.sampled_from(sorted(payload)))]
    elif kind == 4:
        entry[draw(st.sampled_from(sorted(entry)))] = draw(not_text)
    elif kind == 5:
        del entry[draw(st.sampled_from(sorted(entry)))]
    elif kind == 6:
        entry[draw(st.text(max_size=9)) + "?"] = draw(junk)
    elif kind == 7:
        payload["results"].append(draw(st.sampled_from([entry, draw(junk)])))
    elif kind == 8:
        entry["source_id"] = draw(junk.filter(lambda value: value != "buu_1"))
    else:
        entry["metadata"] = draw(not_object)
    return json.dumps(payload).encode()


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """A submission cut short, or with bytes that no JSON has, or something else altogether."""
    content = TEXT.encode()
    kind = draw(st.integers(0, 5))
    at = draw(st.integers(0, len(content) - 1))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + draw(st.sampled_from([b"\xff", b"\xc3(", b"\x00"])) + content[at:]
    if kind == 2:
        return content + draw(st.binary(min_size=1)).strip() + b"}"
    if kind == 3:
        return draw(st.binary(max_size=60)) + b"\xff"
    if kind == 4:
        opening = draw(st.sampled_from([b"[", b'{"a":', b'{"results":[']))
        return opening * draw(st.sampled_from([1, 900, 3000, 60_000]))
    return TEXT.replace(
        '"test"', draw(st.sampled_from(["NaN", "Infinity", "1e999", "tru"]))
    ).encode()


malformed = broken_fields() | damaged_bytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bundle for all files."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))


def words(bundle: Path, path: Path) -> list[str]:
    """The command line that scores a file."""
    given = ["--artifacts", bundle, "--submission", path, "--output", bundle / "score.json"]
    return ["counterfactual", "score", *map(str, given), "--bootstrap-iterations", "3"]


def complaint(bundle: Path, path: Path) -> str | None:
    """What the verb says of a file; None when it scores it."""
    try:
        score(
            artifacts=bundle,
            submission=path,
            output=bundle / "score.json",
            bootstrap_iterations=3,
        )
    except EvenhandError as error:
        return f"{error} ({error.exit_code})"
    return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=malformed)
def test_malformed_submissions_are_one_sentence(bundle: Path, content: bytes) -> None:
    """Only our own errors come out, on one line, short enough to read."""
    path = bundle / "fuzzed.json"
    path.write_bytes(content)
    said = complaint(bundle, path)
    assert said is not None
    assert said.endswith(" (2)")
    assert "\n" not in said
    assert len(said) < 1500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.binary(max_size=4)), max_size=4))
def test_garbled_submissions_are_scored_or_refused(
    bundle: Path, changes: list[tuple[int, bytes]]
) -> None:
    """Random bytes put anywhere may leave a submission that stands; else it is one sentence."""
    content = bytearray(TEXT.encode())
    for at, put in changes:
        content[at : at + len(put)] = put
    path = bundle / "garbled.json"
    path.write_bytes(bytes(content))
    assert "\n" not in (complaint(bundle, path) or "")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=junk, at=st.integers(0, 3), whole=st.booleans())
def test_malformed_bundles_are_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, row: Any, at: int, whole: bool
) -> None:
    """A row of the index that is junk, or holds it, is named by its line."""
    root = tmp_path_factory.mktemp("fuzzed")
    path = root / "s.json"
    path.write_text(TEXT)
    lines = (write_bundle(root) / QC_MANIFEST).read_text().splitlines()
    junk_row = json.loads(lines[at])
    junk_row[sorted(junk_row)[at]] = row
    lines[at] = json.dumps(row if whole else junk_row)
    (root / QC_MANIFEST).write_text("\n".join(lines))
    said = complaint(root, path)
    if said is not None:
        assert f"line {at + 1}" in said or "lacks" in said
        assert "\n" not in said


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_ten_thousand_malformed_files_leave_with_two(bundle: Path, part: int) -> None:
    """Through the parsed command line, 2,500 at a time: exit code 2, and one line to say why."""
    main.add_nouns()
    command: Any = typer.main.get_command(main.app)
    path = bundle / "many.json"
    count = 0

    @seed(part)
    @settings(max_examples=2_500, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(content=malformed)
    def one_file(content: bytes) -> None:
        nonlocal count
        count += 1
        path.write_bytes(content)
        with pytest.raises(EvenhandError) as caught:
            command.main(words(bundle, path), standalone_mode=False)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)

    one_file()
    assert count >= 2_500


@pytest.mark.slow
def test_real_processes_leave_with_two(bundle: Path) -> None:
    """A handful of files and arguments, each in a process of its own; JSON says it as JSON."""
    path = bundle / "process.json"
    contents = [b"\xff\xfe", b"[" * 200_000, TEXT[:-9].encode()]
    calls = [(content, []) for content in contents]
    calls += [(TEXT.encode(), ["--seed", "-1"]), (b"{}", ["--json"])]
    environ = {**os.environ, "PYTHONUTF8": "1"}
    for content, more in calls:
        path.write_bytes(content)
        done = subprocess.run(
            [*START, *words(bundle, path), *more],
            capture_output=True, text=True, check=False, env=environ,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        if more == ["--json"]:
            assert json.loads(done.stdout)["error"] == "InputError"
        else:
            assert done.stdout == ""
            assert done.stderr.count("\n") == 1
