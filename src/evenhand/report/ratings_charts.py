"""Charts of ratings: how often each point was given, whom which trait is given to, scale order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.report.blocks import Cell, Chart, Table
from evenhand.report.drawing import AXIS, PALETTE, framed, look
from evenhand.report.numbers import count, number, percent
from evenhand.report.rows import Frame, Row, frame

__all__ = ["RatingRow", "distribution", "order_check"]

POINTS = 5
FAVOUR = (("vermilion", 0.9), ("vermilion", 0.4), ("grey", 0.35), ("blue", 0.4), ("blue", 0.9))
"""From least to most favourable: two hues and a grey between them."""
PLAIN = tuple(("purple", strength) for strength in (0.08, 0.22, 0.38, 0.55, 0.95))
"""Options by their number, without a judgement of which is good."""
LEAST_LABELLED = 0.07
MOST_LABELLED = 12
"""Of more rows than this the shares stand in the table only."""


@dataclass(frozen=True, slots=True)
class RatingRow:
    """How often each of the five points was given, 1 first; ``head`` groups rows."""

    label: str
    counts: tuple[int, ...]
    head: str = ""


def distribution(
    rows: Sequence[RatingRow],
    *,
    title: str,
    ends: tuple[str, str] = ("least favourable", "most favourable"),
    favour: bool = True,
    name: str = "distribution",
) -> Chart:
    """How often each point was given: a bar from 0 to 100 % for each row.

    Args:
        rows: rows that hold no rating are left out of the picture.
        title: the caption.
        ends: what the points 1 and 5 are.
        favour: whether 1 is bad and 5 is good; if not, the colours do not judge.
        name: the file's name when the chart is written beside a report.

    Raises:
        InputError: no row holds a rating.

    Example:
        >>> distribution([RatingRow("all", (1, 2, 3, 4, 10))], title="Ratings").alt
        'Ratings. all: mean 4.00 of 20 ratings, 5.0 % the least favourable, 50.0 % the most favourable.'
    """
    drawn = [row for row in rows if sum(row.counts)]
    if not drawn:
        raise InputError("there is no rating, so there is no distribution to draw")
    return Chart(
        spec=_bars(drawn, ends, favour, narrow=False),
        narrow=_bars(drawn, ends, favour, narrow=True),
        alt=_distribution_alt(drawn, ends, title),
        caption=title,
        table=_distribution_table(rows),
        key=(
            f"Shares of the ratings in %; 1 is {ends[0]}, {POINTS} {ends[1]}. At the right their "
            "mean and how many there are."
        ),
        name=name,
    )


def _mean(row: RatingRow) -> float:
    return sum(point * n for point, n in enumerate(row.counts, 1)) / sum(row.counts)


def _distribution_table(rows: Sequence[RatingRow]) -> Table:
    headed = any(row.head for row in rows)
    body: tuple[tuple[Cell, ...], ...] = tuple(
        (
            *((row.head,) if headed else ()),
            row.label,
            *row.counts,
            number(_mean(row), 2) if sum(row.counts) else None,
        )
        for row in rows
    )
    columns = ("Of", "Ratings of 1", *(str(point) for point in range(2, POINTS + 1)), "Mean")
    return Table((*(("By",) if headed else ()), *columns), body)


def _distribution_alt(rows: Sequence[RatingRow], ends: tuple[str, str], title: str) -> str:
    def say(row: RatingRow) -> str:
        n = sum(row.counts)
        shares = (
            f"{percent(row.counts[at], n)} the {end}"
            for at, end in zip((0, -1), ends, strict=True)
        )
        return f"{row.label}: mean {number(_mean(row), 2)} of {count(n)} ratings, {', '.join(shares)}."

    if len(rows) == 1:
        return f"{title}. {say(rows[0])}"
    order = sorted(rows, key=_mean)
    return f"{title}. {len(rows)} rows. Lowest is {say(order[0])} Highest is {say(order[-1])}"


def _bars(
    rows: Sequence[RatingRow], ends: tuple[str, str], favour: bool, *, narrow: bool
) -> dict[str, Any]:
    at = frame(
        [Row(row.label, row.head) for row in rows],
        narrow=narrow,
        right=118,
        phone_right=110,
        above=34,
    )
    colors = FAVOUR if favour else PLAIN
    pieces: list[dict[str, Any]] = []
    for row, y in zip(rows, at.y, strict=True):
        start, n = 0.0, sum(row.counts)
        for (ink, strength), given in zip(colors, row.counts, strict=True):
            share = given / n
            pieces.append({"y": y, "from": start, "to": start + share, "ink": PALETTE[ink],
                           "strength": strength, "share": share, "middle": start + share / 2})  # fmt: skip
            start += share
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {**AXIS, "grid": False, "format": ".0%", "tickCount": 5},
        "title": None,
    }
    figures = [f"{number(_mean(row), 2)}" for row in rows]
    counts = [count(sum(row.counts)) for row in rows]
    layers = [
        at.ground(),
        _filled(pieces, x, at, 16),
        *([_shares(pieces, x, at)] if len(rows) <= MOST_LABELLED else []),
        *at.words(),
        at.column(figures, at.width - 62 if narrow else at.width + 14,
                  align="right" if narrow else "left", color=PALETTE["ink"]),
        at.column(counts, at.width if narrow else at.width + 108, align="right"),
        *_point_key(colors, ends, x, at),
    ]  # fmt: skip
    return framed({"width": at.width, "height": at.height, "layer": layers})


def _filled(
    pieces: list[dict[str, Any]], x: dict[str, Any], at: Frame, height: int
) -> dict[str, Any]:
    return {
        "data": {"values": pieces},
        "mark": {"type": "bar", "height": height},
        "encoding": {
            "y": at.scale(),
            "x": {**x, "field": "from"},
            "x2": {"field": "to"},
            "fill": {"field": "ink", "type": "nominal", "scale": None},
            "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
        },
    }


def _shares(pieces: list[dict[str, Any]], x: dict[str, Any], at: Frame) -> dict[str, Any]:
    """The shares in the bars, on the paper's colour where the bar is dark."""
    values = [
        {
            "y": piece["y"],
            "middle": piece["middle"],
            "text": f"{100 * piece['share']:.0f}",
            "ink": PALETTE["paper" if piece["strength"] > 0.6 else "ink"],
        }
        for piece in pieces
        if piece["share"] >= LEAST_LABELLED
    ]
    return {
        "data": {"values": values},
        "mark": {"type": "text", "align": "center", "baseline": "middle", "fontSize": 11},
        "encoding": {
            "y": at.scale(),
            "x": {**x, "field": "middle"},
            "text": {"field": "text", "type": "nominal"},
            "color": {"field": "ink", "type": "nominal", "scale": None},
        },
    }


def _point_key(
    colors: Sequence[tuple[str, float]], ends: tuple[str, str], x: dict[str, Any], at: Frame
) -> list[dict[str, Any]]:
    """A square and a number for each point above the bars; a phone has no room for more words."""
    words = [str(point) for point in range(1, POINTS + 1)]
    if not at.narrow:
        words[0], words[-1] = f"1 {ends[0]}", f"{POINTS} {ends[1]}"
    squares, left = [], 7.0
    for (ink, strength), text in zip(colors, words, strict=True):
        squares.append(
            {
                "x": left / at.width,
                "after": (left + 13) / at.width,
                "text": text,
                "ink": PALETTE[ink],
                "strength": strength,
            }
        )
        left += 34 + 7 * len(text)
    return [
        {
            "data": {"values": squares},
            "mark": {
                "type": "point",
                "shape": "square",
                "size": 150,
                "opacity": 1,
                "filled": True,
            },
            "encoding": {
                "x": {**x, "field": "x"},
                "y": {"value": 11},
                "fill": {"field": "ink", "type": "nominal", "scale": None},
                "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
            },
        },
        {
            "data": {"values": squares},
            "mark": {"type": "text", "align": "left", "baseline": "middle"},
            "encoding": {
                "x": {**x, "field": "after"},
                "y": {"value": 11},
                "text": {"field": "text", "type": "nominal"},
            },
        },
    ]


@dataclass(frozen=True, slots=True)
class _Answers:
    """Pairs of answers by the point given forward and the point given when reversed."""

    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def apart(self) -> list[tuple[int, int]]:
        """Forward minus reversed, -4 to 4, and how many pairs lie so far apart."""
        return [(k, int(np.trace(self.counts, offset=-k))) for k in range(1 - POINTS, POINTS)]

    @property
    def same(self) -> int:
        return int(np.trace(self.counts))

    @property
    def mean_shift(self) -> float:
        return sum(k * n for k, n in self.apart) / self.n


def order_check(counts: NDArray[np.int64], *, title: str, name: str = "order") -> Chart:
    """Answers to the scale shown forward against the same asked with the scale reversed.

    Args:
        counts: shape (5, 5): ``counts[i, j]`` pairs were i + 1 forward and j + 1 reversed, the
            latter turned round (6 - value), so that a consistent model fills the diagonal only.
        title: the caption.
        name: the file's name when the chart is written beside a report.

    Raises:
        InputError: not shape (5, 5), or no pair is counted.

    Example:
        >>> order_check(np.diag([2, 2, 2, 2, 2]), title="Order").alt
        'Order. Of 10 pairs 100 % got the same answer in both orders; forward minus reversed is 0.00 points on average.'
    """
    answers = _Answers(np.asarray(counts, dtype=np.int64))
    if answers.counts.shape != (POINTS, POINTS):
        raise InputError(f"order counts have shape {answers.counts.shape}, not (5, 5)")
    if not answers.n:
        raise InputError("nothing was asked in both orders, so there is no order to check")
    words = (
        f"Of {count(answers.n)} pairs {percent(answers.same, answers.n)} got the same answer in both "
        f"orders; forward minus reversed is {number(answers.mean_shift, 2)} points on average."
    )
    wide = {"hconcat": [_grid(answers, 46), _apart(answers, 400, 230)], "spacing": 70}
    phone = {"vconcat": [_grid(answers, 46), _apart(answers, 280, 180)], "spacing": 34}
    return Chart(
        spec=look(wide),
        narrow=look(phone),
        alt=f"{title}. {words}",
        caption=title,
        table=_order_table(answers),
        key=(
            "Squares: pairs by the two answers, reversed answers turned round; the framed diagonal "
            "is the same answer twice. Bars: how far the two answers lie apart."
        ),
        name=name,
    )


def _order_table(answers: _Answers) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (str(point), *(int(n) for n in row)) for point, row in enumerate(answers.counts, 1)
    )
    columns = ("Forward", "reversed 1", *(str(point) for point in range(2, POINTS + 1)))
    return Table(columns, rows, "Pairs by both answers, reversed ones turned round")


def _grid(answers: _Answers, step: int) -> dict[str, Any]:
    most = answers.counts.max()
    cells = [
        {
            "forward": i + 1,
            "reversed": j + 1,
            "strength": 0.04 + 0.56 * float(n / most) if n else 0.0,
            "text": count(int(n)) if n < 10_000 else percent(int(n), answers.n),
            "edge": PALETTE["ink" if i == j else "line"],
            "thick": 1.5 if i == j else 0.75,
        }
        for (i, j), n in np.ndenumerate(answers.counts)
    ]
    axis = {**AXIS, "grid": False, "labelAngle": 0, "labelColor": PALETTE["ink"]}
    points = list(range(1, POINTS + 1))
    x = {"field": "reversed", "type": "ordinal", "scale": {"domain": points}, "axis": axis,
         "title": "scale reversed, turned round"}  # fmt: skip
    y = {"field": "forward", "type": "ordinal", "scale": {"domain": points[::-1]}, "axis": axis,
         "title": "scale forward"}  # fmt: skip
    square = {
        "mark": {"type": "rect", "fill": PALETTE["blue"]},
        "encoding": {
            "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
            "stroke": {"field": "edge", "type": "nominal", "scale": None},
            "strokeWidth": {"field": "thick", "type": "quantitative", "scale": None},
        },
    }
    text = {
        "mark": {"type": "text", "fontSize": 11.5},
        "encoding": {"text": {"field": "text", "type": "nominal"}},
    }
    return {
        "data": {"values": cells},
        "width": step * POINTS,
        "height": step * POINTS,
        "encoding": {"x": x, "y": y},
        "layer": [square, text],
    }


def _apart(answers: _Answers, width: int, height: int) -> dict[str, Any]:
    bars = [
        {
            "apart": number(k, 0) if k <= 0 else f"+{k}",
            "share": n / answers.n,
            "text": percent(n, answers.n) if n else "",
            "ink": PALETTE["ink" if k == 0 else "blue"],
        }
        for k, n in answers.apart
    ]
    order = [bar["apart"] for bar in bars]
    x_axis = {**AXIS, "grid": False, "labelAngle": 0}
    x = {"field": "apart", "type": "ordinal", "scale": {"domain": order}, "sort": order,
         "axis": x_axis, "title": "forward minus reversed, points"}  # fmt: skip
    y_axis = {**AXIS, "format": ".0%", "tickCount": 4}
    y = {"field": "share", "type": "quantitative", "axis": y_axis, "title": None,
         "scale": {"domainMin": 0}}  # fmt: skip
    bar = {
        "mark": {"type": "bar", "opacity": 0.75},
        "encoding": {"color": {"field": "ink", "type": "nominal", "scale": None}},
    }
    text = {
        "mark": {"type": "text", "dy": -9, "fontSize": 11 if width > 300 else 10},
        "encoding": {"text": {"field": "text", "type": "nominal"}},
    }
    return {
        "data": {"values": bars},
        "width": width,
        "height": height,
        "encoding": {"x": x, "y": y},
        "layer": [bar, text],
    }
