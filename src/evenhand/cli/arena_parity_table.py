"""Parity on the terminal: per attribute the models beside each other, and the shares they show."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.arena.parity.measure import Attribute, Parity
from evenhand.cli.estimates import accounting_lines, aligned
from evenhand.report.numbers import interval, number, p_value, percent
from evenhand.stats.estimate import Estimate, Result

__all__ = ["lines"]

Row = tuple[str, ...]

HEAD = (
    "",
    "MaxSkew",
    "interval",
    "by chance",
    "p, Holm",
    "NDKL",
    "by chance",
    "p, Holm",
    "MinSkew",
)


def lines(parity: Parity, follow: Result | None) -> Iterator[str]:
    """Everything but the notes, ready to print. ``--json`` has every field."""
    yield (
        f"{parity.dataset}: the first {parity.k} images of {parity.n_queries} queries, against "
        f"{parity.target}; query is the cluster"
    )
    for attribute in parity.attributes:
        found = [e for e in parity.result.estimates if e.condition == attribute.name]
        yield from ("", attribute.name)
        yield from aligned([HEAD, *_models(parity, found)])
        yield ""
        yield from aligned(list(_shares(parity, attribute, found)))
        differences = [e for e in found if e.name == "max_skew_difference"]
        if differences:
            yield ""
            yield from aligned([("Δ MaxSkew", "value", "interval", "p, Holm"),
                                *map(_difference, differences)])  # fmt: skip
    if follow is not None and follow.estimates:
        yield ""
        head = ("votes follow MaxSkew", "log odds", "interval", "p, Holm", "votes/voters")
        yield from aligned([head, *map(_votes, follow.estimates)])
    yield ""
    yield from accounting_lines(parity.result)


def _models(parity: Parity, found: list[Estimate]) -> Iterator[Row]:
    for model in parity.titles:
        mine = {e.name: e for e in found if e.subject == model and e.group is None}
        skew, divergence = mine.get("max_skew"), mine.get("ndkl")
        yield (
            f"  {model}", _value(skew), interval(skew.low, skew.high) if skew else "",
            _value(mine.get("max_skew_by_chance")), p_value(skew.p_holm if skew else None),
            _value(divergence), _value(mine.get("ndkl_by_chance")),
            p_value(divergence.p_holm if divergence else None), _value(mine.get("min_skew")),
        )  # fmt: skip


def _shares(parity: Parity, attribute: Attribute, found: list[Estimate]) -> Iterator[Row]:
    yield ("shares shown", *attribute.values)
    targets = (percent(float(share), 1.0) for share in attribute.target)
    yield ("  target", *targets)
    for model in parity.titles:
        mine = {e.group: e for e in found if e.subject == model and e.name == "representation"}
        cells = (percent(mine[v].value, 1.0) if v in mine else "–" for v in attribute.values)
        yield (f"  {model}", *cells)


def _difference(e: Estimate) -> Row:
    return (
        f"  {e.group} against {e.baseline}", number(e.value), interval(e.low, e.high),
        p_value(e.p_holm),
    )  # fmt: skip


def _votes(e: Estimate) -> Row:
    return (
        f"  {e.condition}", number(e.value), interval(e.low, e.high), p_value(e.p_holm),
        f"{e.n}/{e.n_clusters}",
    )  # fmt: skip


def _value(e: Estimate | None) -> str:
    return number(e.value if e is not None else None)
