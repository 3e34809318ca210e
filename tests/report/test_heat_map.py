"""Heat maps: colours centred at no difference, and no colour for what is rough."""

from __future__ import annotations

import pytest

from evenhand.errors import InputError
from evenhand.report.drawing import PALETTE
from evenhand.report.heat_map import HeatCell, heat_map
from report.material import check_layouts

VALUES = {("female", "kind"): 0.4, ("male", "kind"): -0.2, ("female", "rude"): 0.0}
CELLS = [
    HeatCell(row=row, column=column, value=value, head="Gender", block="all", stands=value == 0.4)
    for (row, column), value in VALUES.items()
]


def squares(cells: list[HeatCell]) -> list[dict[str, object]]:
    """The squares of the wide picture, in the order of the cells."""
    layers = heat_map(cells, title="M").spec["layer"]
    found: list[dict[str, object]] = layers[1]["data"]["values"]
    return found


def test_both_layouts_are_valid_vega_lite_and_draw() -> None:
    """Altair's schema accepts few columns with numbers, and many in strips for a phone."""
    many = [
        HeatCell(row=f"group {r}", column=f"trait {c}", value=r - c, block=f"b{c // 20}")
        for r in range(6)
        for c in range(40)
    ]
    for cells in (CELLS, many):
        check_layouts(heat_map(cells, title="M"))
    assert len(heat_map(many, title="M").narrow["vconcat"]) > 1  # type: ignore[index]


def test_one_hue_above_nothing_and_another_below() -> None:
    """Blue above 0, orange below, no colour at 0; strength goes with the distance from 0."""
    up, down, level = squares(CELLS)
    assert (up["ink"], down["ink"]) == (PALETTE["blue"], PALETTE["vermilion"])
    assert level["strength"] == 0
    assert down["strength"] == pytest.approx(up["strength"] / 2)  # type: ignore[operator]


def test_what_stands_after_correction_has_a_dot() -> None:
    """The only cell that stands is the only one with a mark, in the table with a star."""
    chart = heat_map(CELLS, title="M")
    dots = [layer for layer in chart.spec["layer"] if layer["mark"].get("shape") == "circle"]
    assert [square["text"] for square in dots[0]["data"]["values"]] == ["0.40"]
    assert chart.table is not None
    assert chart.table.rows[0] == ("Gender", "female", "0.40 *", "0.00")
    assert "A dot: stands" in chart.key


def test_rough_cells_are_grey_and_do_not_set_the_scale() -> None:
    """A large value over few clusters takes no colour, and the others keep theirs."""
    rough = HeatCell(
        row="diverse", column="kind", value=3.0, head="Gender", block="all", rough=True
    )
    with_it = squares([*CELLS, rough])
    assert with_it[0]["strength"] == squares(CELLS)[0]["strength"]
    assert with_it[3]["ink"] == PALETTE["line"]
    chart = heat_map([*CELLS, rough], title="M", rest_on="personas")
    assert "Grey: too few personas to colour" in chart.key
    assert "diverse" not in chart.alt


def test_two_values_for_one_square_are_refused() -> None:
    """Each row and column has one cell, and some cell has a value."""
    with pytest.raises(InputError, match="some have two"):
        heat_map([*CELLS, CELLS[0]], title="M")
    with pytest.raises(InputError, match="no cell has a value"):
        heat_map([HeatCell(row="a", column="b", value=None)], title="M")
