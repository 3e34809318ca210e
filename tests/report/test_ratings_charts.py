"""Ratings and scale order: shares that add up, a diagonal that is consistency, words from data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError
from evenhand.report.ratings_charts import RatingRow, distribution, order_check
from report.material import check_layouts

ROWS = [RatingRow("all", (5, 10, 20, 10, 5)), RatingRow("warmth", (0, 0, 0, 1, 3), "categories")]
COUNTS = np.arange(25).reshape(5, 5)


def test_every_layout_is_valid_vega_lite_and_draws() -> None:
    """Altair's schema accepts both charts, wide and narrow, and they draw."""
    plain = distribution(ROWS, title="D", favour=False, ends=("first", "last"))
    for chart in (distribution(ROWS, title="D"), plain, order_check(COUNTS, title="O")):
        check_layouts(chart)


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 5), min_size=1, max_size=20))
def test_pieces_reach_from_nothing_to_all(counts: list[tuple[int, ...]]) -> None:
    """The five pieces of a row lie end to end from 0 to 1; rows without a rating have none."""
    rows = [RatingRow(f"r{at}", n) for at, n in enumerate(counts)]
    if not any(sum(n) for n in counts):
        with pytest.raises(InputError, match="there is no rating"):
            distribution(rows, title="D")
        return
    layers = distribution(rows, title="D").spec["layer"]
    pieces = next(p for layer in layers if "share" in (p := layer["data"]["values"])[0])
    drawn = [n for n in counts if sum(n)]
    assert len(pieces) == 5 * len(drawn)
    for at, n in enumerate(drawn):
        own = pieces[5 * at : 5 * at + 5]
        assert own[0]["from"] == 0
        assert own[-1]["to"] == pytest.approx(1)
        assert [p["share"] for p in own] == pytest.approx([k / sum(n) for k in n])


def test_the_words_name_the_lowest_and_the_highest_mean() -> None:
    """Means are counted from the points, by hand 3 and 4.75; the table keeps every row."""
    chart = distribution([*ROWS, RatingRow("nobody", (0, 0, 0, 0, 0))], title="D")
    assert "Lowest is all: mean 3.00 of 50 ratings, 10.0 % the least favourable" in chart.alt
    assert "Highest is warmth: mean 4.75 of 4 ratings" in chart.alt
    assert chart.table is not None
    assert [row[-1] for row in chart.table.rows] == ["3.00", "4.75", None]


def test_many_rows_are_drawn_without_numbers_in_the_bars() -> None:
    """Numbers in bars are for few rows; the pictures of many stay quick."""
    few = distribution([RatingRow(f"r{n}", (1, 1, 1, 1, 1)) for n in range(12)], title="D")
    many = distribution([RatingRow(f"r{n}", (1, 1, 1, 1, 1)) for n in range(13)], title="D")
    assert len(many.spec["layer"]) == len(few.spec["layer"]) - 1


def test_a_consistent_model_is_on_the_diagonal() -> None:
    """All pairs on the diagonal are all the same answer, no distance and no shift."""
    chart = order_check(np.diag([1, 2, 3, 4, 5]), title="O")
    assert "100 % got the same answer" in chart.alt
    bars = chart.spec["hconcat"][1]["data"]["values"]
    assert [bar["share"] for bar in bars] == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_who_always_takes_the_first_option_lies_four_apart() -> None:
    """1 forward and, turned round, 5 when reversed: forward minus reversed is -4."""
    counts = np.zeros((5, 5), dtype=int)
    counts[0, 4] = 7
    chart = order_check(counts, title="O")
    assert "Of 7 pairs 0 % got the same answer" in chart.alt
    assert "is −4.00 points on average" in chart.alt
    assert chart.spec["hconcat"][1]["data"]["values"][0]["share"] == 1


def test_counts_of_another_shape_or_of_nothing_are_refused() -> None:
    """Only five by five, and only something."""
    with pytest.raises(InputError, match="not \\(5, 5\\)"):
        order_check(np.zeros((4, 5)), title="O")
    with pytest.raises(InputError, match="nothing was asked in both orders"):
        order_check(np.zeros((5, 5)), title="O")
