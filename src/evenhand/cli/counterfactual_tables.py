"""An analysis of image pairs on the terminal: what changed, what of it is noise, who is told what.

Rows of single categories are left to ``--json`` and the report, unless they stand after correction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evenhand.cli.estimates import accounting_lines, aligned
from evenhand.counterfactual.analysis.results import Analysed, SetFacts
from evenhand.counterfactual.analysis.rows import About
from evenhand.report.numbers import count, interval, number, p_value
from evenhand.stats.estimate import Estimate

__all__ = ["lines"]

Row = tuple[str, ...]
Found = tuple[Estimate, About]

HEAD = ("", "value", "interval", "p, Holm", "q", "sources")
RATES = ("recommendation_change_rate", "diagnostic_consistency")
NOISE = ("instability_t", "noise_f", "excess", "excess_normalised", "diagnostic_excess_normalised")
MOST_STANDING = 20


def lines(analysed: Analysed) -> Iterator[str]:
    """Everything but the notes, ready to print."""
    shown: set[int] = set()
    for one in analysed.sets:
        yield from _heading(one, analysed)
        rows = [
            (e, a)
            for e, a in analysed.rows()
            if e.subject == one.readings.subject
            and e.condition == one.condition
            and a.reading == analysed.reading
        ]
        yield from _set(rows, shown)
    yield from _standing(analysed, shown)
    yield ""
    yield from accounting_lines(
        replace(
            analysed.result,
            accounting=tuple(r for r in analysed.result.accounting if r.group is None),
        )
    )
    rest = len(analysed.result.estimates) - len(shown)
    if rest > 0:
        yield f"and {count(rest)} more estimates, by edit, category and reading: --json, or --output DIR"


def _heading(one: SetFacts, analysed: Analysed) -> Iterator[str]:
    readings = one.readings
    yield (
        f"{one.label}: {count(len(readings.pairs))} pairs of {count(len(readings.sources))} source "
        f"images, {count(int(readings.usable.sum()))} usable; source image is the cluster; "
        f"{analysed.reading} reading"
    )


def _set(rows: list[Found], shown: set[int]) -> Iterator[str]:
    table: list[Row] = [HEAD]
    for title, names in (
        ("changed at all", RATES), ("beyond asking twice", NOISE),
    ):  # fmt: skip
        mine = [
            (e, a) for e, a in rows
            if e.name in names and a.part in ("whole", "edit", "level") and e.baseline is None
        ]  # fmt: skip
        if not mine:
            continue
        table += [("",) * len(HEAD), (title, *[""] * (len(HEAD) - 1))]
        whole = [(e, a) for e, a in mine if a.part == "whole"]
        # Of the parts only what answers the question: the change rate, and the normalised excess.
        parts = [
            (e, a) for e, a in mine
            if a.part != "whole" and e.name in ("recommendation_change_rate", "excess_normalised")
        ]  # fmt: skip
        for e, _ in (*whole, *parts):
            shown.add(id(e))
            table.append(_row(e))
    yield from ("", *aligned(table))


def _row(e: Estimate) -> Row:
    who = f" ({e.group})" if e.group else ""
    return (
        f"  {e.name}{who}", number(e.value), interval(e.low, e.high), p_value(e.p_holm),
        p_value(e.q_bh), count(e.n_clusters),
    )  # fmt: skip


def _standing(analysed: Analysed, shown: set[int]) -> Iterator[str]:
    """Contrasts that stand after correction, largest first."""
    stand = [
        e
        for e, _ in analysed.rows()
        if e.q_bh is not None and e.q_bh < 1 - analysed.level and id(e) not in shown
    ]
    if not stand:
        yield ""
        yield "no contrast stands after correction by q"
        return
    stand.sort(key=lambda e: -abs(e.value))
    kept = stand[:MOST_STANDING]
    shown.update(map(id, kept))
    table = [
        (
            f"  {e.name} {e.group or ''}".rstrip() + (f" against {e.baseline}" if e.baseline else ""),
            number(e.value), interval(e.low, e.high), p_value(e.p_holm), p_value(e.q_bh),
            count(e.n_clusters),
        )
        for e in kept
    ]  # fmt: skip
    more = f" (the {len(kept)} largest)" if len(stand) > len(kept) else ""
    yield ""
    yield f"{count(len(stand))} contrasts stand after correction by q{more}"
    yield from aligned([HEAD, *table])
