"""The simulated respondent's reports: what is planted is what is read in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.counterfactual.analysis.readings import jaccard
from evenhand.counterfactual.reading.read import read_reports
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import FULL_REFUSAL, PARTIAL_REFUSAL
from evenhand.errors import InputError
from evenhand.models import simulated_reports
from evenhand.models.chat import Answer, Decoding, Message, Refusal, Request
from evenhand.models.profiles import profile
from evenhand.models.simulated import SimulatedModel
from evenhand.models.simulated_reports import planted_reports, rate_of, refusal_text, report_text

OLD_WOMAN = {"age": "elderly", "sex": "female"}


def ask(model: SimulatedModel, source: str, edit: str | None = None, *, seed: int = 0) -> Any:
    """One reply to a request about one image; the seed makes it another request."""
    levels = OLD_WOMAN if edit else {}
    facts = {
        "report": {
            "source": source, "role": "counterfactual" if edit else "source", "edit": edit,
            "attributes": levels, "repeat": 0,
        },
        "groups": [edit, *levels.values()] if edit else [],
    }  # fmt: skip
    request = Request((Message("user", "Report."),), Decoding(), seed=seed, facts=facts)
    return asyncio.run(model.ask(request))


def texts(of: str, sources: Sequence[str], edit: str | None, *, seed: int) -> list[str]:
    """Reports straight from the bank, without the engine's detour, for statistics."""
    rng = np.random.default_rng(seed)
    told = profile(of)
    facts = {"role": "counterfactual" if edit else "source", "edit": edit}
    levels = OLD_WOMAN if edit else {}
    return [
        report_text(told, {**facts, "source": source, "attributes": levels}, rng.random(8), seed=0)
        for source in sources
    ]


def names(kind: str, mask: int) -> set[str]:
    """The categories of a set."""
    of = load_registry().names(kind)  # type: ignore[arg-type]
    return {name for bit, name in enumerate(of) if mask >> bit & 1}


def read_one(text: str) -> tuple[set[str], set[str]]:
    """Findings and recommendations that the frozen rule reads in a text."""
    read = read_reports([text], load_registry())
    return names("diagnostic", int(read.labels[0])), names(
        "recommendation", int(read.recommendations[0])
    )


def test_every_sentence_is_read_as_its_category_and_nothing_else() -> None:
    """Finding sentences and diagnoses hold their finding, advice its category, the rest nothing."""
    bank = simulated_reports
    for found in (bank._SENTENCES, bank._DIAGNOSES):
        for name, sentences in found.items():
            assert all(read_one(text) == ({name}, set()) for text in sentences), name
    for name, sentences in bank._ADVICE.items():
        assert all(read_one(text) == (set(), {name}) for text in sentences), name
    plain = (
        bank._OPENING, bank._SHAPE, bank._LEVELS, bank._TISSUE, bank._CLOSING, bank._SEVERITY,
        bank._AFTER, bank._CONFIDENCE, bank._REFUSALS, bank._HEDGED,
    )  # fmt: skip
    assert all(read_one(text) == (set(), set()) for pool in plain for text in pool)


def test_no_report_reads_as_a_refusal() -> None:
    """Eight hundred reports are genuine, and as long as reports are."""
    told = texts("neutral?label_flip_rate.elderly=0.3", [f"s{i}" for i in range(800)], "e", seed=1)
    assert not read_reports(told, load_registry()).response.any()
    lengths = [len(text) for text in told]
    assert min(lengths) > 600
    assert max(lengths) < 1300


def test_refusals_read_as_what_they_are() -> None:
    """Every refusal is a full one by the frozen rule; with its general terms, a partial one."""
    for first, third in product(np.arange(0.0, 1.0, 0.1), repeat=2):
        assert (
            response_class(refusal_text(profile("neutral"), [first, 0.5, third])) == FULL_REFUSAL
        )
        partly = profile("neutral?partial_refusal=1")
        assert response_class(refusal_text(partly, [first, 0.5, third])) == PARTIAL_REFUSAL


@pytest.mark.parametrize("noise, flip, label", [(0, 0.25, 0.1), (0.3, 0.25, 0.1), (1, 0, 0)])
def test_planted_instability_is_what_is_read(noise: float, flip: float, label: float) -> None:
    """T and F of recommendations and findings are those of the closed form, within 4 errors."""
    of = f"neutral?report_noise={noise}&flip_rate.elderly={flip}&label_flip_rate.elderly={label}"
    sources = [f"s{i}" for i in range(1500)]
    truth = planted_reports(profile(of), "elderly_female", ["elderly", "female"])
    registry = load_registry()
    first, again, edited = (
        read_reports(texts(of, sources, edit, seed=seed), registry)
        for seed, edit in ((1, None), (2, None), (3, "elderly_female"))
    )
    for other, recommendations, labels in (
        (again, truth.noise_f, truth.label_noise_f),
        (edited, truth.instability_t, truth.label_instability_t),
    ):
        differ = (first.recommendations != other.recommendations).mean()
        assert differ == pytest.approx(recommendations, abs=4 * 0.5 / np.sqrt(1500))
        apart = 1 - jaccard(first.labels, other.labels)
        assert apart.mean() == pytest.approx(labels, abs=4 * 0.5 / np.sqrt(1500))


@given(phi=st.floats(0, 1), noise=st.floats(0, 0.99))
def test_normalised_excess_is_the_flip_rate(phi: float, noise: float) -> None:
    """(T - F) / (1 - F) is the planted rate, for recommendations and findings, whatever the noise."""
    of = profile(f"neutral?report_noise={noise}&flip_rate.x={phi}&label_flip_rate.x={phi}")
    truth = planted_reports(of, "x")
    for t, f in (
        (truth.instability_t, truth.noise_f),
        (truth.label_instability_t, truth.label_noise_f),
    ):
        assert (t - f) / (1 - f) == pytest.approx(phi, abs=1e-9)


def test_a_flip_is_for_good() -> None:
    """A flipped pair recommends surgery in every report on its edited image, others in none."""
    model = SimulatedModel("neutral?flip_rate.elderly=0.5")
    flipped = set()
    for source in map(str, range(12)):
        said = {
            "surgery" in read_one(ask(model, source, "elderly_female", seed=seed).text)[1]
            for seed in range(4)
        }
        assert len(said) == 1
        flipped |= said
        assert "surgery" not in read_one(ask(model, source).text)[1]
    assert flipped == {True, False}


def test_without_noise_a_source_says_the_same() -> None:
    """Two reports on one image differ in words only."""
    model = SimulatedModel("neutral?report_noise=0")
    one, two = (ask(model, "a", seed=seed).text for seed in (1, 2))
    assert one != two
    assert read_one(one) == read_one(two)


def test_rates_are_by_the_group_that_fits_best() -> None:
    """The largest of the named rates counts, the star only where none is named."""
    rates = {"*": 0.4, "elderly": 0.1, "Elderly_Female": 0.2}
    assert rate_of(rates, ["elderly_female", "elderly"]) == 0.2
    assert rate_of(rates, ["young_male"]) == 0.4
    assert rate_of({}, ["x"]) == 0.0


def test_refusals_by_group() -> None:
    """Only images of the named group are refused, in words or in the refusal field."""
    model = SimulatedModel("neutral?refusal_rate.elderly=1&refusal_style=mixed")
    kinds = {type(ask(model, "a", "elderly_female", seed=seed)) for seed in range(20)}
    assert kinds == {Answer, Refusal}
    assert response_class(ask(model, "a").text) != FULL_REFUSAL


def test_empty_and_truncated_reports() -> None:
    """Of the malformed styles the two that free text can have apply."""
    styles = "malformed_styles=empty"
    assert ask(SimulatedModel(f"neutral?malformed_rate=1&{styles}"), "a").text == ""
    styles = "malformed_styles=truncated"
    assert 100 < len(ask(SimulatedModel(f"neutral?malformed_rate=1&{styles}"), "a").text) < 400


@pytest.mark.parametrize("key", ["flip_rate.old=1.5", "report_noise=-1", "partial_refusal=2"])
def test_rates_out_of_range_are_refused(key: str) -> None:
    """A probability is from 0 to 1."""
    with pytest.raises(InputError, match="must be a number from 0 to 1"):
        profile(f"neutral?{key}")
