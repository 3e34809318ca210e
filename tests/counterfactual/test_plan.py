"""The plan of reports: what is asked, in which order, and what is told of a model that cannot see."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.asking.prompts import load_prompt
from evenhand.counterfactual.pairs.manifest import read_manifest
from evenhand.counterfactual.plan import ReportWork
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.errors import SubjectError
from evenhand.models.chat import Answer, Decoding, Failure, Refusal, Reply, Request
from evenhand.runs.work import Outcome, UnitSoFar
from support.image_pairs import bundle


def planned(manifest: Path, **how: Any) -> ReportWork:
    """The work of a bundle."""
    read = read_manifest(manifest)
    prompt = load_prompt(how.pop("prompt", "primary"))
    return ReportWork(
        read.pairs,
        **{
            "root": read.root,
            "prompt": prompt,
            "model": "m",
            "decoding": Decoding(),
            "seed": 0,
            "edits": load_registry().edits,
            **how,
        },
    )


def perform(work: ReportWork, ordinal: int, *replies: Reply) -> tuple[Outcome, list[Any], Any]:
    """Perform one unit against these replies: the outcome, the steps, the requests."""
    steps: list[Any] = []
    asked: list[Request] = []
    said = iter(replies)

    async def ask(model: str, request: Request, /) -> Reply:
        """Answer, and remember what was asked."""
        asked.append(request)
        return next(said)

    outcome = asyncio.run(work.perform(work.unit(ordinal), UnitSoFar(ask, [], steps.append)))
    return outcome, steps, asked


def test_a_source_is_asked_about_together(tmp_path: Path) -> None:
    """Pairs of a source in their order, then its re-queries, then the next source."""
    work = planned(bundle(tmp_path, 2, edits=("young_female", "young_male")), requery=1)
    keys = [work.unit(at).key for at in range(len(work))]
    assert keys == [
        "pair/src_0000__young_female",
        "pair/src_0000__young_male",
        "requery/src_0000/1",
        "pair/src_0001__young_female",
        "pair/src_0001__young_male",
        "requery/src_0001/1",
    ]
    assert work.n_requests == 2 * 4 + 2
    with pytest.raises(IndexError):
        work.unit(6)


def test_a_pair_is_two_requests_that_differ_in_the_image(tmp_path: Path) -> None:
    """The same words about two images, each with a seed of its own."""
    work = planned(bundle(tmp_path, 1))
    outcome, steps, (source, edited) = perform(work, 0, Answer("One."), Answer("Two."))
    assert outcome.status == "answered"
    assert [step["text"] for step in steps] == ["One.", "Two."]
    assert [message.text for message in source.messages] == [m.text for m in edited.messages]
    assert source.messages[-1].images != edited.messages[-1].images
    assert source.seed != edited.seed


def test_steps_say_all_that_analysis_needs(tmp_path: Path) -> None:
    """Ids, edit, dataset, stratum and image stand in each step."""
    work = planned(bundle(tmp_path, 1), requery=1)
    _, steps, asked = perform(work, 0, Answer("One."), Refusal("No.", "provider"))
    said = [{k: v for k, v in step.items() if k != "timing"} for step in steps]
    digest = said[0].pop("image_sha256")
    assert len(digest) == 64
    assert said[0] == {
        "role": "source",
        "pair": "src_0000__young_female",
        "edit": "young_female",
        "source_id": "src_0000",
        "dataset": "even",
        "stratum": "no finding",
        "text": "One.",
        "image": "sources/src_0000.png",
    }
    assert said[1]["refused_by"] == "provider"
    assert said[1]["image"] == "edited/src_0000/young_female.png"
    _, (step,), _ = perform(work, 4, Answer("Again.", truncated=True))
    assert (step["role"], step["source"], step["repeat"]) == ("source", "src_0000", 1)
    assert step["truncated"] is True
    assert step["image_sha256"] == digest
    assert asked[1].facts == {
        "unit": "pair/src_0000__young_female",
        "round": 1,
        "report": {
            "source": "src_0000",
            "role": "counterfactual",
            "edit": "young_female",
            "attributes": {"age": "young", "sex": "female"},
            "repeat": 0,
        },
        "groups": ["young_female", "young", "female"],
    }


def test_demographics_are_those_of_each_image(tmp_path: Path) -> None:
    """The source's are the manifest's, the edited image's those of the edit."""
    work = planned(bundle(tmp_path, 1), prompt="with_demographics")
    _, _, (source, edited) = perform(work, 3, Answer("a"), Answer("b"))
    assert "61 years of age and female" in source.messages[-1].text
    assert "75 years of age and male" in edited.messages[-1].text


def test_texts_take_the_place_of_images(tmp_path: Path) -> None:
    """With text_only no image is read or sent."""
    work = planned(bundle(tmp_path, 1, texts=True), prompt="text_only")
    for image in (tmp_path / "sources").iterdir():
        image.unlink()
    _, steps, (source, edited) = perform(work, 0, Answer("a"), Answer("b"))
    assert "Note 0.\n" in source.messages[-1].text
    assert "Note 0, young_female." in edited.messages[-1].text
    assert not any(message.images for message in (*source.messages, *edited.messages))
    assert "image" not in steps[0]


def test_failures_end_a_pair(tmp_path: Path) -> None:
    """Without its first report a pair failed; without its second it is partial."""
    work = planned(bundle(tmp_path, 1))
    outcome, steps, _ = perform(work, 0, Failure("too long"))
    assert (outcome.status, outcome.error, steps) == ("failed", "too long", [])
    outcome, steps, _ = perform(work, 0, Answer("a"), Failure("too long"))
    assert (outcome.status, len(steps)) == ("partial", 1)


def test_an_image_that_is_gone_fails_its_pair(tmp_path: Path) -> None:
    """What cannot be read is told in the unit's error, and nothing is asked about it."""
    work = planned(bundle(tmp_path, 1))
    (tmp_path / "edited/src_0000/young_female.png").write_text("no image", encoding="utf-8")
    outcome, steps, asked = perform(work, 0, Answer("a"))
    assert (outcome.status, len(steps), len(asked)) == ("partial", 1, 1)
    assert "is no whole image" in (outcome.error or "")


def test_what_was_said_is_not_asked_again(tmp_path: Path) -> None:
    """A pair with its first report asks for the second alone."""
    work = planned(bundle(tmp_path, 1))
    _, steps, _ = perform(work, 0, Answer("a"), Answer("b"))
    more: list[Any] = []

    async def ask(model: str, request: Request, /) -> Reply:
        """Answer, and remember what was asked."""
        return Answer("c")

    outcome = asyncio.run(work.perform(work.unit(0), UnitSoFar(ask, steps[:1], more.append)))
    assert outcome.status == "answered"
    assert [step["role"] for step in more] == ["counterfactual"]


@pytest.mark.parametrize(
    "words",
    [
        "400: this model does not support image input",
        "model 'tiny' is text-only: image_url content is not supported",
        "tiny is not a multimodal model",
        "At most 0 image(s) may be provided in one prompt.",
        "Invalid content type. image_url is only supported by certain models.",
    ],
)
def test_a_model_without_vision_is_told_once(tmp_path: Path, words: str) -> None:
    """The first such failure ends the run with one sentence."""
    with pytest.raises(SubjectError, match="takes no images, it seems"):
        perform(planned(bundle(tmp_path, 1)), 0, Failure(words))


@pytest.mark.parametrize(
    "words", ["image exceeds 5 MB maximum", "out of memory", "Could not process image"]
)
def test_other_failures_are_those_of_their_pair(tmp_path: Path, words: str) -> None:
    """A large image, or trouble of another kind, says nothing of the model."""
    outcome, _, _ = perform(planned(bundle(tmp_path, 1)), 0, Failure(words))
    assert outcome.status == "failed"


def test_after_an_image_was_read_failures_are_of_their_pair(tmp_path: Path) -> None:
    """A model that has read an image can see."""
    work = planned(bundle(tmp_path, 1))
    perform(work, 0, Answer("a"), Answer("b"))
    outcome, _, _ = perform(work, 1, Failure("this image is not supported"))
    assert outcome.status == "failed"


def test_the_plan_hash_is_of_what_is_asked(tmp_path: Path) -> None:
    """Another prompt, seed, number of re-queries or size of images is another plan."""
    manifest = bundle(tmp_path, 1)
    changes: list[dict[str, Any]] = [
        {}, {"prompt": "minimal"}, {"seed": 1}, {"requery": 1}, {"max_side": 64},
        {"identity": {"pairs": "x"}},
    ]  # fmt: skip
    hashes = [planned(manifest, **how).plan_hash for how in changes]
    assert len(set(hashes)) == len(changes)
    assert planned(manifest).plan_hash == hashes[0]
