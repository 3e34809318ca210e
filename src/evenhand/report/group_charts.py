"""Charts of groups: differences as seen beside differences adjusted, and shifts in matched pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.report.blocks import Cell, Chart, Table
from evenhand.report.drawing import AXIS, PALETTE, framed
from evenhand.report.forest import excludes
from evenhand.report.numbers import count, interval, number, p_value
from evenhand.report.rows import Frame, Row, frame, in_pages
from evenhand.stats.estimate import Estimate

__all__ = ["GroupRow", "PairRow", "differences", "pairs"]

QUANTILES = (0.1, 0.25, 0.75, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group: its difference to the baseline, and the same adjusted for everything else.

    ``head`` is what the groups are groups of; ``mean`` is the group's own mean.
    """

    head: str
    label: str
    seen: Estimate
    adjusted: Estimate | None = None
    mean: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """One direction in which pairs differ: the shift of each pair, and the estimate of their mean."""

    head: str
    label: str
    shifts: NDArray[np.float64]
    mean: Estimate | None = None


def differences(
    rows: Sequence[GroupRow], *, title: str, name: str = "differences"
) -> tuple[Chart, ...]:
    """Each group's difference with its interval, and below it the adjusted one.

    As many pictures as it takes to read every row, all on one axis. None for no rows.

    Example:
        >>> gap = Estimate(instrument="x", name="mean_difference", value=0.2, scale="difference",
        ...                low=0.1, high=0.3, level=0.95, p_holm=0.001)
        >>> differences([GroupRow(head="Gender", label="female", seen=gap)], title="Gaps")[0].alt
        'Gaps. One difference, female: 0.200 (0.100 to 0.300). 1 stands after correction.'
    """
    if not rows:
        return ()
    domain = _domain([e for row in rows for e in (row.seen, row.adjusted) if e is not None])
    parts = in_pages([row.head for row in rows])
    return tuple(
        Chart(
            spec=_difference_spec(rows[part], domain, narrow=False),
            narrow=_difference_spec(rows[part], domain, narrow=True),
            alt=_difference_words(rows[part], title),
            caption=title if len(parts) == 1 else f"{title} ({place} of {len(parts)})",
            table=_difference_table(rows[part]),
            key=_difference_key(rows[part]),
            name=name if len(parts) == 1 else f"{name}-{place}",
        )
        for place, part in enumerate(parts, 1)
    )


def _domain(estimates: Sequence[Estimate], also: Sequence[float] = ()) -> tuple[float, float]:
    ends = [0.0, *also]
    ends += [x for e in estimates for x in (e.low, e.value, e.high) if x is not None]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    return low - 0.04 * span, high + 0.04 * span


def _difference_spec(
    rows: Sequence[GroupRow], domain: tuple[float, float], *, narrow: bool
) -> dict[str, Any]:
    both = any(row.adjusted is not None for row in rows)
    step = 30 if both else 24
    right = 150 + 150 * both + 46 * any(row.mean is not None for row in rows)
    at = frame([Row(r.label, r.head) for r in rows], narrow=narrow, right=right, step=step,
               above=0 if narrow else 22)  # fmt: skip
    x, y = _axis(domain), at.scale()
    seen = [_marked(row.seen, place - 5 * both) for row, place in zip(rows, at.y, strict=True)]
    adjusted = [
        _marked(row.adjusted, place + 6)
        for row, place in zip(rows, at.y, strict=True)
        if row.adjusted is not None
    ]
    layers = [
        at.ground(),
        _no_difference(x),
        _lines(seen, x, y, 2.25),
        _lines(adjusted, x, y, 1.25),
        _points(seen, x, y, "circle", 58),
        _points(adjusted, x, y, "diamond", 42),
        *at.words(),
        *(_phone_figures(rows, at) if narrow else _wide_figures(rows, at, both=both)),
    ]
    return framed({"width": at.width, "height": at.height, "layer": layers})


def _axis(domain: tuple[float, float]) -> dict[str, Any]:
    scale = {"domain": list(domain), "nice": False, "zero": False}
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": {**AXIS, "tickCount": 5},
        "title": None,
    }


def _marked(e: Estimate, y: float) -> dict[str, Any]:
    """Filled: stands after correction. A coloured ring: excludes 0 alone. Grey: does neither."""
    alpha = 1 - (e.level or 0.95)
    stands = e.p_holm is not None and e.p_holm < alpha
    ink = PALETTE["vermilion" if stands or excludes(e, 0.0) else "grey"]
    fill = ink if stands else PALETTE["paper"]
    return {"y": y, "value": e.value, "low": e.low, "high": e.high, "ink": ink, "fill": fill}


def _no_difference(x: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"null": 0}]},
        "mark": {"type": "rule", "strokeWidth": 1.25, "color": PALETTE["ink"]},
        "encoding": {"x": {**x, "field": "null"}},
    }


def _lines(
    rows: list[dict[str, Any]], x: Mapping[str, Any], y: Mapping[str, Any], width: float
) -> dict[str, Any]:
    whole = [row for row in rows if row["low"] is not None and row["high"] is not None]
    return {
        "data": {"values": whole},
        "mark": {"type": "rule", "strokeWidth": width},
        "encoding": {
            "y": y,
            "x": {**x, "field": "low"},
            "x2": {"field": "high"},
            "color": {"field": "ink", "type": "nominal", "scale": None},
        },
    }


def _points(
    rows: list[dict[str, Any]], x: Mapping[str, Any], y: Mapping[str, Any], shape: str, size: int
) -> dict[str, Any]:
    return {
        "data": {"values": rows},
        "mark": {"type": "point", "shape": shape, "size": size, "strokeWidth": 2, "opacity": 1},
        "encoding": {
            "y": y,
            "x": {**x, "field": "value"},
            "stroke": {"field": "ink", "type": "nominal", "scale": None},
            "fill": {"field": "fill", "type": "nominal", "scale": None},
        },
    }


def _figures(e: Estimate | None) -> str:
    if e is None:
        return ""
    around = f" [{number(e.low, 2)}, {number(e.high, 2)}]" if e.low is not None else ""
    return f"{number(e.value, 2)}{around}"


def _wide_figures(rows: Sequence[GroupRow], at: Frame, *, both: bool) -> Iterator[dict[str, Any]]:
    columns: list[tuple[str, list[str], dict[str, Any]]] = [
        ("difference", [_figures(row.seen) for row in rows], {"color": PALETTE["ink"]})
    ]
    if both:
        columns.append(("adjusted", [_figures(row.adjusted) for row in rows], {}))
    left = at.width + 16
    for head, texts, mark in columns:
        yield at.column(texts, left, **mark)
        yield at.title(head, left)
        left += 150
    means = ["" if row.mean is None else number(row.mean.value, 2) for row in rows]
    if any(means):
        yield at.column(means, left)
        yield at.title("mean", left)


def _phone_figures(rows: Sequence[GroupRow], at: Frame) -> Iterator[dict[str, Any]]:
    """The figures where the labels leave room: the difference alone; the rest is in the table."""
    yield at.column([number(row.seen.value, 2) for row in rows], at.width, align="right",
                    color=PALETTE["ink"])  # fmt: skip


def _difference_key(rows: Sequence[GroupRow]) -> str:
    levels = sorted({f"{100 * row.seen.level:g} %" for row in rows if row.seen.level is not None})
    said = [f"Lines: {' or '.join(levels)} intervals."] if levels else []
    if any(row.adjusted is not None for row in rows):
        said.append("Circles: as seen. Diamonds below them: adjusted for the other attributes.")
    said.append(
        "Filled: stands after Holm's correction; orange ring: its interval alone excludes 0; grey "
        "ring: it does not."
    )
    return " ".join(said)


def _difference_table(rows: Sequence[GroupRow]) -> Table:
    body: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row.head,
            row.label,
            "–" if row.mean is None else number(row.mean.value),
            number(row.seen.value),
            interval(row.seen.low, row.seen.high),
            p_value(row.seen.p_holm),
            "–" if row.adjusted is None else number(row.adjusted.value),
            "–" if row.adjusted is None else interval(row.adjusted.low, row.adjusted.high),
            "–" if row.adjusted is None else p_value(row.adjusted.p_holm),
            row.seen.n,
            row.seen.n_clusters,
        )
        for row in rows
    )
    columns = ("By", "Group", "Mean", "Difference", "Interval", "p, Holm", "Adjusted", "Interval ",
               "p, Holm ", "n", "Clusters")  # fmt: skip
    return Table(columns, body)


def _difference_words(rows: Sequence[GroupRow], title: str) -> str:
    def say(row: GroupRow) -> str:
        e = row.seen
        return f"{row.label}: {number(e.value)} ({interval(e.low, e.high)})"

    stands = sum(
        row.seen.p_holm is not None and row.seen.p_holm < 1 - (row.seen.level or 0.95)
        for row in rows
    )
    tail = f"{stands} {'stands' if stands == 1 else 'stand'} after correction."
    if len(rows) == 1:
        return f"{title}. One difference, {say(rows[0])}. {tail}"
    order = sorted(rows, key=lambda row: row.seen.value)
    return f"{title}. {len(rows)} differences, from {say(order[0])} to {say(order[-1])}. {tail}"


def pairs(rows: Sequence[PairRow], *, title: str, name: str = "pairs") -> tuple[Chart, ...]:
    """Shifts of matched pairs: their mean with its interval over the middle of their distribution.

    As many pictures as it takes to read every row, all on one axis. Rows without a pair are left
    out; none are drawn where none has any.

    Example:
        >>> row = PairRow(head="Gender", label="male to female", shifts=np.array([0.0, 0.5, 1.0]))
        >>> pairs([row], title="Shifts")[0].alt
        'Shifts. One direction, male to female: 0.500 on average over 3 pairs; 2 up, 0 down.'
    """
    drawn = [row for row in rows if len(row.shifts)]
    if not drawn:
        return ()
    spread = [float(q) for row in drawn for q in np.quantile(row.shifts, QUANTILES)]
    domain = _domain([row.mean for row in drawn if row.mean is not None], spread)
    parts = in_pages([row.head for row in drawn])
    return tuple(
        Chart(
            spec=_pair_spec(drawn[part], domain, narrow=False),
            narrow=_pair_spec(drawn[part], domain, narrow=True),
            alt=_pair_words(drawn[part], title),
            caption=title if len(parts) == 1 else f"{title} ({place} of {len(parts)})",
            table=_pair_table(drawn[part]),
            key=(
                "Marks and lines: the mean shift with its interval; filled where it stands after "
                "Holm's correction. Bands: the middle half and the middle four fifths of the pairs."
            ),
            name=name if len(parts) == 1 else f"{name}-{place}",
        )
        for place, part in enumerate(parts, 1)
    )


def _mean_of(row: PairRow) -> Estimate:
    if row.mean is not None:
        return row.mean
    value = float(np.mean(row.shifts))
    return Estimate(instrument="", name="paired_shift", value=value, scale="difference")


def _pair_spec(
    rows: Sequence[PairRow], domain: tuple[float, float], *, narrow: bool
) -> dict[str, Any]:
    at = frame([Row(r.label, r.head) for r in rows], narrow=narrow, right=210, phone_right=110,
               above=0 if narrow else 22)  # fmt: skip
    x, y = _axis(domain), at.scale()
    means = [_marked(_mean_of(row), place) for row, place in zip(rows, at.y, strict=True)]
    bands = []
    for row, place in zip(rows, at.y, strict=True):
        far_low, low, high, far_high = (float(q) for q in np.quantile(row.shifts, QUANTILES))
        for start, end, strength in ((far_low, far_high, 0.16), (low, high, 0.24)):
            bands.append({"y": place, "from": start, "to": end, "strength": strength})
    band = {
        "data": {"values": bands},
        "mark": {"type": "bar", "height": 13, "color": PALETTE["blue"]},
        "encoding": {
            "y": y,
            "x": {**x, "field": "from"},
            "x2": {"field": "to"},
            "fillOpacity": {"field": "strength", "type": "quantitative", "scale": None},
        },
    }
    layers = [
        at.ground(),
        band,
        _no_difference(x),
        _lines(means, x, y, 2.25),
        _points(means, x, y, "circle", 58),
        *at.words(),
        *_pair_figures(rows, at),
    ]
    return framed({"width": at.width, "height": at.height, "layer": layers})


def _pair_figures(rows: Sequence[PairRow], at: Frame) -> Iterator[dict[str, Any]]:
    ink = PALETTE["ink"]
    counts = [count(len(row.shifts)) for row in rows]
    if at.narrow:
        yield at.column([number(_mean_of(row).value, 2) for row in rows], at.width - 54,
                        align="right", color=ink)  # fmt: skip
        yield at.column(counts, at.width, align="right")
        return
    yield at.column([_figures(_mean_of(row)) for row in rows], at.width + 16, color=ink)
    yield at.title("mean shift", at.width + 16)
    yield at.column(counts, at.width + 208, align="right")
    yield at.title("pairs", at.width + 208, align="right")


def _pair_table(rows: Sequence[PairRow]) -> Table:
    def cells(row: PairRow) -> tuple[Cell, ...]:
        e, quantiles = _mean_of(row), np.quantile(row.shifts, QUANTILES)
        return (
            row.head,
            row.label,
            len(row.shifts),
            number(e.value),
            interval(e.low, e.high),
            p_value(e.p_holm),
            int(np.sum(row.shifts > 0)),
            int(np.sum(row.shifts == 0)),
            int(np.sum(row.shifts < 0)),
            interval(float(quantiles[1]), float(quantiles[2])),
            interval(float(quantiles[0]), float(quantiles[3])),
        )

    columns = ("Changed", "From and to", "Pairs", "Mean shift", "Interval", "p, Holm", "Up", "Same",
               "Down", "Middle half", "Middle four fifths")  # fmt: skip
    return Table(columns, tuple(cells(row) for row in rows))


def _pair_words(rows: Sequence[PairRow], title: str) -> str:
    def say(row: PairRow) -> str:
        up, down = (int(np.sum(sign * row.shifts > 0)) for sign in (1, -1))
        n = len(row.shifts)
        return (
            f"{row.label}: {number(_mean_of(row).value)} on average over {count(n)} "
            f"pair{'' if n == 1 else 's'}; {count(up)} up, {count(down)} down"
        )

    if len(rows) == 1:
        return f"{title}. One direction, {say(rows[0])}."
    order = sorted(rows, key=lambda row: _mean_of(row).value)
    return f"{title}. {len(rows)} directions, from {say(order[0])}, to {say(order[-1])}."
