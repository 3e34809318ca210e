"""Groups and pairs: adjusted beside unadjusted, marks by what stands, pages that can be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evenhand.report.drawing import PALETTE
from evenhand.report.group_charts import GroupRow, PairRow, differences, pairs
from evenhand.stats.estimate import Estimate
from report.material import check_layouts

GAP = Estimate(
    instrument="x", name="mean_difference", scale="difference", value=0.2, low=0.1, high=0.3,
    level=0.95, p=0.0001, p_holm=0.002, q_bh=0.001, n=900, n_clusters=90, cluster="persona",
)  # fmt: skip
LEAD = replace(GAP, value=-0.2, low=-0.39, high=-0.01, p_holm=0.4)
NOTHING = replace(GAP, value=0.01, low=-0.1, high=0.12, p_holm=1.0)
ROWS = [
    GroupRow(
        head="Gender", label="female", seen=GAP, adjusted=NOTHING, mean=replace(GAP, value=3)
    ),
    GroupRow(head="Gender", label="male", seen=LEAD, adjusted=NOTHING),
    GroupRow(head="Age", label="65+", seen=NOTHING),
]
PAIRS = [
    PairRow(
        head="Gender", label="male to female", shifts=np.array([0.1, 0.4, 0.4, -0.1]), mean=GAP
    ),
    PairRow(head="Gender", label="female to male", shifts=np.empty(0)),
]


def test_every_layout_is_valid_vega_lite_and_draws() -> None:
    """Altair's schema accepts differences and pairs, wide and narrow."""
    for chart in (*differences(ROWS, title="D"), *pairs(PAIRS, title="P")):
        check_layouts(chart)


def test_marks_say_what_stands() -> None:
    """Filled where Holm's correction leaves it, an orange ring for a lead, grey for neither."""
    (chart,) = differences(ROWS, title="D")
    points = [layer for layer in chart.spec["layer"] if layer["mark"].get("shape") == "circle"]
    marks = [(row["ink"], row["fill"]) for row in points[0]["data"]["values"]]
    orange, grey, paper = (PALETTE[name] for name in ("vermilion", "grey", "paper"))
    assert marks == [(orange, orange), (orange, paper), (grey, paper)]


def test_adjusted_differences_stand_below_the_unadjusted() -> None:
    """A diamond for each adjusted difference, lower in its row than the circle; none where none."""
    (chart,) = differences(ROWS, title="D")
    circles, diamonds = (
        next(layer for layer in chart.spec["layer"] if layer["mark"].get("shape") == shape)
        for shape in ("circle", "diamond")
    )
    assert len(diamonds["data"]["values"]) == 2
    for above, below in zip(circles["data"]["values"], diamonds["data"]["values"], strict=False):
        assert below["y"] > above["y"]


def test_the_words_count_what_stands() -> None:
    """From the lowest to the highest, and how many stand."""
    (chart,) = differences(ROWS, title="D")
    assert chart.alt == (
        "D. 3 differences, from male: −0.200 (−0.390 to −0.010) to female: 0.200 (0.100 to 0.300). "
        "1 stands after correction."
    )


def test_long_lists_take_several_pictures_on_one_axis() -> None:
    """No more than 36 rows to a picture, the axis the same in all, no name twice."""
    rows = [
        GroupRow(head=f"attribute {n // 10}", label=f"group {n}", seen=replace(GAP, value=n / 90))
        for n in range(90)
    ]
    charts = differences(rows, title="D")
    assert len({chart.name for chart in charts}) == len(charts) == 3
    domains = {str(chart.spec["layer"][1]["encoding"]["x"]["scale"]["domain"]) for chart in charts}
    assert len(domains) == 1
    assert differences([], title="D") == ()


def test_a_pair_that_is_not_there_is_not_drawn() -> None:
    """Directions without a pair are left out; the words count up and down."""
    (chart,) = pairs(PAIRS, title="P")
    assert chart.table is not None
    assert [row[1] for row in chart.table.rows] == ["male to female"]
    assert "over 4 pairs; 3 up, 1 down" in chart.alt
    assert pairs(PAIRS[1:], title="P") == ()
