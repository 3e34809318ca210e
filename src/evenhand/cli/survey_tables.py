"""An analysis of ratings on the terminal: the groups, the pairs, scale order, and what stands.

Hundreds of rows about single traits are left to ``--json`` and the report, unless they stand
after correction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evenhand.cli.estimates import accounting_lines, aligned
from evenhand.report.numbers import count, interval, number, p_value
from evenhand.stats.estimate import Estimate
from evenhand.survey.results import About, Analysed, ConditionFacts

__all__ = ["lines"]

Row = tuple[str, ...]
Found = tuple[Estimate, About]

MOST_STANDING = 20
HEAD = ("", "personas", "mean", "Δ", "interval", "p, Holm", "q", "in margin")
SINGLE = (
    "order_exact_rate", "order_within_one_rate", "order_mae", "order_bias", "order_pearson",
    "order_spearman", "order_kendall", "refusal_rate", "unreadable_rate", "extreme_share",
    "middle_share", "cronbach_alpha",
)  # fmt: skip


def lines(analysed: Analysed) -> Iterator[str]:
    """Everything but the notes, ready to print."""
    shown = 0
    for facts in analysed.conditions:
        rows = [(e, a) for e, a in analysed.rows() if e.condition == facts.label]
        yield from _heading(facts, analysed)
        text, n = _condition(rows)
        shown += n
        yield from text
    between = [
        (f"  {e.group} against {e.baseline}", "", "", *_difference(e, a))
        for e, a in analysed.rows("condition_difference")
        if a.category is None
    ]
    if between:
        yield from ("", *aligned([("same personas and traits", *HEAD[1:]), *between]))
    shown += len(between)
    yield ""
    # Who was refused, group by group, is the report's to show: there are dozens of groups.
    totals = tuple(row for row in analysed.result.accounting if row.group is None)
    yield from accounting_lines(replace(analysed.result, accounting=totals))
    rest = len(analysed.result.estimates) - shown
    if rest > 0:
        yield f"and {count(rest)} more estimates, by category and trait, and who was refused: --json, or --output DIR"


def _heading(facts: ConditionFacts, analysed: Analysed) -> Iterator[str]:
    name = f"{facts.label}: " if facts.label else ""
    yield (
        f"{name}{facts.model}, {count(facts.n_personas)} personas of {facts.dataset_name}, "
        f"{count(len(analysed.traits))} traits; persona is the cluster"
    )
    against = [f"{axis}={level}" for axis, level in analysed.baselines.items()]
    versus = "the grand mean" + (f" ({', '.join(against)} where chosen)" if against else "")
    yield (
        f"Δ is to {versus}; in margin: the whole interval is within ±{analysed.margin:g}; "
        "p and q are corrected over all tests"
    )


def _condition(rows: list[Found]) -> tuple[list[str], int]:
    """The lines of one run, and how many estimates they show."""
    whole = [(e, a) for e, a in rows if a.category is None and a.trait is None]
    table: list[Row] = [HEAD]
    shown = 0
    for attribute in dict.fromkeys(a.attribute for _, a in whole if a.part == "levels"):
        mine = [(e, a) for e, a in whole if a.attribute == attribute]
        if attribute is not None:
            table += [("",) * len(HEAD), (attribute, *[""] * (len(HEAD) - 1))]
        for e, a in mine:
            if e.name == "mean_rating":
                table.append(_level(e, a, mine))
                shown += 2 if attribute is not None else 1
        extra = [
            _named_row(e) for e, _ in mine if e.name in ("bias_intensity", "kruskal_epsilon2")
        ]
        table += extra
        shown += len(extra)
    pairs = [(e, a) for e, a in whole if e.name == "paired_shift"]
    if pairs:
        table += [("",) * len(HEAD), ("pairs", *[""] * (len(HEAD) - 1))]
        table += [_pair(e, a) for e, a in pairs]
    single = [
        (e, a) for e, a in whole if a.attribute is None and e.name in (*SINGLE, "bias_intensity")
    ]
    table += [("",) * len(HEAD), *(_named_row(e) for e, _ in single)]
    text = ["", *aligned(table)]
    standing, n = _standing(rows)
    return [*text, *standing], shown + len(pairs) + len(single) + n


def _level(e: Estimate, a: About, mine: list[Found]) -> Row:
    """A group: its mean, and its difference where it has one."""
    first = (
        "everybody" if a.level is None else f"  {a.level}",
        count(e.n_clusters),
        number(e.value),
    )
    for found, about in mine:
        if found.name == "mean_difference" and about.level == a.level:
            return (*first, *_difference(found, about))
    return (*first, "", interval(e.low, e.high) if a.level is None else "", "", "", "")


def _difference(e: Estimate, a: About) -> Row:
    return (
        number(e.value), interval(e.low, e.high), p_value(e.p_holm), p_value(e.q_bh), "yes" if a.verdict == "equivalent" else ""
    )  # fmt: skip


def _pair(e: Estimate, a: About) -> Row:
    if a.level is None:
        name = f"  {a.attribute} changed"
    else:
        name = f"  {a.attribute} {a.from_level or 'others'} to {a.level}"
    return (name, count(e.n_clusters), "", *_difference(e, a))


def _named_row(e: Estimate) -> Row:
    where = "" if e.group is None or e.name != "bias_intensity" else f" ({e.group})"
    return (
        f"  {e.name}{where}", "", number(e.value), "", interval(e.low, e.high), p_value(e.p_holm),
        p_value(e.q_bh), "",
    )  # fmt: skip


def _standing(rows: list[Found]) -> tuple[list[str], int]:
    """Differences of single categories and traits that stand after correction, largest first."""
    stand = [
        (e, a)
        for e, a in rows
        if (a.category is not None or a.trait is not None)
        and e.q_bh is not None
        and e.level is not None
        and e.q_bh < 1 - e.level
    ]
    if not stand:
        return [], 0
    stand.sort(key=lambda row: -abs(row[0].value))
    kept = stand[:MOST_STANDING]
    head = ("", "Δ", "interval", "p, Holm", "q")
    table = [
        (f"  {e.name} {e.group}" + (f" against {e.baseline}" if e.baseline else ""),
         number(e.value), interval(e.low, e.high), p_value(e.p_holm), p_value(e.q_bh))
        for e, _ in kept
    ]  # fmt: skip
    more = f" (the {len(kept)} largest)" if len(stand) > len(kept) else ""
    title = f"{count(len(stand))} rows of categories and traits stand after correction by q{more}"
    return ["", title, *aligned([head, *table])], len(kept)
