"""Who is in a dataset: bins that hold everybody, shares beside the population, words for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import InputError
from evenhand.report.people_charts import AgeRow, ShareRow, composition, pyramid
from report.material import check_layouts

PEOPLE = [
    AgeRow(0, "male", 3, 2.0),
    AgeRow(4, "male", 1, 2.0),
    AgeRow(5, "female", 4, 3.5),
    AgeRow(71, "female", 1, 1.0),
    AgeRow(30, "diverse", 1, 0.1),
]
SHARES = [ShareRow("origin", f"country {n}", 30 - n, (30 - n) / 465, 1 / 30) for n in range(30)]


def test_every_layout_is_valid_vega_lite_and_draws() -> None:
    """Altair's schema accepts pyramid and composition, wide and narrow."""
    for chart in (pyramid(PEOPLE, title="P"), *composition(SHARES, title="C")):
        check_layouts(chart)


@given(
    st.lists(
        st.builds(AgeRow, st.integers(0, 100), st.sampled_from(["male", "female", "diverse"]),
                  st.integers(0, 40), st.floats(0, 40)),
        max_size=60,
    )
)  # fmt: skip
def test_bins_hold_everybody_of_both_sides(rows: list[AgeRow]) -> None:
    """The table's counts add up to all people of the two genders drawn."""
    drawn = sum(row.count for row in rows if row.gender != "diverse")
    if not drawn:
        with pytest.raises(InputError, match="nobody is counted"):
            pyramid(rows, title="P")
        return
    table = pyramid(rows, title="P").table
    assert table is not None
    assert sum(row[2] for row in table.rows if isinstance(row[2], int)) == drawn


def test_who_is_not_drawn_is_told() -> None:
    """People of a third gender are counted in words, with the population's share."""
    chart = pyramid(PEOPLE, title="P")
    assert "Not drawn: 1 diverse (10.0 %; in the population 1.0 %)." in chart.key
    assert "10 people: 4 male (40.0 %), 5 female (50.0 %), 1 diverse (10.0 %)" in chart.alt


def test_without_a_population_there_is_no_outline() -> None:
    """No expected counts, no outline, and the key does not speak of one."""
    chart = pyramid([AgeRow(row.age, row.gender, row.count) for row in PEOPLE], title="P")
    assert "Outline" not in chart.key
    assert not [layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "line"]


def test_small_levels_are_summed_in_the_picture_and_whole_in_the_table() -> None:
    """Of thirty countries fifteen are drawn with the rest in one row; shares still add up to 1."""
    (chart,) = composition(SHARES, title="C")
    bars = next(layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "bar")
    values = bars["data"]["values"]
    assert len(values) == 16
    assert sum(row["share"] for row in values) == pytest.approx(1)
    assert chart.table is not None
    assert len(chart.table.rows) == 30


def test_many_axes_take_several_pictures_of_their_own_names() -> None:
    """No more than 36 rows to a picture, no name twice, every axis whole where it fits."""
    rows = [ShareRow(f"axis {a}", f"level {n}", 1, 0.1) for a in range(9) for n in range(10)]
    charts = composition(rows, title="C")
    assert len({chart.name for chart in charts}) == len(charts) == 3
    assert composition([], title="C") == ()
