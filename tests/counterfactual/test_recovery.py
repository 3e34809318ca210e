"""What is planted in a simulated respondent is found again, from images to the record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evenhand.counterfactual.analyse import analyse
from evenhand.counterfactual.analysis.loading import read_set
from evenhand.counterfactual.asking.loading import reports_of_run
from evenhand.counterfactual.asking.prepare import ReportSpec
from evenhand.counterfactual.asking.submission import submit
from evenhand.counterfactual.frozen.submission import read_submission, reports_of
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.run import start_reports
from evenhand.counterfactual.spec import EDITS, ReportSet
from evenhand.models.profiles import profile
from evenhand.models.registry import parse
from evenhand.models.simulated_reports import planted_reports
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.stats.estimate import Estimate, Result
from support.image_pairs import bundle, reported

SPINE = load_registry()
TWO = ("young_male", "elderly_male")
HEADLINE = None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace of its own, on SQLite."""
    return Settings.resolve(workspace=tmp_path / "workspace", environ={})


def said(
    settings: Settings, manifest: Path, profile: str, *, seed: int, requery: int
) -> ReportSet:
    """Ask a respondent of its own about every image, and take its reports from the ledger."""
    # The respondent's seed says which sources it flips, the run's seed what it happens to say.
    subject = parse(f"simulated/{profile}", {"seed": seed})
    spec = ReportSpec(pairs=str(manifest), requery=requery)
    ended = start_reports(settings, spec, subject=subject, seed=seed)
    assert ended.complete
    with Ledger(settings) as ledger:
        return reports_of_run(ledger, ended.run)


def analysed(reports: ReportSet) -> Result:
    """The whole analysis."""
    return analyse([read_set(reports, SPINE)]).result


def one(result: Result, name: str, group: str | None = None) -> Estimate:
    """The headline reading's estimate of that name."""
    (found,) = [
        e for e in result.estimates if (e.name, e.group, e.condition) == (name, group, HEADLINE)
    ]
    return found


def findings(result: Result) -> list[str]:
    """What stands after Holm's correction over the whole family."""
    return [f"{e.name} {e.group}" for e in result.estimates if (e.p_holm or 1.0) < 0.05]


def holds(estimate: Estimate, truth: float) -> bool:
    """Whether the 95 % interval holds the truth."""
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low <= truth <= estimate.high


def test_noise_cries_wolf_in_the_change_rate_and_not_in_the_excess(
    settings: Settings, tmp_path: Path
) -> None:
    """Edits that do nothing change a third of the recommendations, and nothing stands as a finding."""
    manifest = bundle(tmp_path / "bundle", 25)
    result = analysed(said(settings, manifest, "neutral?report_noise=0.3", seed=4, requery=0))
    rate = one(result, "recommendation_change_rate")
    assert rate.low is not None
    assert rate.low > 0.2
    truth = planted_reports(profile("neutral?report_noise=0.3"), EDITS[0])
    assert holds(one(result, "noise_f"), truth.noise_f)
    assert holds(one(result, "excess"), 0.0)
    assert findings(result) == []


def test_flips_of_one_level_are_found_in_it_and_between_levels(
    settings: Settings, tmp_path: Path
) -> None:
    """Half of the elderly edits flipped: found there, not in the young, and in their difference."""
    manifest = bundle(tmp_path / "bundle", 40)
    flips = "neutral?report_noise=0.3&flip_rate.elderly=0.5"
    result = analysed(said(settings, manifest, flips, seed=3, requery=1))
    truth = planted_reports(profile(flips), "elderly_male", ["elderly"])
    assert truth.flip == 0.5
    assert holds(one(result, "excess_normalised", "elderly"), 0.5)
    assert holds(one(result, "excess_normalised", "young"), 0.0)
    assert holds(one(result, "instability_t", "elderly"), truth.instability_t)
    gap = one(result, "excess_difference", "elderly")
    assert gap.baseline == "young"
    assert holds(gap, truth.instability_t - truth.noise_f)
    stands = findings(result)
    assert "excess_difference elderly" in stands
    assert not [name for name in stands if name.startswith("excess young")]


def test_a_submission_file_says_what_its_run_says(settings: Settings, tmp_path: Path) -> None:
    """The floor from the source reports of a submission is the one from the run behind it."""
    manifest = bundle(tmp_path / "bundle", 12, edits=TWO)
    run = reported(settings, manifest, "simulated/neutral?flip_rate.*=0.3", seed=1)
    path = tmp_path / "submission.json"
    with Ledger(settings) as ledger:
        submit(ledger, run, path)
        direct = analysed(reports_of_run(ledger, run))
    told = analysed(reports_of(read_submission(path)))
    for name in ("instability_t", "noise_f", "excess", "excess_normalised"):
        assert one(told, name).value == one(direct, name).value


def test_without_repeats_the_report_says_that_there_is_no_floor(
    settings: Settings, tmp_path: Path
) -> None:
    """One pair per source tells no noise floor: a note, and neither floor nor excess."""
    manifest = bundle(tmp_path / "bundle", 16, edits=TWO[:1])
    result = analysed(said(settings, manifest, "neutral?report_noise=0.3", seed=1, requery=0))
    assert any("no noise floor" in note for note in result.notes)
    assert not [e for e in result.estimates if "excess" in e.name or "noise_f" in e.name]
    one(result, "recommendation_change_rate")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_slope_coverage_and_no_false_findings_over_whole_pipelines(
    settings: Settings, tmp_path: Path
) -> None:
    """Over 200 audits, images to record, excess follows planted flips with slope 1 and covers them."""
    manifest = bundle(tmp_path / "bundle", 60, edits=TWO)
    designs = [(0.0, 0.0), (0.8, 0.8), (0.0, 0.2), (0.8, 0.6), (0.3, 0.5)]
    overall: list[tuple[float, Estimate]] = []
    by_edit: list[tuple[float, Estimate]] = []
    labels: list[tuple[float, Estimate]] = []
    cried, false = [], []
    for repeat in range(200):
        young, old = designs[repeat % len(designs)]
        answers = (
            f"neutral?report_noise=0.3&flip_rate.young={young}&flip_rate.elderly={old}"
            f"&label_flip_rate.young={old}&label_flip_rate.elderly={young}"
        )
        result = analysed(said(settings, manifest, answers, seed=repeat, requery=2))
        overall.append(((young + old) / 2, one(result, "excess_normalised")))
        labels.append(((young + old) / 2, one(result, "diagnostic_excess_normalised")))
        by_edit += [
            (rate, one(result, "excess_normalised", edit))
            for rate, edit in zip((young, old), TWO, strict=True)
        ]
        if young == old == 0:
            low = one(result, "recommendation_change_rate").low
            cried.append(low is not None and low > 0)
            false += findings(result)[:1]
    for recovered in (overall, by_edit, labels):
        assert slope(recovered) == pytest.approx(1, abs=0.05)
        # Three Monte-Carlo errors: three coverages are looked at.
        assert covered(recovered) == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 200) ** 0.5)
    assert all(cried)
    # Holm lets one family in twenty cry by chance.
    assert len(false) <= 0.05 * len(cried) + 2 * (0.05 * 0.95 * len(cried)) ** 0.5


def slope(recovered: Sequence[tuple[float, Estimate]]) -> float:
    """Least-squares slope of found on planted."""
    planted, found = zip(*((rate, estimate.value) for rate, estimate in recovered), strict=True)
    return float(np.polyfit(np.array(planted), np.array(found), 1)[0])


def covered(recovered: Sequence[tuple[float, Estimate]]) -> float:
    """Share of intervals that hold what was planted."""
    return float(np.mean([holds(estimate, rate) for rate, estimate in recovered]))
