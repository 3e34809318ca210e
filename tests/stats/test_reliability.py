"""Cronbach's alpha: a published data set, its definition, what must not matter, coverage."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenhand.errors import InputError, StatsError
from evenhand.stats.jackknife import jackknife_spread
from evenhand.stats.reliability import cronbach_alpha

# Law School Admission Test, section 6: how many of 1,000 gave each of the 32 patterns of five
# answers, 00000 to 11111 (Bock and Lieberman 1970).
LSAT = [3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15, 10, 29, 14, 81, 3, 28, 15, 80, 16, 56,
        21, 173, 11, 61, 28, 298]  # fmt: skip


def alpha(items: Any) -> float:
    """The definition, by numpy's covariance."""
    covariance = np.cov(items.T)
    k = len(covariance)
    return float(k / (k - 1) * (1 - np.trace(covariance) / covariance.sum()))


def test_published_law_school_test() -> None:
    """Alpha of the LSAT's section 6 is .295 (Rizopoulos 2006, R package ltm)."""
    rows = np.repeat([[int(c) for c in f"{i:05b}"] for i in range(32)], LSAT, axis=0)
    found = cronbach_alpha(rows)
    assert found.value == pytest.approx(0.295, abs=5e-4)
    assert (found.n, found.k) == (1000, 5)
    exact = cronbach_alpha(rows, interval="feldt")
    assert found[1:3] == pytest.approx(exact[1:3], abs=0.01)


def test_intervals_equal_their_formulas() -> None:
    """Feldt's by scipy's F, the jackknife by leaving each row out in a plain loop; rows with a
    gap are left out."""
    rng = np.random.default_rng(1)
    items = rng.normal(0, 1, (40, 4)) + rng.normal(0, 1, (40, 1))
    gaps = np.vstack([items, [np.nan, 1, 2, 3]])
    exact = cronbach_alpha(gaps, level=0.9, interval="feldt")
    assert exact.value == pytest.approx(alpha(items))
    f = stats.f(39, 39 * 3)
    ends = 1 - (1 - alpha(items)) * f.ppf(0.95), 1 - (1 - alpha(items)) * f.ppf(0.05)
    assert exact[1:] == pytest.approx((*ends, 40, 4))
    found = cronbach_alpha(gaps)
    logs = np.array([np.log(1 - alpha(np.delete(items, i, axis=0))) for i in range(40)])
    spread = jackknife_spread(np.log(1 - alpha(items)), logs)
    reach = stats.t.ppf(0.975, spread.df) * np.sqrt(spread.variance)
    rest = 1 - alpha(items)
    assert found[1:3] == pytest.approx((1 - rest * np.exp(reach), 1 - rest * np.exp(-reach)))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_order_level_and_unit_do_not_matter(seed: int, unit: float, shift: float) -> None:
    """Rows and items in another order, moved and scaled, have the same alpha and interval."""
    rng = np.random.default_rng(seed)
    items = rng.integers(1, 6, (30, 4)) + rng.normal(0, 1, (30, 1))
    found = cronbach_alpha(items)
    turned = unit * items[rng.permutation(30)][:, rng.permutation(4)] + shift
    assert cronbach_alpha(turned) == pytest.approx(found, rel=1e-6)
    assert found.low < found.value < found.high < 1


@pytest.mark.parametrize("kind", ["alike", "unlike"])
def test_the_interval_holds_alpha(kind: str) -> None:
    """600 sets of 60 personas on four 5-point items, alike or not: 93 to 97 % hold alpha."""
    rng = np.random.default_rng(2)
    load = np.array([1.0, 1, 1, 1] if kind == "alike" else [0.4, 0.8, 1.2, 1.6])

    def items(n: int) -> Any:
        return np.clip(
            np.rint(3 + rng.normal(0, 1, (n, 1)) * load + rng.normal(0, 1, (n, 4))), 1, 5
        )

    truth = alpha(items(400_000))
    found = np.array([cronbach_alpha(items(60))[1:3] for _ in range(600)])
    assert 0.93 <= np.mean((found[:, 0] <= truth) & (truth <= found[:, 1])) <= 0.97


@pytest.mark.parametrize(
    ("items", "options", "error", "complaint"),
    [
        ([1, 2, 3], {}, InputError, "pass a column"),
        ([[1], [2], [3]], {}, InputError, "2 or more"),
        ([[1, np.inf]] * 3, {}, InputError, "infinite"),
        ([[1, 2]] * 3, {"level": 1}, InputError, "level"),
        ([[1, 2], [2, 1], [3, 3]], {"interval": "t"}, InputError, "none of"),
        ([[1, 2], [2, 1], [np.nan, 3]], {}, StatsError, "only 2 complete"),
        ([[1, 2]] * 4, {}, StatsError, "does not vary"),
        ([[1, 5], [5, 1], [2, 4]], {}, StatsError, "does not vary"),
        ([[1, 1], [2, 2], [3, 3], [4, 4]], {}, StatsError, "agree exactly"),
    ],
)
def test_what_does_not_tell_is_refused(
    items: Any, options: dict[str, Any], error: type, complaint: str
) -> None:
    """Bad input and items without variation are errors."""
    with pytest.raises(error, match=complaint):
        cronbach_alpha(items, **options)


def test_feldt_needs_no_rows_left_out() -> None:
    """Items that agree exactly: alpha 1, and Feldt's interval shrinks with it."""
    interval: Literal["feldt"] = "feldt"
    found = cronbach_alpha([[1, 1], [2, 2], [3, 3]], interval=interval)
    assert found.value == pytest.approx(1)
