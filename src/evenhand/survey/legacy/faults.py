"""What the other benchmark's faults did to the data that are imported, as sentences to read.

Each is said only where the data show it, with its figures. Where the faults are described:
``docs/reference/from-social-bias-benchmark.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from evenhand.survey.legacy.people import Gathered, LegacyDataset
from evenhand.survey.legacy.population import NOT_STATED
from evenhand.survey.legacy.results import RunTally
from evenhand.survey.legacy.words import plain_text

__all__ = ["of_dataset", "of_people", "of_run", "share"]

# Official figures that its samples can be held against, in per cent.
MIGRATION = 30.4
JOBS = 26


def share(part: int, whole: int) -> str:
    """A share for a sentence.

    Example:
        >>> share(412, 1000)
        '41.2 %'
    """
    return f"{100 * part / max(whole, 1):.1f} %"


def of_people(people: Gathered) -> Iterator[str]:
    """What is odd about the personas themselves."""
    n = len(people)
    age = people.codes["age"]
    if people.unusable:
        shown = ", ".join(people.unusable[:3])
        yield f"{len(people.unusable):,} personas without a usable age are not imported: {shown}"
    if people.twice:
        yield f"{people.twice:,} personas stand there twice; the first row of each is kept"
    if people.older:
        yield f"{people.older:,} personas older than 100 are taken as 100, which stands for 100 and older"
    for (attribute, value), count in people.odd.most_common(12):
        yield f"{count:,} personas have the {attribute} {value!r}, which has no counterpart here: not stated"
    if len(people.odd) > 12:
        yield f"{len(people.odd) - 12} more values have no counterpart here: not stated"
    unsaid = {name: _count(people, name, NOT_STATED) for name in people.codes if name != "age"}
    told = ", ".join(f"{name} {count:,}" for name, count in unsaid.items() if count)
    if told:
        yield f"not stated, so in no group of an analysis: {told} (of {n:,} personas)"
    yield from _shares(people, n)
    infants = int((age == 0).sum())
    if infants:
        yield f"{infants:,} personas are of age 0, which its prompts left out"
    minors = age < 18
    told_minors = int((minors & ~_is(people, "sexuality", NOT_STATED)).sum())
    if told_minors:
        yield (
            f"{told_minors:,} personas under 18 have a sexual orientation, drawn without regard to "
            "age; it is kept as recorded"
        )


def _shares(people: Gathered, n: int) -> Iterator[str]:
    with_migration = _count(people, "migration_status", "with_migration")
    if n >= 100 and 100 * with_migration / n > MIGRATION + 3:
        yield (
            f"{share(with_migration, n)} have a migration background, {MIGRATION} % officially: its "
            "figures count subgroups twice"
        )
    diverse = _count(people, "gender", "diverse")
    if n >= 1000 and diverse / n > 0.001:
        yield (
            f"{share(diverse, n)} are of gender diverse, by shares that are its authors' own (the "
            "census of 2022 counted 969 people)"
        )
    jobs = _count_levels(people, "occupation") - {"retired", "unemployed", NOT_STATED}
    if n >= 500 and len(jobs) < JOBS - 5:
        yield (
            f"{len(jobs)} of its {JOBS} occupations occur: the others were lost when its table was "
            "loaded, and those left are equally frequent"
        )
    young = people.codes["age"] < 6
    idle = int((young & _is(people, "occupation", "unemployed")).sum())
    if idle:
        yield f"{idle:,} children under 6 are recorded as unemployed"
    under_30 = people.codes["age"] < 30
    if (
        int(under_30.sum()) >= 1000
        and not (under_30 & _is(people, "marital_status", "divorced")).any()
    ):
        yield "nobody under 30 is divorced: its marital figures lost their decimals"


def of_dataset(dataset: LegacyDataset, people: Gathered, pools: Sequence[str]) -> Iterator[str]:
    """What is odd about one dataset. ``pools`` are the names of the pools with members."""
    name = dataset.name or f"dataset {plain_text(dataset.id)}"
    if not len(dataset.members):
        others = f"; who was drawn is in {', '.join(pools[:3])}" if pools else ""
        yield f"{name} ({dataset.kind or 'no kind'}) has no members and is not imported{others}"
        return
    for what, count in dataset.lost.items():
        yield f"{name}: {count:,} {what}"
    if dataset.kind in {"pool", "generated"} and dataset.seed is None:
        yield f"{name} was drawn without a seed and cannot be drawn again"
    variants = dataset.pairs.variant
    if not len(variants):
        return
    bare = int(_is(people, "origin", NOT_STATED)[variants].sum())
    if bare:
        yield (
            f"{name}: {bare:,} of {len(variants):,} variants lost their origin when they were stored; "
            "it is not stated, and such pairs differ in more than one attribute"
        )
    changed = _n_differing(dataset, people)
    more = int((changed > 1).sum())
    if more:
        yield f"{name}: {more:,} of {len(variants):,} pairs differ in more than the attribute that was changed"
    same = int((changed == 0).sum())
    if same:
        yield f"{name}: {same:,} of {len(variants):,} pairs do not differ at all"


def _n_differing(dataset: LegacyDataset, people: Gathered) -> Any:
    """In how many attributes each pair differs, an origin that was lost aside."""
    first, second = dataset.pairs.source, dataset.pairs.variant
    lost = _is(people, "origin", NOT_STATED)[second]
    return sum(
        ((column[first] != column[second]) & ~(lost if name == "origin" else False)).astype(
            np.int64
        )
        for name, column in people.codes.items()
    )


def of_run(tally: RunTally, *, n_young: int, mode: str, dual: float) -> Iterator[str]:
    """What is odd about one run of ratings, and what its prompts lacked."""
    yield (
        "its prompts named neither origin nor migration status (a fault): differences by these can "
        "come only through name, looks, biography and religion"
    )
    yield (
        "model and trait list are known; the texts it was asked with, decoding and prompt version "
        "were not stored"
    )
    if n_young:
        yield f"{n_young:,} of its personas were younger than 14 and were rated all the same"
    if not tally.reversed:
        yield "every rating was asked in one order of the scale; whether order matters cannot be told"
    elif tally.both_orders:
        yield f"{tally.both_orders:,} pairs of persona and trait were asked in both orders"
    if dual > 0 and not tally.both_orders:
        yield f"a share of {dual:g} was to be asked in both orders; none was found"
    yield from _counted(tally.lost)
    if tally.failed:
        yield f"{tally.failed:,} more had failed, by its log, and count as failed here"
    yield from (
        f"{count:,} ratings are {rule}; kept as stored" for rule, count in tally.rules.items()
    )


def _counted(lost: Counter[str]) -> Iterator[str]:
    for what, count in lost.items():
        yield f"not imported: {count:,} {what}"


def _is(people: Gathered, attribute: str, level: str) -> Any:
    codes = [each.code for each in people.population.attribute(attribute).levels]
    if level not in codes:
        return np.zeros(len(people), dtype=bool)
    return people.codes[attribute] == codes.index(level)


def _count(people: Gathered, attribute: str, level: str) -> int:
    return int(_is(people, attribute, level).sum())


def _count_levels(people: Gathered, attribute: str) -> set[str]:
    levels = people.population.attribute(attribute).levels
    return {levels[int(code)].code for code in np.unique(people.codes[attribute])}
