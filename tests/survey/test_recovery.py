"""What is planted in a simulated respondent is found again, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.stats.estimate import Estimate
from evenhand.survey.analyse import Choices, analyse_runs
from evenhand.survey.building.build import build_counterfactual
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.population.load import load_population
from evenhand.survey.run import start_ratings
from evenhand.survey.spec import AskSpec
from evenhand.survey.traits import default_traits

GERMANY = load_population("de-2024")
TRAITS = default_traits()[:4]
STEADY = "rating_spread=0.4&rating_base=2.8"
BY_GENDER = Choices(axes=("gender",), baselines=("gender=male",))


def surveyed(
    settings: Settings,
    profile: str,
    *,
    seed: int,
    n: int = 300,
    pairs: tuple[str, ...] = (),
    choices: Choices = BY_GENDER,
    **ask: object,
) -> tuple[Estimate, ...]:
    """Draw people, have them rated by a simulated respondent, analyse; ``pairs`` adds variants."""
    with Datasets(settings) as datasets:
        row = datasets.create_pool(GERMANY, n, seed=seed, age_from=18)
        if pairs:
            row, _ = build_counterfactual(datasets, row.id, attributes=pairs, seed=seed)
    spec = AskSpec(dataset=row.id, **{"rationale": False, "scale_order": "random", **ask})  # type: ignore[arg-type]
    ended = start_ratings(settings, spec, subject=f"simulated/{profile}", traits=TRAITS, seed=seed)
    assert ended.complete
    with Ledger(settings) as ledger:
        return analyse_runs(ledger, [ended.run], choices=choices).result.estimates


def one(estimates: tuple[Estimate, ...], name: str, group: str | None = None) -> Estimate:
    """The estimate of that name over all traits."""
    (found,) = [e for e in estimates if e.name == name and e.group == group]
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own."""
    return Settings.resolve(workspace=tmp_path, environ={})


def test_a_planted_difference_is_found(settings: Settings) -> None:
    """Women rated half a point higher come out half a point higher, and above zero."""
    found = surveyed(settings, f"neutral?{STEADY}&rating_shift.gender:female=0.5", seed=1)
    gap = one(found, "mean_difference", "gender=female")
    assert gap.low is not None
    assert gap.high is not None
    assert 0.2 < gap.low < 0.5 < gap.high < 0.8


def test_random_ratings_give_no_finding(settings: Settings) -> None:
    """A respondent that draws ratings at random gives nothing that stands after correction."""
    random = "neutral?rating_spread=0&rating_trait_spread=0&rating_noise=1"
    found = surveyed(settings, random, seed=2, choices=Choices(), dual=0.2)
    tested = [e for e in found if e.p_holm is not None]
    assert len(tested) > 50
    assert [e for e in tested if e.p_holm is not None and e.p_holm < 0.05] == []
    spreads = [e for e in found if e.name == "bias_intensity" and "," not in str(e.group)]
    assert len(spreads) > 5
    # One in twenty may lie above 0 by chance, and attributes go together.
    assert sum(e.low != 0 for e in spreads) <= 2


def test_a_planted_order_effect_is_found_and_removed(settings: Settings) -> None:
    """Half a leaning to the first option shows in the order check, and not in the mean rating."""
    first = (
        f"neutral?rating_spread=0&rating_trait_spread=0&option_position_preference=0.4&{STEADY}"
    )
    found = surveyed(settings, first.replace("rating_spread=0.4&", ""), seed=3, dual=1.0)
    bias = one(found, "order_bias")
    assert bias.high is not None
    # 60 % keep 2.8; 40 % say the first option: 1 forward, and 5 once a reversed scale is put right.
    assert bias.value == pytest.approx(-1.6, abs=0.1)
    assert bias.high < 0
    assert one(found, "order_exact_rate").value < 0.6
    overall = [e for e in found if e.name == "mean_rating" and e.group == "gender=male"]
    assert overall[0].value == pytest.approx(0.6 * 2.8 + 0.4 * 3, abs=0.12)


def test_pairs_find_what_changed_and_nothing_else(settings: Settings) -> None:
    """A variant differs from its source by the planted shift of the changed attribute."""
    found = surveyed(
        settings,
        f"neutral?{STEADY}&rating_shift.gender:female=0.5",
        seed=4,
        pairs=("gender", "religion"),
    )
    (up,) = [
        e
        for e in found
        if (e.name, e.group, e.baseline) == ("paired_shift", "gender=female", "gender=male")
    ]
    assert up.low is not None
    assert up.high is not None
    assert 0.25 < up.low < 0.5 < up.high < 0.75
    others = [e for e in found if e.name == "paired_shift" and "religion" in str(e.group)]
    assert others
    assert all(e.p_holm is None or e.p_holm > 0.05 for e in others)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_slope_and_coverage_over_whole_pipelines(settings: Settings) -> None:
    """Over 200 surveys the estimates follow the planted differences with slope 1, and cover them."""
    planted = np.tile(np.linspace(0.0, 0.8, 5), 40)
    found, covered = [], 0
    for repeat, shift in enumerate(planted):
        rater = f"neutral?{STEADY}&rating_shift.gender:female={shift}"
        gap = one(surveyed(settings, rater, seed=100 + repeat), "mean_difference", "gender=female")
        assert gap.low is not None
        assert gap.high is not None
        found.append(gap.value)
        covered += gap.low <= shift <= gap.high
    slope = float(np.polyfit(planted, np.array(found), 1)[0])
    assert slope == pytest.approx(1, abs=0.05)
    assert covered / len(planted) == pytest.approx(0.95, abs=2 * (0.95 * 0.05 / 200) ** 0.5)
