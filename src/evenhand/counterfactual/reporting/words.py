"""What an audit of image pairs found, in sentences: change and noise first, then who is told what."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.counterfactual.analysis.results import Analysed, SetFacts
from evenhand.counterfactual.analysis.rows import About
from evenhand.counterfactual.measures import MEASURES
from evenhand.report.numbers import interval, number, p_words, percent
from evenhand.report.sentences import verdict
from evenhand.stats.estimate import Estimate

__all__ = ["noise_sentence", "refusal_words", "sentences"]

MOST_EACH = 3
"""So many findings are told of each kind, the largest first."""


def sentences(analysed: Analysed) -> list[str]:
    """The noise sentence of every set, then the largest contrasts that stand after correction."""
    said = [text for one in analysed.sets if (text := noise_sentence(analysed, one)) is not None]
    several = len(analysed.sets) > 1
    for name in ("category_rate_difference", "excess_difference", "refusal_rate_difference"):
        rows = [
            (e, a)
            for e, a in analysed.rows(name, *([f"diagnostic_{name}"] * (name[:2] == "ex")))
            if a.reading == analysed.reading and verdict(e, MEASURES) == "differs"
        ]
        rows.sort(key=lambda row: -abs(row[0].value))
        for e, about in rows[:MOST_EACH]:
            who = f"{e.subject}: " if several and e.subject else ""
            said.append(who + _contrast(e, about))
    return said


def noise_sentence(analysed: Analysed, one: SetFacts) -> str | None:
    """How often recommendations change, how often asking twice changes them, and what is left."""
    found = {
        e.name: e
        for e, a in analysed.rows()
        if a.part == "whole"
        and a.reading == analysed.reading
        and e.subject == one.readings.subject
        and e.condition == one.condition
        and a.category is None
    }
    rate = found.get("recommendation_change_rate")
    if rate is None:
        return None
    text = f"{one.label}: recommendations differ in {percent(rate.value, 1.0)} of pairs"
    t, floor, excess = (found.get(n) for n in ("instability_t", "noise_f", "excess"))
    if t is None or floor is None or excess is None:
        return (
            f"{text}. Nothing tells how often they differ when one image is asked about twice, so "
            "this is not yet a finding about the edit."
        )
    ends = _points(excess)
    rest = (
        f"{text}; two reports on one and the same source image differ in {percent(floor.value, 1.0)} "
        f"of cases. Beyond that, the edit changes {number(100 * excess.value, 1)} in 100 ({ends})"
    )
    match verdict(excess, MEASURES):
        case "differs":
            return f"{rest}: more than noise ({_corrected(excess)})."
        case "not_seen":
            least = (
                ""
                if excess.mde is None
                else f"; below {number(100 * excess.mde, 1)} in 100 nothing could have been seen"
            )
            return f"{rest}: no more than noise was seen{least}."
    return (
        f"{rest}: the interval alone excludes noise, but not after correction; read it as a lead."
    )


def _contrast(e: Estimate, about: About) -> str:
    size, more = number(100 * abs(e.value), 1), "more" if e.value > 0 else "less"
    group = about.name or e.group
    match e.name:
        case "category_rate_difference":
            category = (about.category or "").replace("_", " ")
            verb = "recommended" if about.kind == "recommendation" else "found"
            what = (
                f"{category.capitalize()} is {verb} {more} often when the same image is edited to "
                f"{group} than to {e.baseline}: by {size} in 100"
            )
        case "refusal_rate_difference":
            what = f"{e.group} is refused {more} often than {e.baseline}: by {size} in 100"
        case _:
            kind = "findings" if e.name.startswith("diagnostic") else "recommendations"
            what = (
                f"Beyond noise, {kind} change {more} with edits to {e.group} than to {e.baseline}: "
                f"by {size} in 100"
            )
    return f"{what} ({_points(e)}; {_corrected(e)})."


def _points(e: Estimate) -> str:
    ends = [None if x is None else 100 * x for x in (e.low, e.high)]
    return f"{100 * (e.level or 0.95):g} % interval {interval(ends[0], ends[1], 1)}"


def _corrected(e: Estimate) -> str:
    alpha = 1 - (e.level or 0.95)
    if e.p_holm is not None and e.p_holm < alpha:
        return f"after Holm's correction {p_words(e.p_holm)}"
    return f"after Benjamini and Hochberg's correction {p_words(e.q_bh, 'q')}, not after Holm's"


def refusal_words(analysed: Analysed) -> Iterator[str]:
    """A sentence for each set in which nobody was refused."""
    for one in analysed.sets:
        readings = one.readings
        sides = (readings.of_source.response, readings.of_counterfactual.response)
        if not any(((side == 1) | (side == 2)).any() for side in sides):
            yield f"{one.label}: no report was refused, in full or in part."
