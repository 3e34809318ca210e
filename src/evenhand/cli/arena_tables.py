"""Rated votes on the terminal: who stands where first, then pairs, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evenhand.cli.estimates import accounting_lines, aligned
from evenhand.report.numbers import count, interval, number, p_value

if TYPE_CHECKING:
    from evenhand.stats.estimate import Estimate, Result

__all__ = ["lines"]

OF_MODELS = ("strength", "rank", "elo", "order_sd", "both_good_rate", "both_bad_rate")
OF_PAIRS = ("strength_difference", "preference_anytime")


def lines(result: Result) -> Iterator[str]:
    """Everything that was estimated; ``--json`` has every field of it."""
    yield f"{_how(result)}; strengths in logits, mean 0"
    for place in dict.fromkeys((e.condition, e.group) for e in result.estimates if _is_level(e)):
        here = [e for e in result.estimates if _is_level(e) and (e.condition, e.group) == place]
        yield ""
        yield " ".join(part for part in place if part) or "all votes"
        yield from aligned([HEAD, *_models(here)])
    for name, title in zip(
        OF_PAIRS, ("Differences in strength", "Preference at any time"), strict=True
    ):
        found = [e for e in result.estimates if e.name == name]
        if found:
            yield ""
            yield from aligned([(title, "value", "interval", "p", *ADJUSTED[name], "votes/voters"),
                                *(_pair(e) for e in found)])  # fmt: skip
    rest = [e for e in result.estimates if e.name not in OF_MODELS + OF_PAIRS]
    if rest:
        yield ""
        yield from aligned([("", "value", "interval", "p", "p, Holm"), *(_other(e) for e in rest)])
    yield ""
    yield from accounting_lines(result)


HEAD = ("", "place", "strength", "interval", "Elo", "± by order", "both good", "both bad", "votes")
ADJUSTED = {"strength_difference": ("p, Holm",), "preference_anytime": ("q, e-BH",)}


def _how(result: Result) -> str:
    found = (e.method for e in result.estimates if e.name == "strength" and e.method)
    return next(found, "no strengths: see the notes")


def _is_level(e: Estimate) -> bool:
    return e.name in OF_MODELS


def _models(found: Sequence[Estimate]) -> Iterator[tuple[str, ...]]:
    """One row per model, in the order in which they were estimated: the strongest first."""
    for model in dict.fromkeys(e.subject for e in found):
        own = {e.name: e for e in found if e.subject == model}
        strength, rank = own.get("strength"), own.get("rank")
        n = max(e.n or 0 for e in own.values())
        yield (
            f"  {model}",
            _places(rank),
            number(strength.value if strength else None),
            interval(strength.low, strength.high) if strength else "–",
            *(_value(own.get(name), 0) for name in ("elo", "order_sd")),
            *(_value(own.get(name), 2) for name in ("both_good_rate", "both_bad_rate")),
            count(n),
        )


def _places(rank: Estimate | None) -> str:
    if rank is None or rank.low is None or rank.high is None:
        return "–"
    low, high = f"{rank.low:.0f}", f"{rank.high:.0f}"
    return low if low == high else f"{low} to {high}"


def _value(e: Estimate | None, digits: int) -> str:
    return number(e.value if e else None, digits)


def _pair(e: Estimate) -> tuple[str, ...]:
    where = f" · {e.condition}" if e.condition else ""
    adjusted = e.p_holm if e.name == "strength_difference" else e.q_bh
    return (
        f"  {e.group} against {e.baseline}{where}",
        number(e.value),
        interval(e.low, e.high),
        p_value(e.p),
        p_value(adjusted),
        f"{e.n or ''}/{e.n_clusters or ''}",
    )


def _other(e: Estimate) -> tuple[str, ...]:
    about = [e.subject, e.contrast or e.group, e.condition]
    if e.baseline and not e.contrast:
        about[1] = f"{e.group} against {e.baseline}"
    told = " · ".join(part for part in about if part)
    name = e.name.replace("_", " ")
    digits = 0 if e.scale == "count" else 3
    return (
        f"  {name}" + (f" ({told})" if told else ""),
        number(e.value, digits),
        interval(e.low, e.high),
        p_value(e.p),
        p_value(e.p_holm),
    )
