"""Tables and sentences of a report on image pairs: floor, categories, readings, empty pairs."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.counterfactual.analysis.noise import KINDS, noise_name
from evenhand.counterfactual.analysis.results import Analysed, SetFacts
from evenhand.report.blocks import Cell, Table
from evenhand.report.numbers import count, interval, number, p_value, percent

__all__ = ["agreement_table", "both_empty_words", "category_table", "floor_table"]

_KINDS = {"recommendation": "Recommendations", "diagnostic": "Diagnosis"}


def floor_table(analysed: Analysed) -> Table:
    """T, F and what is left, of the whole and of each part, side by side."""
    columns = ("", "T", "F", "T − F", "Interval", "Normalised", "Interval", "p, Holm", "Sources")
    caption = "Instability T, noise floor F and the excess"
    return Table(columns, tuple(_floor_rows(analysed)), caption)


def _floor_rows(analysed: Analysed) -> Iterator[tuple[Cell, ...]]:
    several = len(analysed.sets) > 1
    for kind in KINDS:
        names = [
            noise_name(n, kind)
            for n in ("instability_t", "noise_f", "excess", "excess_normalised")
        ]
        found = {
            (e.subject, e.condition, e.group, e.name): e
            for e, a in analysed.rows(*names)
            if a.reading == analysed.reading and e.baseline is None
        }
        for subject, condition, group in dict.fromkeys(key[:3] for key in found):
            t, f, excess, share = (found.get((subject, condition, group, n)) for n in names)
            who = " ".join(filter(None, (subject if several else None, condition, group))) or "all"
            yield (
                f"{_KINDS[kind]}: {who}",
                number(t.value) if t else "–",
                number(f.value) if f else "–",
                number(excess.value) if excess else "–",
                interval(excess.low, excess.high) if excess else "–",
                number(share.value) if share else "–",
                interval(share.low, share.high) if share else "–",
                p_value(excess.p_holm) if excess else "–",
                excess.n_clusters if excess else None,
            )


def category_table(one: SetFacts) -> Table:
    """What edits add and take away, with exact and clustered tests."""
    columns = (
        *("Kind", "Category", "Of", "Added", "Taken away", "Pairs"),
        *("p, exact McNemar", "p, by source", "p, sign-flip"),
    )
    rows = tuple(
        (
            _KINDS[c.kind],
            c.category.replace("_", " "),
            c.group or "all",
            c.added,
            c.removed,
            c.both + c.added + c.removed + c.neither,
            p_value(c.p_exact),
            p_value(c.p_clustered),
            p_value(c.p_sign_flip),
        )
        for c in one.changes
    )
    caption = (
        f"Categories that the edited image's report has and the source's has not, and the other way "
        f"round: {one.label} (p not corrected; exact McNemar takes pairs as independent)"
    )
    return Table(columns, rows, caption)


def agreement_table(one: SetFacts) -> Table:
    """The two readings of every report of a usable pair, category by category."""
    agreement = one.agreement
    same = [
        f"the same {what} in {percent(share, 1.0)}"
        for what, share in (
            ("diagnostic categories", agreement.same_labels),
            ("recommendations", agreement.same_recommendations),
        )
        if share is not None
    ]
    rows = tuple(
        (
            _KINDS[c.kind],
            c.category.replace("_", " "),
            c.both,
            c.frozen_only,
            c.contextual_only,
            c.neither,
            "–" if c.kappa is None else number(c.kappa, 2),
        )
        for c in agreement.categories
    )
    caption = f"{count(agreement.reports)} reports: {' and '.join(same) or 'none to compare'}"
    columns = ("Kind", "Category", "Both", "Frozen only", "Contextual only", "Neither", "Kappa")
    return Table(columns, rows, caption)


def both_empty_words(one: SetFacts) -> str:
    """How many pairs are consistent only because nothing was found in either report."""
    found = one.both_empty
    if not found.both_empty:
        return (
            f"{one.label}: in every usable pair at least one report has a diagnostic category, so "
            "no pair is counted as consistent for want of any."
        )
    without = "–" if found.left_out is None else number(found.left_out)
    return (
        f"{one.label}: in {count(found.both_empty)} of {count(found.usable)} usable pairs "
        f"({percent(found.both_empty, found.usable)}) neither report has a diagnostic category. The "
        f"frozen rule counts such a pair as consistent, which gives {number(found.as_one)}; without "
        f"these pairs it is {without}, and {number(found.as_zero)} if they counted as inconsistent."
    )
