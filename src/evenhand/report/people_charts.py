"""Charts of who a dataset is made of: ages by gender, and each attribute beside the population."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.errors import InputError
from evenhand.report.blocks import Cell, Chart, Table
from evenhand.report.drawing import AXIS, PALETTE, framed, look
from evenhand.report.numbers import count, number, percent
from evenhand.report.rows import Frame, Row, frame, in_pages, text_layer

__all__ = ["AgeRow", "ShareRow", "composition", "pyramid"]

BIN = 5
"""Years to a bar of the pyramid."""


@dataclass(frozen=True, slots=True)
class AgeRow:
    """People of one age and gender; ``expected`` in a population sample as large."""

    age: int
    gender: str
    count: int
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One level of an axis; ``population`` is its share there, None where that is not known."""

    axis: str
    label: str
    count: int
    share: float
    population: float | None = None


def pyramid(
    rows: Sequence[AgeRow],
    *,
    title: str,
    left: str = "male",
    right: str = "female",
    name: str = "pyramid",
) -> Chart:
    """Ages by gender: bars of five years to both sides, and the population as an outline.

    Args:
        rows: people by single years; genders other than ``left`` and ``right`` are told in words.
        title: the caption.
        left: the gender drawn to the left.
        right: the gender drawn to the right.
        name: the file's name when the chart is written beside a report.

    Raises:
        InputError: nobody of either gender.

    Example:
        >>> rows = [AgeRow(31, "male", 1, 2.0), AgeRow(33, "female", 3, 2.0)]
        >>> pyramid(rows, title="Ages").alt
        'Ages. 4 people: 1 male (25.0 %), 3 female (75.0 %). Most are 30 to 34 years old.'
    """
    bars = _bins(rows, (left, right))
    if not any(bar["count"] for bar in bars):
        raise InputError("nobody is counted, so there is no pyramid to draw")
    everybody = sum(row.count for row in rows)
    expected = any(bar["expected"] is not None for bar in bars)
    return Chart(
        spec=look(_pyramid(bars, everybody, (left, right), 760, 20)),
        narrow=look(_pyramid(bars, everybody, (left, right), 274, 16)),
        alt=f"{title}. {_pyramid_words(rows, bars, everybody)}",
        caption=title,
        table=_pyramid_table(bars, everybody),
        key=(
            f"Bars: share of all people in the dataset, by {BIN} years of age."
            + (" Outline: the population." if expected else "")
            + _others(rows, (left, right), everybody)
        ),
        name=name,
    )


def _bins(rows: Sequence[AgeRow], genders: tuple[str, str]) -> list[dict[str, Any]]:
    """A bar for every five years from the youngest to the oldest, for both genders."""
    drawn = [row for row in rows if row.gender in genders]
    if not drawn:
        return []
    first, last = (edge(row.age // BIN for row in drawn) for edge in (min, max))
    bars = {
        (at, gender): {"age": at * BIN, "gender": gender, "count": 0, "expected": None}
        for at in range(first, last + 1)
        for gender in genders
    }
    for row in drawn:
        bar: dict[str, Any] = bars[row.age // BIN, row.gender]
        bar["count"] += row.count
        if row.expected is not None:
            bar["expected"] = (bar["expected"] or 0.0) + row.expected
    return list(bars.values())


def _pyramid(
    bars: Sequence[Mapping[str, Any]],
    everybody: int,
    genders: tuple[str, str],
    width: int,
    step: int,
) -> dict[str, Any]:
    ages = sorted({bar["age"] for bar in bars}, reverse=True)
    top = 26
    places = {age: top + at * step for at, age in enumerate(ages)}
    expected_n = sum(bar["expected"] or 0.0 for bar in bars) and everybody
    drawn = []
    for bar in bars:
        side = -1 if bar["gender"] == genders[0] else 1
        drawn.append(
            {
                "y": places[bar["age"]] + 1.5,
                "y2": places[bar["age"]] + step - 1.5,
                "share": side * bar["count"] / everybody,
                "expected": side * (bar["expected"] or 0.0) / everybody,
                "ink": PALETTE["blue" if side < 0 else "orange"],
            }
        )
    most = 1.06 * max(max(abs(bar["share"]), abs(bar["expected"])) for bar in drawn)
    height = top + len(ages) * step + 2
    axis = {**AXIS, "tickCount": 6 if width > 400 else 4,
            "labelExpr": "format(abs(datum.value), '.1~%')"}  # fmt: skip
    x = {"type": "quantitative", "scale": {"domain": [-most, most], "nice": False}, "axis": axis,
         "title": None}  # fmt: skip
    y = {"type": "quantitative", "axis": None,
         "scale": {"domain": [0, height], "reverse": True, "nice": False, "zero": False}}  # fmt: skip
    layers = [_age_bars(drawn, x, y)]
    if expected_n:
        layers += [_outline(drawn, side, x, y, step) for side in (-1, 1)]
    layers += _age_words(places, genders, x, y, most, step)
    return {"width": width, "height": height, "layer": layers}


def _age_bars(
    drawn: list[dict[str, Any]], x: Mapping[str, Any], y: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "data": {"values": [{**bar, "start": 0} for bar in drawn]},
        "mark": {"type": "rect", "fillOpacity": 0.7},
        "encoding": {
            "x": {**x, "field": "start"},
            "x2": {"field": "share"},
            "y": {**y, "field": "y"},
            "y2": {"field": "y2"},
            "fill": {"field": "ink", "type": "nominal", "scale": None},
        },
    }


def _outline(
    drawn: Sequence[Mapping[str, Any]],
    side: int,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    step: int,
) -> dict[str, Any]:
    """Steps down the side: two points for each bar, joined."""
    own = [bar for bar in drawn if bar["ink"] == PALETTE["blue" if side < 0 else "orange"]]
    own.sort(key=lambda bar: float(bar["y"]))
    points = [
        {"x": bar["expected"], "y": bar["y"] - 1.5 + below, "order": 2 * place + (below > 0)}
        for place, bar in enumerate(own)
        for below in (0, step)
    ]
    for end, at in ((points[0], -1), (points[-1], len(points))):
        points.append({**end, "x": 0.0, "order": at})
    return {
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 1.75, "color": PALETTE["ink"]},
        "encoding": {
            "x": {**x, "field": "x"},
            "y": {**y, "field": "y"},
            "order": {"field": "order", "type": "quantitative"},
        },
    }


def _age_words(
    places: Mapping[int, float],
    genders: tuple[str, str],
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    most: float,
    step: int,
) -> Iterator[dict[str, Any]]:
    place = {**y, "field": "y"}
    ages = [{"y": at + step / 2, "text": f"{age}–{age + BIN - 1}"} for age, at in places.items()]
    yield text_layer(ages, place, -44, fontSize=11, color=PALETTE["soft"])
    heads = [
        {"x": side * most / 2, "y": 10, "text": gender}
        for side, gender in zip((-1, 1), genders, strict=True)
    ]
    yield {
        "data": {"values": heads},
        "mark": {"type": "text", "baseline": "middle", "align": "center", "fontWeight": "bold"},
        "encoding": {
            "x": {**x, "field": "x"},
            "y": place,
            "text": {"field": "text", "type": "nominal"},
        },
    }


def _pyramid_table(bars: Sequence[Mapping[str, Any]], everybody: int) -> Table:
    body: tuple[tuple[Cell, ...], ...] = tuple(
        (
            f"{bar['age']}–{bar['age'] + BIN - 1}",
            bar["gender"],
            bar["count"],
            percent(bar["count"], everybody),
            None if bar["expected"] is None else percent(bar["expected"], everybody),
        )
        for bar in bars
    )
    return Table(("Age", "Gender", "People", "Share", "In the population"), body)


def _pyramid_words(
    rows: Sequence[AgeRow], bars: Sequence[Mapping[str, Any]], everybody: int
) -> str:
    genders = {row.gender: 0 for row in rows}
    for row in rows:
        genders[row.gender] += row.count
    shares = ", ".join(
        f"{count(n)} {gender} ({percent(n, everybody)})" for gender, n in genders.items() if n
    )
    ages: dict[int, int] = {}
    for bar in bars:
        ages[bar["age"]] = ages.get(bar["age"], 0) + bar["count"]
    most = max(ages, key=lambda age: ages[age])
    return f"{count(everybody)} people: {shares}. Most are {most} to {most + BIN - 1} years old."


def _others(rows: Sequence[AgeRow], drawn: tuple[str, str], everybody: int) -> str:
    """The people whom a picture of two sides leaves out."""
    said = []
    for gender in dict.fromkeys(row.gender for row in rows if row.gender not in drawn):
        own = [row for row in rows if row.gender == gender]
        n = sum(row.count for row in own)
        expected = sum(row.expected or 0.0 for row in own)
        known = any(row.expected is not None for row in own)
        beside = f"; in the population {percent(expected, everybody)}" if known else ""
        said.append(f" Not drawn: {count(n)} {gender} ({percent(n, everybody)}{beside}).")
    return "".join(said)


def composition(
    rows: Sequence[ShareRow], *, title: str, most_levels: int = 16, name: str = "composition"
) -> tuple[Chart, ...]:
    """Each axis' levels as bars, with a mark where the population's share stands.

    Of an axis with more than ``most_levels`` levels the largest are drawn and the rest is summed;
    the table has all of them. As many pictures as it takes to read every row.

    Example:
        >>> rows = [ShareRow("gender", "male", 4, 0.4, 0.48), ShareRow("gender", "female", 6, 0.6, 0.51)]
        >>> composition(rows, title="People")[0].alt
        'People. 2 levels of gender. Furthest from the population: female, 60.0 % beside 51.0 %.'
    """
    drawn = [row for axis in _by_axis(rows).values() for row in _largest(axis, most_levels)]
    if not drawn:
        return ()
    parts = in_pages([row.axis for row in drawn])
    made = []
    for place, part in enumerate(parts, 1):
        own = drawn[part]
        axes = {row.axis for row in own}
        ends = 1.02 * max(max(row.share, row.population or 0.0) for row in own)
        several = len(parts) > 1
        made.append(
            Chart(
                spec=_shares(own, ends, narrow=False),
                narrow=_shares(own, ends, narrow=True),
                alt=_share_words(own, title),
                caption=f"{title} ({place} of {len(parts)})" if several else title,
                table=_share_table([row for row in rows if row.axis in axes]),
                key=_share_key(own),
                name=f"{name}-{place}" if several else name,
            )
        )
    return tuple(made)


def _by_axis(rows: Sequence[ShareRow]) -> dict[str, list[ShareRow]]:
    found: dict[str, list[ShareRow]] = {}
    for row in rows:
        found.setdefault(row.axis, []).append(row)
    return found


def _largest(rows: list[ShareRow], most: int) -> list[ShareRow]:
    """The rows in their order, or the largest ones with the rest in one row."""
    if len(rows) <= most:
        return rows
    order = sorted(rows, key=lambda row: -max(row.share, row.population or 0.0))
    kept, rest = order[: most - 1], order[most - 1 :]
    known = [row.population for row in rest if row.population is not None]
    return [
        *kept,
        ShareRow(
            rows[0].axis,
            f"{len(rest)} others together",
            sum(row.count for row in rest),
            sum(row.share for row in rest),
            sum(known) if known else None,
        ),
    ]


def _shares(rows: Sequence[ShareRow], ends: float, *, narrow: bool) -> dict[str, Any]:
    at = frame(
        [Row(row.label, row.axis) for row in rows],
        narrow=narrow,
        right=150,
        phone_right=120,
        step=20,
    )
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, ends], "nice": False},
        "axis": {**AXIS, "format": ".0%", "tickCount": 5},
        "title": None,
    }
    values = [
        {"y": y, "start": 0, "share": row.share, "population": row.population}
        for row, y in zip(rows, at.y, strict=True)
    ]
    shares = [percent(row.share, 1) for row in rows]
    beside = ["" if row.population is None else percent(row.population, 1) for row in rows]
    columns = (at.width - 62, at.width) if narrow else (at.width + 66, at.width + 140)
    layers = [
        at.ground(),
        _bars(values, x, at),
        _ticks([value for value in values if value["population"] is not None], x, at),
        *at.words(),
        at.column(shares, columns[0], align="right", color=PALETTE["ink"]),
        at.column(beside, columns[1], align="right"),
    ]
    return framed({"width": at.width, "height": at.height, "layer": layers})


def _bars(values: list[dict[str, Any]], x: Mapping[str, Any], at: Frame) -> dict[str, Any]:
    return {
        "data": {"values": values},
        "mark": {"type": "bar", "height": 12, "color": PALETTE["blue"], "opacity": 0.7},
        "encoding": {"y": at.scale(), "x": {**x, "field": "start"}, "x2": {"field": "share"}},
    }


def _ticks(values: list[dict[str, Any]], x: Mapping[str, Any], at: Frame) -> dict[str, Any]:
    mark = {"type": "tick", "thickness": 2.5, "size": 18, "color": PALETTE["ink"], "opacity": 1,
            "orient": "vertical"}  # fmt: skip
    return {
        "data": {"values": values},
        "mark": mark,
        "encoding": {"y": at.scale(), "x": {**x, "field": "population"}},
    }


def _share_key(rows: Sequence[ShareRow]) -> str:
    if all(row.population is None for row in rows):
        return "Bars: shares of the dataset's people."
    return (
        "Bars: shares of the dataset's people. Black marks: the population. At the right: the "
        "dataset's share, then the population's."
    )


def _share_table(rows: Sequence[ShareRow]) -> Table:
    body: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row.axis,
            row.label,
            row.count,
            percent(row.share, 1),
            None if row.population is None else percent(row.population, 1),
            None if row.population is None else number(100 * (row.share - row.population), 1),
        )
        for row in rows
    )
    columns = ("Axis", "Level", "People", "Share", "In the population", "Difference, points")
    return Table(columns, body)


def _share_words(rows: Sequence[ShareRow], title: str) -> str:
    axes = list(dict.fromkeys(row.axis for row in rows))
    text = f"{title}. {len(rows)} levels of {', '.join(axes)}."
    known = [row for row in rows if row.population is not None]
    if not known:
        largest = max(rows, key=lambda row: row.share)
        return f"{text} The largest share: {largest.label}, {percent(largest.share, 1)}."
    far = max(known, key=lambda row: abs(row.share - (row.population or 0.0)))
    return (
        f"{text} Furthest from the population: {far.label}, {percent(far.share, 1)} beside "
        f"{percent(far.population or 0.0, 1)}."
    )
