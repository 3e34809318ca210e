"""From readings of image pairs to one result."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from evenhand.counterfactual.analyse import Choices, analyse, choices_of
from evenhand.counterfactual.analysis.results import Analysed
from evenhand.counterfactual.measures import MEASURES
from evenhand.counterfactual.spec import FULL_REFUSAL, PARTIAL_REFUSAL
from evenhand.errors import InputError, StatsError
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import inference
from support.planted_pairs import Design, Pair, Planted, readings_of, registry_of

ROOT = Path(__file__).parents[2]

PLANTED = Planted(
    flip={"elderly_male": 0.4}, noise=0.05, refused={"elderly_male": 0.1}, failed=0.02
)


@pytest.fixture(scope="module")
def analysed() -> Analysed:
    """One planted set with re-queries, analysed."""
    return analyse([Design(sources=200).draw(PLANTED, np.random.default_rng(1))])


def one(found: Analysed, name: str, group: str | None = None, **fields: object) -> Estimate:
    """The estimate of that name and group."""
    rows = [
        e
        for e, _ in found.rows(name)
        if e.group == group
        and all(getattr(e, key) == value for key, value in ({"condition": None} | fields).items())
    ]
    assert len(rows) == 1, rows
    return rows[0]


def test_every_estimate_has_a_name_of_its_own_and_what_it_is_about(analysed: Analysed) -> None:
    """Subject, name, condition, group and baseline tell any two rows apart."""
    rows = analysed.result.estimates
    assert len(rows) == len(analysed.about)
    names = [(e.subject, e.name, e.condition, e.group, e.baseline) for e in rows]
    assert len(set(names)) == len(names)
    assert all(e.instrument == "counterfactual" and e.cluster == "source" for e in rows)
    contextual = [e.condition == "contextual reading" for e in rows]
    assert contextual == [about.reading == "contextual" for about in analysed.about]


def test_every_name_is_explained(analysed: Analysed) -> None:
    """Reports find words for every estimate, and tested ones have a value of no difference."""
    assert {e.name for e in analysed.result.estimates} <= set(MEASURES)
    tested = {e.name for e in analysed.result.estimates if e.p is not None}
    assert all(MEASURES[name].null == 0.0 for name in tested)


def test_all_tests_are_one_family_with_detectable_effects(analysed: Analysed) -> None:
    """Every p is adjusted over the whole, says whether it was planned, and has an effect size."""
    tested = [e for e in analysed.result.estimates if e.p is not None]
    assert len(tested) < 80
    assert {e.family for e in tested} == {"counterfactual"}
    least = min(tested, key=lambda e: e.p or 0)
    assert least.p_holm == pytest.approx(min(1.0, (least.p or 0) * len(tested)))
    assert all(e.planned in (True, False) and e.mde is not None for e in tested)
    others = [e for e in analysed.result.estimates if e.p is None]
    assert all(e.family is None and e.p_holm is None and e.planned is None for e in others)
    assert not any(e.condition == "contextual reading" for e in tested)


def test_contrasts_have_a_verdict_about_the_margin(analysed: Analysed) -> None:
    """What was planted differs, what was not is equivalent or undecided; gaps have none."""
    verdicts = {(e.name, e.group): about.verdict for e, about in analysed.rows()}
    assert verdicts["category_rate_difference", "referral: elderly"] == "differs"
    assert verdicts["gap_exact", None] is None
    assert verdicts["recommendation_change_rate", "young"] is None
    assert verdicts["severity_difference", "elderly"] is None


def test_the_noise_floor_stands_beside_the_change_rate(analysed: Analysed) -> None:
    """The edit that flips has an excess, the whole change rate is mostly noise."""
    assert one(analysed, "excess", "elderly_male").value > 0.25
    assert abs(one(analysed, "excess", "young_female").value) < 0.1
    floor, change = one(analysed, "noise_f"), one(analysed, "recommendation_change_rate")
    assert 0.5 < floor.value / change.value < 1


def test_the_tables_are_beside_the_record(analysed: Analysed) -> None:
    """Additions with their tests, agreement of the readings, and empty pairs."""
    (facts,) = analysed.sets
    assert facts.label == "planted"
    assert facts.condition is None
    assert facts.agreement.same_labels == 1.0
    assert facts.both_empty.usable == analysed.result.accounting[0].answered
    assert any(change.group == "elderly_male" for change in facts.changes)


def test_the_other_reading_can_lead() -> None:
    """With the contextual reading in front the frozen one is described beside it."""
    readings = Design(sources=30).draw(PLANTED, np.random.default_rng(2))
    nothing = np.zeros_like(readings.of_source.recommendations)
    emptied = replace(
        readings,
        contextual_source=replace(readings.of_source, recommendations=nothing),
        contextual_counterfactual=replace(readings.of_counterfactual, recommendations=nothing),
    )
    found = analyse([emptied], choices=choices_of(reading="contextual"))
    assert found.reading == "contextual"
    assert one(found, "recommendation_change_rate").value == 0
    frozen = one(found, "recommendation_change_rate", condition="frozen reading")
    assert frozen.value == one(analyse([emptied]), "recommendation_change_rate").value > 0


def test_models_are_held_against_the_first() -> None:
    """Estimates of each, contrasts between them in the same family, and accounting of all."""
    rng = np.random.default_rng(3)
    design = Design(sources=40, registry=registry_of(1, 1))
    sets = [
        replace(design.draw(Planted(flip=flip), rng), subject=name)
        for name, flip in (("one", 0.0), ("two", 0.5))
    ]
    found = analyse(sets)
    contrast = one(found, "recommendation_change_difference", "two")
    assert (contrast.subject, contrast.baseline) == (None, "one")
    assert contrast.p_holm is not None
    assert contrast.p_holm < 0.01
    wholes = [row for row in found.result.accounting if row.group is None]
    assert [(row.condition, row.asked) for row in wholes] == [
        (None, 320),
        ("one", 160),
        ("two", 160),
    ]


def test_two_runs_of_one_model_are_told_apart_by_where_they_come_from() -> None:
    """The origin is the condition; the same origin twice is refused."""
    readings = Design(sources=5, registry=registry_of(1, 1)).draw(
        PLANTED, np.random.default_rng(4)
    )
    found = analyse([replace(readings, origin="r1"), replace(readings, origin="r2")])
    conditions = {e.condition for e in found.result.estimates if e.subject is not None}
    assert conditions == {"r1", "r2", "r1, contextual reading", "r2, contextual reading"}
    assert [facts.label for facts in found.sets] == ["planted (r1)", "planted (r2)"]
    with pytest.raises(InputError, match="two sets of reports by planted come from planted"):
        analyse([readings, readings])


def test_wrong_choices_are_refused() -> None:
    """No set, one source, an unknown reading and a margin that is none."""
    with pytest.raises(InputError, match="no set of reports"):
        analyse([])
    with pytest.raises(StatsError, match="only 1 source"):
        analyse([readings_of([Pair("a", "x")])])
    with pytest.raises(InputError, match="'loose' is none of frozen, contextual"):
        choices_of(reading="loose")
    with pytest.raises(InputError, match="0 is no margin"):
        choices_of(margin=0)


def test_what_a_reader_must_know_is_noted() -> None:
    """Partial refusals, copies, and a floor that nothing tells."""
    pairs = [
        Pair(s, e, response=(0, PARTIAL_REFUSAL if s == "a" else 0))
        for s in "abc"
        for e in ("young_male", "elderly_male")
    ]
    notes = analyse([readings_of(pairs)]).result.notes
    assert "planted: 2 pairs with a partial refusal are kept, as the frozen rule has it" in notes
    assert any("letter for letter" in note for note in notes)
    assert any(note.startswith("no noise floor") for note in notes)


def test_a_model_that_refuses_everything_is_still_described() -> None:
    """Refusal rates and accounting, one note for all that has no row."""
    pairs = [
        Pair(s, e, response=(0, FULL_REFUSAL))
        for s in "abc"
        for e in ("young_male", "elderly_male")
    ]
    found = analyse([readings_of(pairs)])
    assert one(found, "refusal_rate", "counterfactual images").value == 1.0
    assert not found.rows("recommendation_change_rate")
    assert len(found.result.notes) < 12


def test_resampled_intervals_are_for_change_rates() -> None:
    """Percentile intervals where they were asked for, t for single categories, and a note."""
    readings = Design(sources=20, registry=registry_of(1, 1)).draw(
        PLANTED, np.random.default_rng(5)
    )
    chosen = Choices(inference=inference("percentile", level=0.9, draws=200, seed=1))
    found = analyse([readings], choices=chosen)
    assert one(found, "recommendation_change_rate").method == "cluster bootstrap percentile"
    assert (one(found, "added_rate", "surgery").method or "").startswith("cluster jackknife t")
    assert any(note.startswith("percentile intervals are for") for note in found.result.notes)


def test_four_thousand_pairs_take_little_time() -> None:
    """All estimates of 1,000 sources with four edits in at most 3 s of CPU."""
    readings = Design(sources=1000, registry=registry_of(6, 6)).draw(
        PLANTED, np.random.default_rng(6)
    )
    start = time.process_time()
    found = analyse([readings])
    assert time.process_time() - start < 3.0
    assert len(found.result.estimates) > 1000


def load_benchmark() -> ModuleType:
    """``benchmarks/coverage_image_pairs.py`` as a module."""
    path = ROOT / "benchmarks" / "coverage_image_pairs.py"
    spec = importlib.util.spec_from_file_location("coverage_image_pairs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_intervals_hold_the_truth_in_most_of_a_few_sets() -> None:
    """Of 60 sets hardly any estimate is missed often, and none is always off."""
    simulated = load_benchmark()
    design = Design(sources=40, registry=registry_of(1, 1))
    held = simulated.held(design, simulated.EFFECT, sets=60, seed=3)
    assert min(held.values()) > 0.8
    assert np.mean(list(held.values())) == pytest.approx(0.95, abs=0.025)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 4,000 sets 93 to 97 % of the intervals hold what was planted."""
    simulated = load_benchmark()
    design = Design(edits=("young_male", "elderly_male"), registry=registry_of(1, 1))
    held = simulated.held(design, simulated.EFFECT, sets=4000, seed=4)
    assert {name: rate for name, rate in held.items() if not 0.93 <= rate <= 0.97} == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_noise_alone_is_no_finding() -> None:
    """Under the null with noise, t tests reject in 4 to 6 % of 4,000 sets, exact ones in at most 5 %."""
    simulated = load_benchmark()
    design = Design(edits=("young_male", "elderly_male"), registry=registry_of(1, 1))
    found = simulated.rejected(design, simulated.NULL, sets=4000, seed=5)
    exact = {name for name in found if name[0] in simulated.EXACT}
    assert {n: r for n, r in found.items() if n not in exact and not 0.04 <= r <= 0.06} == {}
    assert {n: found[n] for n in exact if not 0.02 <= found[n] <= 0.058} == {}
