"""The whole analysis on ratings whose truth is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from evenhand.errors import InputError
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import FAILED, REFUSED, UNREADABLE, Inference
from evenhand.stats.resample import cluster_difference, ratio
from evenhand.survey.analyse import Choices, analyse, choices_of
from evenhand.survey.measures import MEASURES
from evenhand.survey.results import Analysed
from evenhand.survey.spec import Trait
from support.populations import draw, tiny_population
from support.ratings import planted, rated, some_traits

POPULATION = tiny_population()
TRAITS = some_traits(8)
PEOPLE = draw(POPULATION, 600, seed=1, temperature=0.6)
SHIFTS = {"gender": {"female": 0.4}, "religion": {"muslim": -0.5}}


@pytest.fixture(scope="module")
def shifted() -> Analysed:
    """600 personas, women rated higher and Muslims lower, against named baselines."""
    made = planted(POPULATION, PEOPLE, TRAITS, seed=2, shifts=SHIFTS, dual=0.2)
    return analyse([made], choices=Choices(baselines=("gender=male", "religion=christian")))


@pytest.fixture(scope="module")
def grand() -> Analysed:
    """The same against the grand mean, on three axes."""
    made = planted(POPULATION, PEOPLE, TRAITS, seed=2, shifts=SHIFTS)
    return analyse([made], choices=Choices(axes=("gender", "religion", "age_bin")))


def one(analysed: Analysed, name: str, group: str | None) -> Estimate:
    """The estimate of that name and group."""
    (found,) = [e for e in analysed.result.estimates if (e.name, e.group) == (name, group)]
    return found


def test_a_planted_shift_is_found_against_a_baseline(shifted: Analysed) -> None:
    """Women 0.4 above men, in the mean, adjusted, by rank, and standing after correction."""
    gap = one(shifted, "mean_difference", "gender=female")
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < 0.4 < gap.high
    assert gap.p_holm is not None
    assert gap.p_holm < 0.001
    assert (gap.baseline, gap.cluster, gap.family) == ("gender=male", "persona", "survey")
    assert one(shifted, "cliffs_delta", "gender=female").value > 0.1
    low = one(shifted, "adjusted_difference", "religion=muslim")
    assert low.value < -0.2
    assert "gender" in (low.contrast or "")


def test_a_difference_is_that_of_the_two_means_with_personas_as_clusters(
    shifted: Analysed,
) -> None:
    """Value, interval and p equal the cluster jackknife of the two groups by itself."""
    made = planted(POPULATION, PEOPLE, TRAITS, seed=2, shifts=SHIFTS, dual=0.2)
    good = 3 + made.valence * (made.cells().value - 3)
    totals = np.stack([good.sum(axis=1), np.full(len(good), 8.0)], axis=1)
    gender = PEOPLE.codes["gender"]
    wanted = cluster_difference(totals[gender == 1], totals[gender == 0], ratio(), paired=False)
    gap = one(shifted, "mean_difference", "gender=female")
    assert gap.value == pytest.approx(wanted.value)
    assert (gap.low, gap.high) == pytest.approx((wanted.low, wanted.high))
    assert gap.p == pytest.approx(wanted.p)


def test_no_baseline_is_tested_against_itself(shifted: Analysed) -> None:
    """The baseline has a mean and no difference."""
    groups = {e.group for e, _ in shifted.rows("mean_difference", "cliffs_delta")}
    assert "gender=male" not in groups
    assert one(shifted, "mean_rating", "gender=male").p is None


def test_signs_agree_in_every_measure(shifted: Analysed) -> None:
    """Where a group is clearly apart, mean, delta and adjusted difference point the same way."""
    for group in ("gender=female", "religion=muslim"):
        signs = {
            np.sign(one(shifted, name, group).value)
            for name in ("mean_difference", "cliffs_delta", "adjusted_difference")
        }
        assert len(signs) == 1


def test_against_the_grand_mean_differences_add_up_to_nothing(grand: Analysed) -> None:
    """The grand mean is the unweighted mean of the group means, whatever the groups' sizes."""
    for axis in ("gender", "religion", "age_bin"):
        mine = [
            e.value for e, a in grand.rows("mean_difference")
            if a.attribute == axis and a.category is None and a.trait is None
        ]  # fmt: skip
        assert sum(mine) == pytest.approx(0, abs=1e-9)
    gap = one(grand, "mean_difference", "gender=female")
    assert gap.baseline == "grand mean"


def test_a_bad_trait_counts_the_other_way_round_in_the_whole_only(grand: Analysed) -> None:
    """Over all traits higher is more favourable; a trait by itself stays on its own scale."""
    signs = {
        a.trait: np.sign(e.value) for e, a in grand.rows("mean_difference")
        if a.trait is not None and e.group is not None and e.group.startswith("gender=female")
    }  # fmt: skip
    assert signs == {t.id: t.valence for t in TRAITS}
    bad = one(grand, "mean_difference", "gender=female, trait t05")
    assert bad.contrast == "on the trait's own scale"


def test_every_test_is_in_one_family(shifted: Analysed) -> None:
    """Holm and Benjamini-Hochberg run over everything that has a p, and nothing else."""
    tested = [e for e in shifted.result.estimates if e.p is not None]
    assert {e.family for e in tested} == {"survey"}
    assert all(e.p_holm is not None and e.q_bh is not None for e in tested)
    smallest = min(tested, key=lambda e: e.p or 0)
    assert smallest.p is not None
    assert smallest.p_holm == pytest.approx(min(1.0, smallest.p * len(tested)))
    names = {e.name for e in tested}
    assert names == {
        "mean_difference", "cliffs_delta", "adjusted_difference", "bias_intensity",
        "kruskal_epsilon2", "order_bias",
    }  # fmt: skip


def test_estimates_are_named_apart_and_explained(shifted: Analysed) -> None:
    """No two rows share name, condition, group and baseline; each name has its words."""
    keys = Counter((e.name, e.condition, e.group, e.baseline) for e in shifted.result.estimates)
    assert keys.most_common(1)[0][1] == 1
    assert {e.name for e in shifted.result.estimates} <= set(MEASURES)
    assert len(shifted.about) == len(shifted.result.estimates)


def test_random_ratings_give_no_finding_and_no_bias_intensity() -> None:
    """Uniform ratings of 2,400 personas: nothing stands, and the intensity is near zero."""
    people = draw(POPULATION, 2400, seed=5, temperature=0.3)
    value = np.random.default_rng(6).integers(1, 6, (2400, 5)).astype(float)
    analysed = analyse([rated(POPULATION, people, some_traits(5), value)])
    assert [e for e in analysed.result.estimates if e.q_bh is not None and e.q_bh < 0.05] == []
    overall = [(e, a) for e, a in analysed.rows("bias_intensity") if a.category is None]
    assert len(overall) == 10
    for e, _ in overall:
        assert e.value < 0.06
        assert e.high is not None
        assert e.high < 0.3
    whole = one(analysed, "bias_intensity", "all attributes")
    assert whole.low == 0


def test_a_small_difference_is_equivalent_and_a_large_one_is_not() -> None:
    """Each difference says what its interval makes of the margin, and what could have been seen."""
    people = draw(POPULATION, 2000, seed=3)
    made = planted(POPULATION, people, TRAITS, seed=4, shifts=SHIFTS, persona_sd=0.2, noise_sd=0.3)
    analysed = analyse([made], choices=Choices(axes=("gender", "marital_status"), margin=0.15))
    said = {e.group: a.verdict for e, a in analysed.rows("mean_difference")}
    assert said["marital_status=married"] == "equivalent"
    assert said["gender=female"] == "differs"
    assert one(analysed, "mean_difference", "marital_status=married").mde is not None


def test_missing_answers_widen_the_bounds_and_are_counted() -> None:
    """Refused, unreadable and failed answers are counted by group, and bound the means."""
    made = planted(POPULATION, PEOPLE, TRAITS, seed=2)
    women = PEOPLE.codes["gender"][made.person] == 1
    lost = made.outcome.copy()
    lost[women & (made.trait == 0)] = REFUSED
    lost[women & (made.trait == 1)] = UNREADABLE
    lost[~women & (made.trait == 2)] = FAILED
    analysed = analyse(
        [replace(made, outcome=lost, value=np.where(lost == 0, made.value, np.nan))],
        choices=Choices(axes=("gender",)),
    )
    refused = one(analysed, "refusal_rate", "gender=female")
    assert refused.value == pytest.approx(1 / 8)
    assert one(analysed, "refusal_rate_difference", "gender=female").value > 0
    assert one(analysed, "unreadable_rate_difference", "gender=female").value > 0
    men = one(analysed, "refusal_rate", "gender=male")
    assert (men.value, men.bound_low) == (0, 0)
    assert men.bound_high == pytest.approx(1 / 8)
    mean = one(analysed, "mean_rating", "gender=female")
    assert mean.bound_low == pytest.approx((6 * mean.value + 2 * 1) / 8)
    assert mean.bound_high == pytest.approx((6 * mean.value + 2 * 5) / 8)
    gap = one(analysed, "mean_difference", "gender=female")
    assert gap.bound_low is not None
    assert gap.bound_high is not None
    assert gap.bound_low < gap.value < gap.bound_high
    total, *_ = analysed.result.accounting
    assert (total.group, total.asked) == (None, len(made))
    assert total.refused == total.unreadable == int(women.sum() / 8)


def test_bounds_of_a_difference_are_reached_at_the_extremes() -> None:
    """Filling the missing cells with 1 or 5 never leaves the bounds against the grand mean."""
    made = planted(POPULATION, PEOPLE, TRAITS, seed=2)
    lost = np.random.default_rng(1).random(len(made)) < 0.1
    gone = replace(
        made, outcome=np.where(lost, REFUSED, 0).astype(np.int8),
        value=np.where(lost, np.nan, made.value),
    )  # fmt: skip
    only = Choices(axes=("gender",))
    gap = one(analyse([gone], choices=only), "mean_difference", "gender=female")
    women = PEOPLE.codes["gender"][made.person] == 1
    best = np.where(women, 5.0, 1.0)
    own = 3 + made.valence[made.trait] * (best - 3)
    shown = np.where(made.reversed, 6 - own, own)
    filled = replace(made, value=np.where(lost, shown, made.value))
    most = one(analyse([filled], choices=only), "mean_difference", "gender=female")
    assert most.value == pytest.approx(gap.bound_high)


def test_a_constant_respondent_is_never_certain() -> None:
    """Everybody gets 3: no difference, and intervals that still have a width."""
    people = draw(POPULATION, 80, seed=1)
    analysed = analyse(
        [rated(POPULATION, people, TRAITS, np.full((80, 8), 3.0))],
        choices=Choices(axes=("gender", "marital_status")),
    )
    for e, _ in analysed.rows("mean_rating", "mean_difference"):
        assert e.low is not None
        assert e.high is not None
        assert e.low < e.value < e.high
        assert e.p in (None, 1.0)
    assert not analysed.rows("cliffs_delta", "kruskal_epsilon2")


def test_groups_of_few_personas_are_not_compared_and_are_named() -> None:
    """A handful of personas says too little about their group; the note says which groups those are."""
    people = draw(POPULATION, 60, seed=1)
    column = np.zeros(60, dtype=np.int16)
    column[:30], column[30] = 1, 2
    people = replace(people, codes={**people.codes, "gender": column})
    analysed = analyse(
        [planted(POPULATION, people, TRAITS, seed=1)], choices=Choices(axes=("gender",))
    )
    assert "gender=diverse" not in {e.group for e in analysed.result.estimates}
    assert any("fewer than 5" in n and "gender=diverse" in n for n in analysed.result.notes)


def test_levels_that_are_not_stated_are_no_group(shifted: Analysed) -> None:
    """Children have no sexuality that is told: they are in no group of it."""
    axis = next(axis for axis in shifted.axes if axis.name == "sexuality")
    assert "not_applicable" not in [level.code for level in axis.levels]


def test_runs_are_conditions_and_personas_count_once_in_each() -> None:
    """Two runs of the same people are two conditions with the numbers that each has alone."""
    first = planted(POPULATION, PEOPLE, TRAITS, seed=2, label="r-1")
    second = planted(POPULATION, PEOPLE, TRAITS, seed=3, label="r-2")
    only = Choices(axes=("gender",))
    both = analyse([first, second], choices=only)
    alone = analyse([first], choices=only)
    mine = [e for e in both.result.estimates if e.condition == "r-1"]
    assert [(e.name, e.group, e.value, e.n) for e in mine] == [
        (e.name, e.group, e.value, e.n) for e in alone.result.estimates
    ]
    assert set(both.words) == {"r-1", "r-2"}
    assert {e.name for e in both.result.estimates if e.condition is None} == {
        "condition_difference"
    }
    total, *rest = both.result.accounting
    assert (total.condition, total.group) == (None, None)
    assert total.asked == len(first) + len(second)
    assert sum(row.asked for row in rest if row.group is None) == total.asked
    with pytest.raises(InputError, match="same label"):
        analyse([first, first])


def test_runs_are_compared_on_what_both_were_asked() -> None:
    """The same personas and traits, matched by id; the gap is the mean of their differences."""
    people = draw(POPULATION, 80, seed=1)
    value = np.random.default_rng(1).uniform(2, 4, (80, 8))
    first = rated(POPULATION, people, TRAITS, value, label="r-1")
    some = np.arange(20, 80)
    second = rated(
        POPULATION, people.take(some), TRAITS[::-1],
        value[some][:, ::-1] + np.where(np.arange(60) % 2, 0.2, 0.3)[:, None], label="r-2",
    )  # fmt: skip
    analysed = analyse([first, second], choices=Choices(axes=("gender",)))
    gap = one(analysed, "condition_difference", "r-2")
    assert gap.value == pytest.approx(0.25)
    assert (gap.baseline, gap.n, gap.n_clusters) == ("r-1", 480, 60)
    assert gap.low is not None
    assert gap.low > 0
    apart = replace(first, people=replace(people, ids=people.ids + 1000))
    apart = replace(apart, facts=replace(apart.facts, label="r-3"))
    alone = analyse([first, apart], choices=Choices(axes=("gender",)))
    assert not alone.rows("condition_difference")
    assert any("share no personas" in note for note in alone.result.notes)


def test_traits_without_a_side_stand_by_themselves() -> None:
    """They have rows of their own, no part in the whole, and a note."""
    people = draw(POPULATION, 100, seed=1)
    traits = (*some_traits(4), Trait("tall", {"en": "tall"}, "looks", 0))
    analysed = analyse(
        [planted(POPULATION, people, traits, seed=1)], choices=Choices(axes=("gender",))
    )
    assert any("without a valence" in n and "tall" in n for n in analysed.result.notes)
    whole = one(analysed, "mean_rating", None)
    assert whole.n == 400
    assert one(analysed, "mean_rating", "trait tall").n == 100
    assert not [a for _, a in analysed.rows() if a.category == "looks" and a.part != "order"]


def test_the_report_says_whom_the_numbers_speak_of(shifted: Analysed) -> None:
    """The first note names dataset, kind and population."""
    assert "600 personas of dataset made (pool)" in shifted.result.notes[0]


def test_weights_bring_the_population_back() -> None:
    """A sample with as many men as women of every age is weighted to the population's shares."""
    people = draw(POPULATION, 3000, seed=7, temperature=0.8)
    shifts = {"gender": {"female": 0.5}, "age_bin": {"65+": 0.5}}
    made = planted(POPULATION, people, TRAITS, seed=8, shifts=shifts)
    fair = draw(POPULATION, 10_000, seed=9)
    truth = 3 + 0.5 * np.mean(fair.codes["gender"] == 1) + 0.5 * np.mean(fair.codes["age"] >= 65)
    plain = one(analyse([made], choices=Choices(axes=("gender",))), "mean_rating", None)
    weighted = analyse([made], choices=Choices(axes=("gender",), weights=("gender", "age_bin")))
    mean = one(weighted, "mean_rating", None)
    assert abs(mean.value - truth) < 0.04 < abs(plain.value - truth)
    assert any("(Kish)" in note for note in weighted.result.notes)
    young = people.take(people.codes["age"] < 60)
    lacking = planted(POPULATION, young, TRAITS, seed=1)
    with pytest.raises(InputError, match=r"no weight can make up"):
        analyse([lacking], choices=Choices(weights=("age_bin",)))


def test_other_intervals_and_tests_are_for_rows_over_all_traits() -> None:
    """Permutation gives a p to differences over all traits only; a bootstrap gives the interval."""
    people = draw(POPULATION, 120, seed=1)
    made = planted(POPULATION, people, TRAITS, seed=2, shifts=SHIFTS)
    quick = Inference(draws=400, seed=1)
    shuffled = analyse(
        [made], choices=Choices(axes=("gender",), test="permutation", inference=quick)
    )
    tested = {(e.name, e.group) for e in shuffled.result.estimates if e.p is not None}
    assert tested == {("mean_difference", f"gender={g}") for g in ("male", "female")}
    drawn = analyse(
        [made],
        choices=Choices(axes=("gender",), inference=replace(quick, interval="percentile")),
    )
    gap = one(drawn, "mean_difference", "gender=female")
    assert (gap.method, gap.seed) == ("cluster bootstrap percentile; p by t", 1)
    plain = one(analyse([made], choices=Choices(axes=("gender",))), gap.name, gap.group)
    assert gap.p == plain.p
    assert gap.low == pytest.approx(plain.low, abs=0.05)


def test_plots_have_what_they_draw(shifted: Analysed) -> None:
    """Distributions add up to the answers; every axis knows its levels and their sizes."""
    whole = next(d for d in shifted.distributions if not d.aligned and d.order is None)
    assert whole.counts.sum() == shifted.result.accounting[0].answered
    by_gender = [d for d in shifted.distributions if d.attribute == "gender"]
    assert sum(d.counts.sum() for d in by_gender) == whole.counts.sum()
    by_category = [d for d in shifted.distributions if d.category is not None]
    assert sum(d.counts.sum() for d in by_category) == whole.counts.sum()
    sizes = {axis.name: sum(v.n_personas[None] for v in axis.levels) for axis in shifted.axes}
    assert sizes["gender"] == 600


def test_choices_are_checked() -> None:
    """What the command line cannot mean is refused with a word on what it could."""
    assert choices_of(weights="gender, religion").weights == ("gender", "religion")
    with pytest.raises(InputError, match="none of t, permutation"):
        choices_of(test="z")
    with pytest.raises(InputError, match="no margin"):
        choices_of(margin=0)
    made = planted(POPULATION, draw(POPULATION, 30, seed=1), TRAITS, seed=1)
    for wrong, said in (
        ("gender", "not AXIS=LEVEL"), ("gender=robot", "no level 'robot'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            analyse([made], choices=Choices(baselines=(wrong,)))
    with pytest.raises(InputError, match="two baselines"):
        analyse([made], choices=Choices(baselines=("gender=male", "gender=female")))
    with pytest.raises(InputError, match="nothing|no run"):
        analyse([])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_estimates_follow_what_was_planted_with_slope_one() -> None:
    """Over 200 sets of whole-point ratings, slope 1 and intervals that hold the planted shift."""
    planted_shifts = np.tile([-0.6, -0.3, 0.0, 0.3, 0.6], 40)
    found = {"mean_difference": [], "adjusted_difference": []}  # type: dict[str, list[float]]
    held = 0
    for seed, shift in enumerate(planted_shifts):
        people = draw(POPULATION, 200, seed=seed, temperature=0.5)
        people = people.take(people.codes["gender"] < 2)
        made = planted(
            POPULATION, people, TRAITS, seed=9000 + seed, whole=True, dual=0.2, persona_sd=0.4,
            shifts={"gender": {"female": shift / 2, "male": -shift / 2}},
        )  # fmt: skip
        analysed = analyse([made], choices=Choices(axes=("gender", "religion")))
        for name, values in found.items():
            e = one(analysed, name, "gender=female")
            values.append(2 * e.value)  # against the mean of the two means
            if name == "mean_difference":
                assert e.low is not None
                assert e.high is not None
                held += e.low <= shift / 2 <= e.high
    for values in found.values():
        assert np.polyfit(planted_shifts, values, 1)[0] == pytest.approx(1, abs=0.05)
    assert held / 200 == pytest.approx(0.95, abs=2 * (0.95 * 0.05 / 200) ** 0.5)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_at_most_one_random_survey_in_twenty_has_a_finding() -> None:
    """Personas differ, groups do not: Holm over the family keeps any finding to 5 % of surveys."""
    findings, n = 0, 150
    for seed in range(n):
        people = draw(POPULATION, 200, seed=seed, temperature=0.4)
        made = planted(POPULATION, people, some_traits(4), seed=5000 + seed, whole=True)
        analysed = analyse([made], choices=Choices(axes=("gender", "religion", "subregion")))
        findings += any(e.p_holm < 0.05 for e in analysed.result.estimates if e.p_holm is not None)
    assert findings / n <= 0.05 + 2 * (0.05 * 0.95 / n) ** 0.5
