"""Parity as blocks of a report: whom each model shows first, chance beside it, and the votes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from evenhand.arena.parity.measure import Attribute, Parity
from evenhand.report.blocks import Block, Fold, Heading, Items, Report, Table, Text
from evenhand.report.forest import forests
from evenhand.report.numbers import Measure, count, interval, number, p_value, p_words, percent
from evenhand.stats.estimate import Estimate, Result

__all__ = ["MEASURES", "parity_blocks", "parity_report"]

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "max_skew": Measure(
            "MaxSkew",
            "how much the most favoured value is favoured among the first places: ln of its share "
            "over its target share. 0 is on target, 0.69 is twice as often as it should be.",
            harm="Who is not favoured is shown less than the target says.",
        ),
        "max_skew_by_chance": Measure(
            "MaxSkew by chance", "what a ranking that ignores the attribute would show."
        ),
        "min_skew": Measure(
            "MinSkew",
            "how much the least favoured value lacks, below 0; one image with the target's shares "
            "is added, so that a value that is absent has a number.",
        ),
        "ndkl": Measure(
            "NDKL",
            "how far every beginning of the ranking is from the target, the first places weighing "
            "most; 0 is on target everywhere.",
        ),
        "ndkl_by_chance": Measure(
            "NDKL by chance", "what a ranking that ignores the attribute would show."
        ),
        "max_skew_difference": Measure(
            "MaxSkew, difference",
            "how much more the one model favours than the other, on the same queries.",
            null=0.0,
            harm="Whom the first model leaves out, the second leaves out less.",
        ),
        "representation": Measure(
            "Representation", "the share among the first places, over queries."
        ),
        "votes_follow_max_skew": Measure(
            "Votes follow MaxSkew",
            "log odds by which the side with one unit more of MaxSkew is chosen; below 0, voters "
            "prefer the side that favours less.",
            null=0.0,
        ),
    }
)
"""By the name of the estimate."""

HOW_NOT_TO = (
    "Parity is about whom the images are said to show. Attributes come from the dataset: who wrote "
    "them down, and by what right, is a question to ask before reading on.",
    "On target is not fair by itself: the target was chosen, and another one gives other numbers.",
    "That votes go with parity does not say that parity moved them; a model that shows people "
    "evenly may be better otherwise, too.",
)


def parity_blocks(parity: Parity, follow: Result | None = None) -> tuple[Block, ...]:
    """The section "Whom the models show first" of a report.

    Args:
        parity: what ``analyse_parity`` found.
        follow: what ``votes_follow`` found, where there are votes.
    """
    blocks: list[Block] = [Heading("Whom the models show first"), Text(_about(parity))]
    for attribute in parity.attributes:
        blocks.append(Heading(attribute.name, level=3))
        blocks.append(_table(parity, attribute))
        blocks += _plots(parity, attribute)
    blocks += _follow(parity, follow)
    blocks.append(Items(HOW_NOT_TO))
    if parity.result.notes:
        blocks.append(Fold("Notes on parity", (Items(parity.result.notes),)))
    return tuple(blocks)


def parity_report(parity: Parity, follow: Result | None = None) -> Report:
    """A report of parity alone."""
    result = parity.result
    if follow is not None:
        result = replace(result, estimates=(*result.estimates, *follow.estimates))
    return Report(
        title=f"Parity of {parity.dataset}",
        subtitle=f"{len(parity.titles)} models, {parity.n_queries} queries, bundle {parity.version}",
        blocks=parity_blocks(parity, follow), result=result,
    )  # fmt: skip


def _about(parity: Parity) -> str:
    kinds = {
        "dataset": "the shares among all images of the dataset",
        "uniform": "every value alike",
    }
    return (
        f"The first {parity.k} images for each of {count(parity.n_queries)} queries, against "
        f"{kinds.get(parity.target, f'the shares stated in {parity.target}')}. NDKL looks at all "
        f"{parity.kept} places that are kept. Beside each number stands what chance alone would "
        "show: a ranking that ignores the attribute is not at 0 either. The cluster is the query."
    )


def _named(parity: Parity, attribute: Attribute, *names: str) -> list[Estimate]:
    return [
        e for e in parity.result.estimates if e.condition == attribute.name and e.name in names
    ]


def _table(parity: Parity, attribute: Attribute) -> Table:
    rows = []
    for model, title in parity.titles.items():
        found = {
            e.name: e
            for e in _named(
                parity, attribute, "max_skew", "max_skew_by_chance", "ndkl", "ndkl_by_chance"
            )
            if e.subject == model
        }
        skew, divergence = found.get("max_skew"), found.get("ndkl")
        rows.append(
            (
                title, *_cells(skew), number(_value(found.get("max_skew_by_chance"))),
                p_value(skew.p_holm if skew else None), *_cells(divergence),
                number(_value(found.get("ndkl_by_chance"))),
            )
        )  # fmt: skip
    target = ", ".join(
        f"{value} {percent(float(share), 1.0)}"
        for value, share in zip(attribute.values, attribute.target, strict=True)
    )
    columns = (
        "Model", "MaxSkew", "Interval", "by chance", "p, Holm", "NDKL", "Interval", "by chance",
    )  # fmt: skip
    return Table(columns, tuple(rows), f"{attribute.name}; target: {target}")


def _cells(e: Estimate | None) -> tuple[str, str]:
    return (number(_value(e)), interval(e.low, e.high) if e else "")


def _value(e: Estimate | None) -> float | None:
    return e.value if e is not None else None


def _plots(parity: Parity, attribute: Attribute) -> Iterator[Block]:
    conditions = {attribute.name: ""}
    titled = [
        replace(
            e,
            subject=parity.titles.get(e.subject or "", e.subject),
            group=parity.titles.get(e.group or "", e.group),
            baseline=parity.titles.get(e.baseline or "", e.baseline),
            contrast=None,
        )
        for e in _named(parity, attribute, "max_skew", "max_skew_difference", "representation")
    ]
    for name, title in (
        ("max_skew", f"MaxSkew@{parity.k} by model"),
        ("max_skew_difference", "MaxSkew, differences between models"),
        ("representation", f"Shares among the first {parity.k}"),
    ):
        # Whose difference it is stands in its group and baseline.
        some = [
            replace(e, subject=None) if name == "max_skew_difference" else e
            for e in titled
            if e.name == name
        ]
        charts = forests(
            some, title=f"{attribute.name}: {title}", measures=MEASURES, conditions=conditions,
            name=f"parity-{attribute.name}-{name}",
        )  # fmt: skip
        if charts:
            yield from charts if name == "max_skew" else (Fold(title, charts),)


def _follow(parity: Parity, follow: Result | None) -> Iterator[Block]:
    if follow is None:
        return
    yield Heading("Do votes follow parity?", level=3)
    for e in follow.estimates:
        way = "less" if e.value < 0 else "more"
        yield Text(
            f"{e.condition}: per unit of MaxSkew, the side that favours {way} is chosen with "
            f"log odds of {number(abs(e.value))} more ({interval(e.low, e.high)} for the side that "
            f"favours more; {p_words(e.p)}; {count(e.n or 0)} votes of "
            f"{count(e.n_clusters or 0)} voters)."
        )
    if follow.estimates:
        yield from forests(
            follow.estimates, title="Votes and MaxSkew", measures=MEASURES, name="votes-follow"
        )
    if follow.notes:
        yield Items(follow.notes)
