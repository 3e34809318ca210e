"""Tests keep their level and intervals their coverage, by simulation or by exact enumeration.

Estimates by cluster have ``test_coverage.py``; the statistics without a place there are here.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from evenhand.stats.agreement import fleiss_kappa, gwet_ac1, krippendorff_alpha
from evenhand.stats.equivalence import tost_proportions
from evenhand.stats.logistic import linear, logistic
from evenhand.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli
from evenhand.stats.paired import cluster_permutation_test, mcnemar, wilcoxon
from evenhand.stats.power import (
    clusters_needed,
    intraclass_correlation,
    minimum_detectable,
    power_of,
    se_of_mean,
)
from evenhand.stats.proportions import log_odds_ratio, newcombe_paired
from evenhand.stats.rank import cliffs_delta, kruskal_wallis


def test_mcnemar_keeps_its_level() -> None:
    """Over all tables of 12 to 60 changes, exact p rejects at most 5 %, mid-p close to 5 %."""
    for n in (12, 25, 60):
        found = [mcnemar(k, n - k) for k in range(n + 1)]
        chance = stats.binom.pmf(np.arange(n + 1), n, 0.5)
        assert chance @ [f.p_exact <= 0.05 for f in found] <= 0.05
        assert chance @ [f.p_mid <= 0.05 for f in found] == pytest.approx(0.05, abs=0.017)


@pytest.mark.parametrize("n, ties", [(10, True), (20, False), (60, True)])
def test_wilcoxon_keeps_its_level(n: int, ties: bool) -> None:
    """Symmetric differences, tied or not: about 5 % of 600 sets are rejected, never many more."""
    rng = np.random.default_rng(1)
    sets = rng.normal(0, 2, (600, n))
    values = np.where(sets == 0, 1, np.round(sets * 2) + np.sign(sets)) if ties else sets
    rejected = np.mean([wilcoxon(row).p <= 0.05 for row in values])
    assert 0.01 <= rejected <= 0.08


def test_kruskal_wallis_keeps_its_level() -> None:
    """Three groups from one distribution, ties included: about 5 % of 1,500 sets are rejected."""
    rng = np.random.default_rng(2)
    sets = rng.integers(0, 8, (1500, 3, 15))
    rejected = np.mean([kruskal_wallis(list(groups)).p <= 0.05 for groups in sets])
    assert 0.035 <= rejected <= 0.065


def test_cliffs_delta_estimates_what_normals_have() -> None:
    """Two normals half a standard deviation apart have delta 2 Phi(.5 / sqrt 2) - 1 on average."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.5, 1, (800, 30)), rng.normal(0, 1, (800, 20))
    found = [cliffs_delta(x, y) for x, y in zip(a, b, strict=True)]
    truth = 2 * special.ndtr(0.5 / np.sqrt(2)) - 1
    assert np.mean(found) == pytest.approx(truth, abs=float(4 * np.std(found) / np.sqrt(800)))


def test_cluster_permutation_keeps_its_level() -> None:
    """Two groups of strongly clustered answers without effect: 5 % of 1,000 sets are rejected."""
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(24), 5)
    group = cluster < 12
    level = rng.standard_normal((1000, 24))[:, cluster] + rng.standard_normal((1000, 120))
    rejected = np.mean(
        [cluster_permutation_test(cluster, y, group, draws=199, seed=1).p <= 0.05 for y in level]
    )
    assert 0.03 <= rejected <= 0.07


def test_log_odds_ratio_covers_at_25_clusters() -> None:
    """Over 1,000 sets of 25 clusters the default interval holds the true log odds ratio."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(25), 20)
    group = np.tile([True, False], 250)

    def chance(level: Any, inside: Any) -> Any:
        return special.expit(0.3 + level + 0.6 * inside)

    many = rng.standard_normal(2_000_000)
    rates = [chance(many, side).mean() for side in (1.0, 0.0)]
    truth = float(special.logit(rates[0]) - special.logit(rates[1]))
    held = 0
    for level in rng.standard_normal((1000, 25)):
        hit = rng.random(500) < chance(level[cluster], group)
        found = log_odds_ratio(cluster, hit, group)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 1000 <= 0.97


def test_paired_newcombe_covers_on_every_table() -> None:
    """Summed over all tables of 25 pairs, the chance to hold the truth is 93 to 98 %."""
    n = 25
    tables = np.array(
        [
            (a, b, c, n - a - b - c)
            for a, b, c in itertools.product(range(n + 1), repeat=3)
            if a + b + c <= n
        ]
    )
    ends = np.array([newcombe_paired(*row) for row in tables.tolist()])
    for p in ((0.6, 0.2, 0.1, 0.1), (0.4, 0.1, 0.1, 0.4), (0.3, 0.3, 0.1, 0.3)):
        chance = stats.multinomial.pmf(tables, n, p)
        truth = p[1] - p[2]
        held = chance[(ends[:, 0] <= truth) & (truth <= ends[:, 1])].sum()
        assert 0.93 <= held <= 0.98


def covered(model: str, sets: int) -> float:
    """Share of sets of 25 clusters whose CR2 interval holds a true effect of 0 between clusters."""
    rng = np.random.default_rng(6)
    cluster = np.repeat(np.arange(25), 10)
    between = (cluster % 2).astype(float)
    x = np.stack([np.ones(250), between], 1)
    held = 0
    for _ in range(sets):
        eta = rng.standard_normal(25)[cluster]
        if model == "logistic":
            fit = logistic(cluster, x, rng.random(250) < special.expit(eta))
        else:
            fit = linear(cluster, x, eta + rng.standard_normal(250))
        held += fit.low[1] <= 0 <= fit.high[1]
    return held / sets


@pytest.mark.parametrize("model", ["logistic", "linear"])
def test_cr2_covers_at_25_clusters(model: str) -> None:
    """Over 500 sets CR2 with t on G - 1 degrees holds the truth, to the simulation's error."""
    assert 0.925 <= covered(model, 500) <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("model", ["logistic", "linear"])
def test_cr2_covers_closely_at_25_clusters(model: str) -> None:
    """Over 4,000 sets the coverage lies between 93 and 97 %."""
    assert 0.93 <= covered(model, 4000) <= 0.97


def test_krippendorff_alpha_of_copying_raters_is_the_square_of_their_care() -> None:
    """Raters who tell the truth with chance q and else guess have alpha q squared on average."""
    rng = np.random.default_rng(7)
    q, values = 0.7, []
    for _ in range(100):
        truth = rng.integers(0, 4, 60)
        careful = rng.random((3, 60)) < q
        table = np.where(careful, truth, rng.integers(0, 4, (3, 60))).astype(float)
        values.append(krippendorff_alpha(table).alpha)
    assert np.mean(values) == pytest.approx(q * q, abs=float(4 * np.std(values) / 10))


def test_kappa_and_ac1_of_copying_raters_are_the_square_of_their_care() -> None:
    """The same for Fleiss' kappa and Gwet's AC1, where no category is rarer than another."""
    rng = np.random.default_rng(8)
    q = 0.7
    kappas, ac1s = [], []
    for _ in range(100):
        truth = rng.integers(0, 4, 200)
        careful = rng.random((3, 200)) < q
        table = np.where(careful, truth, rng.integers(0, 4, (3, 200)))
        kappas.append(fleiss_kappa(table).coefficient)
        ac1s.append(gwet_ac1(table).coefficient)
    for values in (kappas, ac1s):
        assert np.mean(values) == pytest.approx(q * q, abs=float(4 * np.std(values) / 10) + 0.003)


def test_equivalence_of_proportions_keeps_its_level() -> None:
    """With the truth on the margin, exact enumeration passes about 5 % of all tables."""
    n, margin = 80, 0.2
    hits = np.arange(1, n)
    passed = np.array(
        [
            [
                tost_proportions(a, n, b, n, margin=margin).verdict == "equivalent"
                for b in hits.tolist()
            ]
            for a in hits.tolist()
        ]
    )
    joint = np.outer(stats.binom.pmf(hits, n, 0.6), stats.binom.pmf(hits, n, 0.4))
    assert joint[passed].sum() == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("rule", [benjamini_hochberg, benjamini_yekutieli])
def test_false_findings_stay_rare(rule: Any) -> None:
    """Of what is found at q .1 among 14 null and 6 real effects, at most 10 % is false."""
    rng = np.random.default_rng(8)
    z = rng.standard_normal((1500, 20)) + np.where(np.arange(20) < 6, 3.0, 0.0)
    found = np.array([rule(row) for row in 2 * special.ndtr(-np.abs(z))]) <= 0.1
    false = found[:, 6:].sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    assert false.mean() <= 0.1
    assert found[:, :6].mean() > 0.3


@pytest.mark.parametrize("clusters", [25, 60])
@pytest.mark.parametrize("effect", [0.2, 0.4, 0.6])
def test_simulated_power_is_within_2_points_of_the_formula(clusters: int, effect: float) -> None:
    """Over 20,000 sets a t test finds an effect as often as power_of says, give or take 2 %."""
    values = np.random.default_rng(9).normal(effect, 1, (20_000, clusters))
    met = (stats.ttest_1samp(values, 0, axis=1).pvalue < 0.05).mean()
    assert power_of(effect, 1 / np.sqrt(clusters), clusters - 1) == pytest.approx(met, abs=0.02)


def test_the_design_needed_has_the_power_asked_for() -> None:
    """Simulated at the number of clusters found, for the effect detectable there, power is .8."""
    clusters = clusters_needed(0.4, lambda g: se_of_mean(1.0, g, 5, icc=0.2))
    effect = minimum_detectable(se_of_mean(1.0, clusters, 5, icc=0.2), clusters - 1)
    assert effect <= 0.4
    rng = np.random.default_rng(10)
    level = rng.normal(0, np.sqrt(0.2), (6000, clusters))
    means = effect + level + rng.normal(0, np.sqrt(0.8 / 5), (6000, clusters))
    met = (stats.ttest_1samp(means, 0, axis=1).pvalue < 0.05).mean()
    assert met == pytest.approx(0.8, abs=0.02)


def test_intraclass_correlation_is_what_was_put_in() -> None:
    """Averaged over 400 sets, and whatever the unit, the estimate is the true share .3."""
    rng = np.random.default_rng(11)
    cluster = np.repeat(np.arange(30), 6)
    noise = rng.normal(0, np.sqrt(0.7), (400, 180))
    sets = rng.normal(0, np.sqrt(0.3), (400, 30))[:, cluster] + noise
    found = [intraclass_correlation(cluster, row) for row in sets]
    assert np.mean(found) == pytest.approx(0.3, abs=0.02)
    assert intraclass_correlation(cluster, 5 * sets[0] - 3) == pytest.approx(found[0])
