"""One condition against condition A, on the same pairs: the published statistics.

Intervals are source-clustered percentile intervals of one NumPy stream each. p is Wilcoxon's signed
rank (SciPy's, zeros dropped) over pairs, and d_z the mean difference over its standard deviation
(Cohen 1988, p. 48): both take pairs for independent, although a source has several. They are kept
because the published table has them; the intervals do not take them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evenhand.counterfactual.frozen.bootstrap import clustered_interval, clustered_intervals

__all__ = ["GUARDRAIL", "Against", "Level", "against_a", "cohens_dz", "level_of", "rule_passes",
           "signed_rank_p"]  # fmt: skip

GUARDRAIL = 0.05
"""How far diagnostic consistency may fall below that of condition A."""

_Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Both endpoints of one condition: means over n pairs, with their intervals."""

    n_pairs: int
    rec_change: float
    rec_change_ci: Interval
    diag_consistency: float
    diag_consistency_ci: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Condition minus A, pair by pair."""

    delta_rec: float
    delta_rec_ci: Interval
    delta_diag: float
    delta_diag_ci: Interval
    p_rec: float
    p_diag: float
    dz_rec: float
    dz_diag: float
    preserved: bool


def level_of(
    changed: _Floats, consistency: _Floats, sources: Sequence[str], *, iterations: int, seed: int
) -> Level:
    """Means and intervals of one condition; both endpoints on the same resamples.

    Args:
        changed, consistency: shape (n,), one value per pair.
        sources: each pair's source.
    """
    rec, diag = clustered_intervals(
        [changed, consistency], sources, iterations=iterations, seed=seed, stream="pcg64"
    )
    return Level(
        n_pairs=len(sources),
        rec_change=float(changed.mean()),
        rec_change_ci=rec,
        diag_consistency=float(consistency.mean()),
        diag_consistency_ci=diag,
    )


def against_a(
    condition: tuple[_Floats, _Floats],
    base: tuple[_Floats, _Floats],
    sources: Sequence[str],
    *,
    iterations: int,
    seed: int,
) -> Against:
    """A condition's values (changed, consistency) against those of condition A, pair by pair.

    The intervals of the differences have streams of their own: ``seed + 2`` and ``seed + 3``.
    """
    rec, diag = condition[0] - base[0], condition[1] - base[1]

    def interval(values: _Floats, seed: int) -> Interval:
        return clustered_interval(
            values, sources, iterations=iterations, seed=seed, stream="pcg64"
        )

    preserved = float(condition[1].mean()) >= float(base[1].mean()) - GUARDRAIL
    return Against(
        delta_rec=float(rec.mean()),
        delta_rec_ci=interval(rec, seed + 2),
        delta_diag=float(diag.mean()),
        delta_diag_ci=interval(diag, seed + 3),
        p_rec=signed_rank_p(condition[0], base[0]),
        p_diag=signed_rank_p(condition[1], base[1]),
        dz_rec=cohens_dz(rec),
        dz_diag=cohens_dz(diag),
        preserved=preserved,
    )


def rule_passes(base: Level, condition: Level) -> bool:
    """The binding rule: advice changes less often than under A, and the diagnosis holds.

    Example:
        >>> a = Level(n_pairs=9, rec_change=0.6, rec_change_ci=(0, 1), diag_consistency=0.5,
        ...           diag_consistency_ci=(0, 1))
        >>> b = Level(n_pairs=9, rec_change=0.4, rec_change_ci=(0, 1), diag_consistency=0.46,
        ...           diag_consistency_ci=(0, 1))
        >>> rule_passes(a, b), rule_passes(b, a)
        (True, False)
    """
    less = condition.rec_change < base.rec_change
    return less and condition.diag_consistency >= base.diag_consistency - GUARDRAIL


def signed_rank_p(condition: ArrayLike, base: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1.0 where nothing differs, or there is nothing.

    Example:
        >>> signed_rank_p([1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]) < 0.05
        True
        >>> signed_rank_p([0.1, 0.3], [0.1, 0.3])
        1.0
    """
    left, right = np.asarray(condition, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if left.size == 0 or np.allclose(left, right):
        return 1.0
    return float(stats.wilcoxon(left, right).pvalue)


def cohens_dz(difference: ArrayLike) -> float:
    """Mean over standard deviation (n - 1); 0 with fewer than two pairs or without spread.

    Example:
        >>> round(cohens_dz([0, 1, -1, 1, 0]), 6)
        0.239046
    """
    values = np.asarray(difference, dtype=np.float64)
    if values.size < 2:
        return 0.0
    spread = float(values.std(ddof=1))
    return float(values.mean()) / spread if spread > 0 else 0.0
