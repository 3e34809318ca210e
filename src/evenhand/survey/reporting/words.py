"""The strongest findings of a survey in sentences: who is rated lower, by how much, how surely."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.report.numbers import interval, number, p_words
from evenhand.report.sentences import verdict
from evenhand.stats.estimate import Estimate
from evenhand.survey.measures import MEASURES
from evenhand.survey.reporting.told import Row, Told
from evenhand.survey.results import About

__all__ = ["sentences"]

MOST_EACH = 4
"""So many attributes are told of each measure, the one furthest off first."""

MEASURED = ("mean_difference", "paired_shift", "refusal_rate_difference", "order_bias")
"""What a reader wants to know before all the rest, in this order."""


def sentences(told: Told) -> list[str]:
    """Of each attribute and measure the group furthest off, of those that stand.

    Differences over all traits only; where none stands, no sentence.
    """
    adjusted = {
        (e.condition, a.attribute, a.level): e for e, a in told.whole("adjusted_difference")
    }
    said = []
    for name in MEASURED:
        for e, about in list(_furthest(told.whole(name)))[:MOST_EACH]:
            beside = adjusted.get((e.condition, about.attribute, about.level))
            text = _sentence(e, beside if name == "mean_difference" else None)
            where = told.words.conditions.get(e.condition or "")
            said.append(f"{where.capitalize()}: {text}" if where else text)
    return said


def _furthest(rows: list[Row]) -> Iterator[Row]:
    best: dict[tuple[str | None, str | None], Row] = {}
    for e, about in rows:
        if verdict(e, MEASURES) != "differs" or not _is_single(about):
            continue
        key = (e.condition, about.attribute)
        if key not in best or abs(e.value) > abs(best[key][0].value):
            best[key] = (e, about)
    yield from sorted(best.values(), key=lambda row: -abs(row[0].value))


def _is_single(about: About) -> bool:
    """One group, or no group at all; not a whole attribute and not one direction of change."""
    return about.attribute is None or (about.level is not None and about.from_level is None)


def _sentence(e: Estimate, adjusted: Estimate | None) -> str:
    around = f"{100 * (e.level or 0.95):g} % interval {interval(e.low, e.high, 2)}"
    size, way = number(abs(e.value), 2), "higher" if e.value > 0 else "lower"
    match e.name:
        case "mean_difference":
            what = f"{e.group} is rated {size} points {way} than {e.baseline} ({around})"
            if adjusted is not None:
                figures = (
                    f"{number(adjusted.value, 2)} ({interval(adjusted.low, adjusted.high, 2)})"
                )
                what += f"; {figures} with the other attributes held equal"
        case "paired_shift":
            what = (
                f"The same person is rated {size} points {way} as {e.group} than with {e.baseline} "
                f"of that attribute ({around})"
            )
        case "refusal_rate_difference":
            points, ends = 100 * abs(e.value), [100 * x for x in (e.low or 0.0, e.high or 0.0)]
            more = "more" if e.value > 0 else "less"
            what = (
                f"{e.group} is refused {more} often than {e.baseline}, by {number(points, 1)} "
                f"percentage points ({100 * (e.level or 0.95):g} % interval "
                f"{interval(ends[0], ends[1], 1)})"
            )
        case _:
            first = "first" if e.value < 0 else "last"
            what = (
                f"Answers lean to the options shown {first}: the same question gets {size} points "
                f"{way} with the scale forward than reversed ({around})"
            )
    return f"{what}. {_surely(e)}{_bounds(e)}"


def _surely(e: Estimate) -> str:
    alpha = 1 - (e.level or 0.95)
    if e.p_holm is not None and e.p_holm < alpha:
        return f"It stands after Holm's correction ({p_words(e.p_holm)})."
    return (
        f"It stands after Benjamini-Hochberg's correction ({p_words(e.q_bh, 'q')}), not after "
        f"Holm's ({p_words(e.p_holm)})."
    )


def _bounds(e: Estimate) -> str:
    """Said where what is missing could undo the finding; elsewhere the table has the bounds."""
    if e.bound_low is None or e.bound_high is None or not e.bound_low <= 0 <= e.bound_high:
        return ""
    if e.bound_low == e.bound_high:
        return ""
    return (
        f" Missing answers alone could undo it: had they all gone one way it would be "
        f"{number(e.bound_low, 2)}, the other way {number(e.bound_high, 2)}."
    )
