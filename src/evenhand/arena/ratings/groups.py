"""Strengths as each self-described group of voters sees them, and whether the groups differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evenhand.arena.ratings.parts import Part
from evenhand.arena.ratings.strengths import fit_strengths
from evenhand.arena.ratings.votes import select
from evenhand.arena.spec import VoteColumns
from evenhand.errors import InputError, StatsError
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from evenhand.stats.pairwise_groups import groups_differ, strength_differences
from evenhand.stats.record import record

__all__ = ["NOT_SAID", "Groups", "by_group"]

NOT_SAID = "not said"


@dataclass(slots=True)
class Groups:
    """The levels of one field of the profile, how many voters each has, and what was compared."""

    name: str
    voters: dict[str, int]
    baseline: str | None = None
    estimates: list[Estimate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def by_group(columns: VoteColumns, name: str, inference: Inference) -> tuple[list[Part], Groups]:
    """Rate each group's votes on their own, and compare the groups with the largest.

    Voters who said nothing are in no group: they stay in the whole.

    Raises:
        InputError: nobody said anything for this field.
    """
    said = [profile.get(name, "").strip() for profile in columns.profiles]
    present = np.unique(columns.voter).tolist()
    levels = sorted({said[voter] for voter in present} - {""})
    if not levels:
        fields = sorted({known for profile in columns.profiles for known in profile})
        known = ", ".join(fields) or "nothing at all"
        raise InputError(
            f"no voter said anything for {name!r}; they said: {known}", where="--field"
        )
    voters = {level: sum(said[voter] == level for voter in present) for level in levels}
    groups = Groups(name, voters)
    silent = sum(not said[voter] for voter in present)
    if silent:
        groups.notes.append(f"{silent} of {len(present)} voters did not say their {name}")
    parts = []
    level_of = np.array([levels.index(text) if text else -1 for text in said])
    for place, level in enumerate(levels):
        own = select(columns, level_of[columns.voter] == place)
        strengths = fit_strengths(own, inference)
        parts.append(Part(columns=own, strengths=strengths, group=level, by="group"))
    _compare(parts, groups, inference)
    return parts, groups


def _compare(parts: list[Part], groups: Groups, inference: Inference) -> None:
    """One test for all groups and models, then each group's strengths against the largest's."""
    ready = [part for part in parts if part.strengths.fit is not None]
    if not ready:
        return
    base = max(ready, key=lambda part: groups.voters[str(part.group)])
    groups.baseline = base.group
    alike = [part for part in ready if part.strengths.models == base.strengths.models]
    for part in ready:
        if part.strengths.models != base.strengths.models:
            groups.notes.append(
                f"{part.group}: other models are rated than in {base.group}, so the two are not "
                "compared"
            )
    fits = [part.strengths.fit for part in alike if part.strengths.fit is not None]
    if len(fits) < 2:
        groups.notes.append("fewer than two groups can be compared")
        return
    try:
        test = groups_differ(fits)
    except StatsError as error:
        groups.notes.append(f"no test whether groups differ: {error}")
        return
    groups.estimates.append(
        Estimate(
            instrument="arena",
            name="groups_differ",
            scale="F",
            value=test.statistic,
            p=test.p,
            contrast=groups.name,
            family=base.family,
            n=sum(fit.n for fit in fits),
            n_clusters=sum(fit.n_clusters for fit in fits),
            cluster="voter",
            method=f"{test.method}, {test.df1} and {test.df2:.1f} degrees",
        )  # fmt: skip
    )
    if test.warning:
        groups.notes.append(f"groups_differ: {test.warning}")
    for part in alike:
        if part is not base:
            groups.estimates += _against(part, base, inference)


def _against(part: Part, base: Part, inference: Inference) -> list[Estimate]:
    fit, other = part.strengths.fit, base.strengths.fit
    if fit is None or other is None:
        return []
    found, _ = strength_differences(fit, other, level=inference.level)
    return [
        record(
            found[part.strengths.models.index(model)], instrument="arena",
            name="strength_group_difference", scale="logits", n=fit.n + other.n, cluster="voter",
            subject=part.columns.models[model], group=part.group, baseline=base.group,
            family=base.family,
        )
        for model in base.order
    ]  # fmt: skip
