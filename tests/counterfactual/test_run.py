"""Runs of reports from the first request to the submission, and what is refused before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.asking.loading import reports_of_run
from evenhand.counterfactual.asking.prepare import ReportSpec, prepare, work_of
from evenhand.counterfactual.asking.submission import submit
from evenhand.counterfactual.frozen.submission import read_submission
from evenhand.counterfactual.run import expect, left, requests_of, resume, start, start_reports
from evenhand.errors import InputError, InvalidInputs, SubjectError
from evenhand.models.registry import Subject
from evenhand.runs.budget import Budget
from evenhand.runs.ledger import Ledger
from evenhand.runs.session import Ended
from evenhand.settings import Settings
from support.databases import DATABASES, settings_on
from support.image_pairs import NEUTRAL, bundle, exported, reported
from support.stub_server import StubServer, chat, error, faults


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    """A fresh workspace on SQLite."""
    return Settings.resolve(workspace=tmp_path / "w", environ={})


@pytest.fixture(params=DATABASES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A fresh workspace on a fresh database, of either kind."""
    with settings_on(request.param, tmp_path) as settings:
        yield settings


@pytest.fixture
def server() -> Iterator[StubServer]:
    """A server that reports on everything alike."""
    with StubServer() as server:
        server.say = lambda body: chat("1. Findings: unremarkable. 4. Follow-up.")
        yield server


def at(server: StubServer, **options: Any) -> Subject:
    """The model behind a server."""
    return Subject("openai", "tiny", {"base_url": server.url, **options})


def test_a_bundle_is_asked_about(settings: Settings, tmp_path: Path) -> None:
    """Every pair gets two reports, every source its re-queries, and all of it is read back."""
    manifest = bundle(tmp_path / "b", 3)
    run = reported(settings, manifest, requery=2)
    with Ledger(settings) as ledger:
        found = reports_of_run(ledger, run)
    assert found.subject == NEUTRAL
    assert found.origin == run
    assert found.prompt == "primary@reports-1"
    assert found.requeried
    assert [pair.pair_id for pair in found.pairs] == sorted(pair.pair_id for pair in found.pairs)
    assert len(found.pairs) == 12
    assert all(pair.source and pair.counterfactual for pair in found.pairs)
    assert [(r.source_id, r.repeat) for r in found.requeries] == [
        (f"src_000{source}", repeat) for source in range(3) for repeat in (1, 2)
    ]
    assert {pair.dataset for pair in found.pairs} == {"odd", "even"}
    shown = found.images["src_0001__young_male", "counterfactual"]
    assert Path(shown).is_file()


def test_another_run_with_the_same_seed_says_the_same(local: Settings, tmp_path: Path) -> None:
    """Two runs give the same bytes; another seed gives others."""
    manifest = bundle(tmp_path / "b", 2)
    one, two, other = (reported(local, manifest, requery=1, seed=seed) for seed in (1, 1, 2))
    assert exported(local, one) == exported(local, two) != exported(local, other)


def test_a_submission_is_written(local: Settings, tmp_path: Path) -> None:
    """The file passes the frozen checks and holds every pair, and the re-queries lie beside it."""
    run = reported(local, bundle(tmp_path / "b", 2), requery=1)
    path = tmp_path / "out" / "mine.json"
    with Ledger(local) as ledger:
        written = submit(ledger, run, path)
    assert (written.pairs, written.blank, written.left_out, written.requeries) == (8, 0, 0, 2)
    submission = read_submission(path)
    assert submission.scope == "qc-passed"
    assert submission.name == NEUTRAL
    assert submission.model["prompt_id"] == "primary@reports-1"
    assert "version" not in submission.model  # it said nothing but its name
    assert {entry.source_id for entry in submission.results} == {"src_0000", "src_0001"}
    lines = [json.loads(line) for line in written.requeries_path.read_text().splitlines()]
    assert [sorted(line) for line in lines] == [
        ["image_role", "repeat", "report", "source_id"]
    ] * 2
    assert list(written.notes()) == []


def test_the_version_is_what_the_server_says(
    local: Settings, tmp_path: Path, server: StubServer
) -> None:
    """A server's word for the version stands in the submission."""
    ended = start_reports(
        local, ReportSpec(pairs=str(bundle(tmp_path / "b", 1)), limit=1), subject=at(server)
    )
    with Ledger(local) as ledger:
        (name,) = ledger.run(ended.run).models
        ledger.describe_models(ended.run, {name: {"described": [{"id": "tiny-2026-01"}]}})
        submit(ledger, ended.run, tmp_path / "s.json")
    assert read_submission(tmp_path / "s.json").model["version"] == "tiny-2026-01"


def test_refusals_stand_in_the_submission(local: Settings, tmp_path: Path) -> None:
    """A refusal that the frozen rule reads goes in as it was said; one without words is blank."""
    manifest = bundle(tmp_path / "b", 1)
    run = reported(local, manifest, "simulated/neutral?refusal_rate.elderly=1&malformed_rate=0")
    with Ledger(local) as ledger:
        assert submit(ledger, run, tmp_path / "s.json").blank == 0
    empty = "simulated/neutral?malformed_rate=1&malformed_styles=empty"
    blank = reported(local, manifest, empty)
    with Ledger(local) as ledger:
        written = submit(ledger, blank, tmp_path / "b.json")
    assert written.blank == 8
    assert "score the submission with --blank-as-refusal" in next(written.notes())
    with pytest.raises(InputError):
        read_submission(tmp_path / "b.json")
    assert read_submission(tmp_path / "b.json", blank_as_refusal=True).blanks == 8


def test_a_pair_without_both_reports_is_left_out(
    local: Settings, tmp_path: Path, server: StubServer
) -> None:
    """A model that fails on some images: their pairs are counted and left out, and mended by a repair."""
    manifest = bundle(tmp_path / "b", 1)
    image = tmp_path / "b/edited/src_0000/young_male.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:20])
    ended = start_reports(local, ReportSpec(pairs=str(manifest)), subject=at(server))
    assert ended.units["partial"] == 1
    with Ledger(local) as ledger:
        written = submit(ledger, ended.run, tmp_path / "s.json")
        assert len(reports_of_run(ledger, ended.run).pairs) == 4
    assert (written.pairs, written.left_out) == (3, 1)
    assert "1 pair without both reports left out" in next(written.notes())
    image.write_bytes(whole)
    assert resume(ended.run, local, redo_failed=True).complete


def test_images_reach_the_server(local: Settings, tmp_path: Path, server: StubServer) -> None:
    """Each request carries its image's bytes as a data URL, before the words, and no facts."""
    manifest = bundle(tmp_path / "b", 1)
    start_reports(local, ReportSpec(pairs=str(manifest), temperature=0.5), subject=at(server))
    assert len(server.calls) == 8
    for call in server.calls:
        picture, words = call["messages"][-1]["content"]
        assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
        assert words["type"] == "text"
        assert "evenhand_facts" not in call
        assert (call["temperature"], call["max_tokens"]) == (0.5, 1024)


@pytest.mark.parametrize("kind", ["429", "timeout", "hang_up"])
def test_trouble_with_images_costs_no_report(
    local: Settings, tmp_path: Path, server: StubServer, kind: str
) -> None:
    """A fifth of calls goes wrong in each way: every pair is answered in the end."""
    server.plan = faults(0.2, seed=3, stall_s=0.3, kinds=(kind,))
    subject = at(server, api_config={"timeout_seconds": 0.15})
    ended = start_reports(
        local, ReportSpec(pairs=str(bundle(tmp_path / "b", 2)), requery=1), subject=subject
    )
    assert ended.complete
    with Ledger(local) as ledger:
        said = [step["text"] for record in ledger.units(ended.run) for step in record.steps]
    assert said == ["1. Findings: unremarkable. 4. Follow-up."] * 18


def test_a_model_without_vision_ends_the_run_with_a_sentence(
    local: Settings, tmp_path: Path, server: StubServer
) -> None:
    """The server's own words are told, and nothing more is asked."""
    server.say = lambda body: error(400, "tiny does not support image input")
    with pytest.raises(SubjectError, match="takes no images, it seems: .*not support image"):
        start_reports(local, ReportSpec(pairs=str(bundle(tmp_path / "b", 40))), subject=at(server))
    assert len(server.calls) < 80


def test_a_budget_stops_and_a_resume_goes_on(local: Settings, tmp_path: Path) -> None:
    """A run of few requests stops between the images of a pair, and the rest gives the same bytes."""
    manifest = bundle(tmp_path / "b", 2)
    whole = reported(local, manifest, requery=1)
    stopped: Ended = start_reports(
        local,
        ReportSpec(pairs=str(manifest), requery=1),
        subject=Subject("simulated", "neutral", {"max_num_seqs": 1}),
        budget=Budget(7),
    )
    assert stopped.units["pending"]
    told = left(stopped.run, local)
    assert told.planned == 10
    assert told.first
    assert resume(stopped.run, local).complete
    assert exported(local, stopped.run) == exported(local, whole)


def test_a_changed_manifest_is_not_gone_on_with(local: Settings, tmp_path: Path) -> None:
    """The rest of a run is asked about the pairs of its beginning."""
    manifest = bundle(tmp_path / "b", 2)
    stopped = start_reports(
        local, ReportSpec(pairs=str(manifest)), subject=NEUTRAL, budget=Budget(2)
    )
    lines = manifest.read_text(encoding="utf-8").splitlines()
    manifest.write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="has changed since the run began"):
        resume(stopped.run, local)
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert resume(stopped.run, local).complete


def test_a_users_prompt_is_kept_with_the_run(local: Settings, tmp_path: Path) -> None:
    """A prompt's file may change or go: the run goes on in the words of its beginning."""
    manifest = bundle(tmp_path / "b", 1)
    prompt = tmp_path / "mine.txt"
    prompt.write_text("What is on this {subject}?", encoding="utf-8")
    planned = prepare(
        ReportSpec(pairs=str(manifest), prompt=str(prompt), subject="face"), subject=NEUTRAL
    )
    stopped = start(local, planned, budget=Budget(1))
    prompt.unlink()
    with Ledger(local) as ledger:
        again = work_of(ledger, stopped.run)
    unit = again.work.unit(0)
    assert again.work.request(unit, "source", None).messages[-1].text == "What is on this face?"


def test_what_pairs_lack_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Missing images, texts and attributes each name their pair or source, once."""
    manifest = bundle(tmp_path / "b", 2)
    (tmp_path / "b/sources/src_0000.png").unlink()
    (tmp_path / "b/edited/src_0001/young_male.png").unlink()

    def told(**how: Any) -> list[str]:
        with pytest.raises(InvalidInputs) as caught:
            prepare(ReportSpec(pairs=str(manifest), **how), subject=NEUTRAL)
        return [str(problem) for problem in caught.value.problems]

    missing = told()
    assert len(missing) == 2
    assert missing[0].endswith("sources/src_0000.png: there is no such image")
    texts = told(prompt="text_only")
    assert texts[0] == "src_0000: has no source_text, and the prompt text_only shows it"
    assert len(texts) == 2 + 8
    assert told(limit=1) == missing[:1]


def test_attributes_that_are_not_known_are_told(tmp_path: Path) -> None:
    """A prompt that tells age and sex needs them of the source, and of the edit by the registry."""
    manifest = bundle(tmp_path / "b", 1, edits=("young_male", "bearded"))
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["source_attributes"] = {"age": "61"}
    manifest.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(InvalidInputs) as caught:
        prepare(ReportSpec(pairs=str(manifest), prompt="with_demographics"), subject=NEUTRAL)
    assert [str(problem) for problem in caught.value.problems] == [
        "src_0000: the prompt with_demographics tells sex; add it to source_attributes",
        "src_0000__bearded: the prompt with_demographics tells age and sex, and the registry does "
        "not say what the edit 'bearded' makes of a person; add it to the registry's edits",
    ]
    planned = prepare(ReportSpec(pairs=str(manifest)), subject=NEUTRAL)
    assert planned.notes[0].startswith("the registry does not say what these edits make")


def test_many_problems_are_counted(tmp_path: Path) -> None:
    """Twenty are told, the rest counted."""
    manifest = bundle(tmp_path / "b", 8)
    with pytest.raises(InvalidInputs) as caught:
        prepare(ReportSpec(pairs=str(manifest), prompt="text_only"), subject=NEUTRAL)
    assert len(caught.value.problems) == 21
    assert "20 more like these" in str(caught.value.problems[-1])


def test_what_a_run_takes(tmp_path: Path) -> None:
    """Units and requests exactly, tokens about; and every request with its image's digest."""
    planned = prepare(ReportSpec(pairs=str(bundle(tmp_path / "b", 2)), requery=2), subject=NEUTRAL)
    expected = expect(planned)
    assert (expected.units, expected.requests) == (8 + 4, 16 + 4)
    requests = list(requests_of(planned))
    assert len(requests) == 20
    assert requests[1]["key"] == "pair/src_0000__young_female"
    assert (requests[1]["step"], requests[1]["role"]) == (1, "counterfactual")
    (image,) = requests[1]["messages"][-1]["images"]
    assert Path(image["path"]).is_file()
    assert (len(image["sha256"]), image["media_type"]) == (64, "image/png")
    characters = sum(len(m["content"]) for r in requests for m in r["messages"])
    assert expected.prompt_tokens == pytest.approx(characters / 4, rel=0.05)


def test_replies_had_elsewhere_are_a_run(local: Settings, tmp_path: Path) -> None:
    """Requests written, answered by anyone, and read back by key and step."""
    manifest = str(bundle(tmp_path / "b", 1))
    planned = prepare(ReportSpec(pairs=manifest, requery=1), subject=NEUTRAL)
    replies = tmp_path / "replies.jsonl"
    with replies.open("w", encoding="utf-8") as file:
        for asked in requests_of(planned):
            row = {"key": asked["key"], "step": asked["step"], "text": f"{asked['role']}: normal."}
            file.write(json.dumps(row) + "\n")
    run = reported(local, Path(manifest), f"recorded/{replies}", requery=1)
    with Ledger(local) as ledger:
        found = reports_of_run(ledger, run)
    assert {(pair.source, pair.counterfactual) for pair in found.pairs} == {
        ("source: normal.", "counterfactual: normal.")
    }
    assert [requery.report for requery in found.requeries] == ["source: normal."]


def test_the_scope_of_a_limited_run_is_toy(tmp_path: Path) -> None:
    """A part of a manifest claims no scope; what is asked for stands."""
    manifest = str(bundle(tmp_path / "b", 1))
    for spec, scope in (
        (ReportSpec(pairs=manifest), "qc-passed"),
        (ReportSpec(pairs=manifest, limit=2), "toy"),
        (ReportSpec(pairs=manifest, limit=2, scope="common-core-1000"), "common-core-1000"),
    ):
        assert prepare(spec, subject=NEUTRAL).stored["scope"] == scope
