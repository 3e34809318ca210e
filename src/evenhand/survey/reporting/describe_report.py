"""What a dataset is made of, as a report: people beside the population, what goes together."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evenhand.report.blocks import (
    Block,
    Cell,
    Code,
    Facts,
    Fold,
    Heading,
    Items,
    Notice,
    Report,
    Table,
    Text,
    Tile,
    Tiles,
)
from evenhand.report.numbers import count, number, percent
from evenhand.report.people_charts import AgeRow, ShareRow, composition, pyramid
from evenhand.report.sections import MOST_ROWS
from evenhand.stats.estimate import Result
from evenhand.survey.people.dataset_rows import DatasetRow
from evenhand.survey.people.describe import Composition, LevelShare
from evenhand.survey.population.spec import Attribute, Grouping, Population, Source
from evenhand.survey.reporting.labels import LANGUAGE, label_of

__all__ = ["composition_report"]

KINDS = {
    "pool": "It was drawn from the population, so at temperature 0 its shares are the population's "
    "but for chance.",
    "reality": "It was drawn at random from another dataset and is meant to be like the population.",
    "balanced": "Its shares are made even: they are nobody's, and no mean over everybody in it "
    "speaks of a population.",
    "counterfactual": "It holds people twice, the second time with one attribute changed. What is "
    "counted below holds both, so its shares are nobody's.",
    "imported": "It was brought from elsewhere; how it was chosen is not known here.",
}

MOST_PAIRS = 12
"""Associations in the open; the weaker ones are folded."""

FAR = 0.05
"""A share that lies this far from the population's is told in the first section."""


def composition_report(row: DatasetRow, population: Population, found: Composition) -> Report:
    """The report of a dataset's composition.

    Args:
        row: what the database says of the dataset.
        population: what it was drawn from.
        found: what ``describe`` counted.
    """
    names = _Names(population)
    blocks = [
        *_in_short(found, names),
        *_people(found, names),
        *_pairs(row, found, names),
        *_balance(row, names),
        *_associations(found, names),
        *_population(population),
        *_made(row, population),
    ]
    subtitle = f"{count(found.n)} people, {found.kind}, from {population.title}."
    return Report(f"Dataset: {found.name}", subtitle, blocks, Result((), ()))


class _Names:
    """Words for the codes of a population."""

    def __init__(self, population: Population) -> None:
        axes: tuple[Attribute | Grouping, ...] = (*population.attributes, *population.groupings)
        self._axes = {a.name: label_of(a.labels, a.name).capitalize() for a in axes}
        self._levels = {
            (a.name, level.code): label_of(level.labels, level.code)
            for a in axes
            for level in a.levels
        }

    def axis(self, name: str) -> str:
        """An attribute or a grouping."""
        return self._axes.get(name, name)

    def level(self, axis: str, code: str) -> str:
        """A level of an axis."""
        return self._levels.get((axis, code), code)


def _in_short(found: Composition, names: _Names) -> Iterator[Block]:
    yield Heading("In short")
    tiles = [Tile(count(found.n), "people", f"aged {found.age_from} to {found.age_to}")]
    if found.changed:
        tiles.append(Tile(count(sum(found.changed.values())), "counterfactual pairs"))
    strongest = max(
        (a for a in found.associations if a.cramers_v is not None),
        key=lambda a: a.cramers_v or 0.0,
        default=None,
    )
    if strongest is not None:
        pair = f"{names.axis(strongest.first)} and {names.axis(strongest.second)}"
        tiles.append(Tile(number(strongest.cramers_v, 2), "the strongest Cramér's V", pair))
    yield Tiles(tuple(tiles))
    yield Text(KINDS.get(found.kind, ""))
    far = sorted(_far(found), key=lambda level: -abs(_apart(level)))
    if far:
        yield Items(
            tuple(
                f"{names.axis(level.axis)}, {names.level(level.axis, level.level)}: "
                f"{percent(level.share, 1)} here, {percent(level.population_share or 0.0, 1)} in the "
                "population."
                for level in far[:6]
            )
        )
        if len(far) > 6:
            yield Text(f"{count(len(far) - 6)} more levels lie as far from the population.")
    elif any(level.population_share is not None for level in found.axes):
        yield Text(f"No share lies {100 * FAR:g} points or more from the population's.")


def _apart(level: LevelShare) -> float:
    return level.share - (level.population_share or 0.0)


def _far(found: Composition) -> Iterator[LevelShare]:
    for level in found.axes:
        if level.population_share is not None and abs(_apart(level)) >= FAR:
            yield level


def _people(found: Composition, names: _Names) -> Iterator[Block]:
    yield Heading("Who is in it")
    yield Text(
        f"Beside each share stands the population's, of people aged {found.age_from} to "
        f"{found.age_to}, computed from its tables and not sampled."
    )
    if any(row.count for row in found.pyramid):
        yield pyramid(
            [
                AgeRow(row.age, names.level("gender", row.gender), row.count, row.expected)
                for row in found.pyramid
            ],
            title="Ages by gender",
            left=names.level("gender", "male"),
            right=names.level("gender", "female"),
        )
    shares = [
        ShareRow(
            names.axis(level.axis),
            names.level(level.axis, level.level),
            level.count,
            level.share,
            level.population_share,
        )
        for level in found.axes
        if level.count or level.population_share
    ]
    yield from composition(shares, title="Shares by attribute")


def _pairs(row: DatasetRow, found: Composition, names: _Names) -> Iterator[Block]:
    if not found.changed:
        return
    yield Heading("Counterfactual pairs")
    yield Text("Each pair is one person with one attribute changed, as evenly as people allow.")
    feasible: Mapping[str, int] = row.counts.get("feasible", {})
    rows = tuple((names.axis(a), n, feasible.get(a)) for a, n in found.changed.items())
    yield Table(("Changed attribute", "Pairs", "People it could be changed for"), rows)
    without = row.counts.get("without_variant", 0)
    if without:
        yield Notice(f"{count(without)} people have no variant: nothing of theirs can be changed.")


def _balance(row: DatasetRow, names: _Names) -> Iterator[Block]:
    """What balancing did, as the dataset keeps it."""
    evenness: Mapping[str, Mapping[str, Any]] = row.counts.get("evenness", {})
    together: Sequence[Mapping[str, Any]] = row.counts.get("cramers_v", [])
    if not evenness:
        return
    yield Heading("What balancing did")
    yield Text(
        "The distance of an axis is the sum over its levels of how far their shares lie from even "
        "ones, as far as there are people for them; the least is what the source dataset allows."
    )
    rows: list[tuple[Cell, ...]] = [
        (names.axis(axis), len(e["chosen"]), number(e["distance"]), number(e["least"]))
        for axis, e in evenness.items()
    ]
    columns = ("Axis", "Levels", "Distance from even", "Least possible")
    yield Table(columns, tuple(rows), "Evenness")
    pairs: list[tuple[Cell, ...]] = [
        (
            " and ".join(names.axis(axis) for axis in t["axes"]),
            number(t["before"]),
            number(t["after"]),
            "yes" if t["kept"] else "no",
        )
        for t in sorted(together, key=lambda t: not t["kept"])
    ]
    if pairs:
        head = ("Axes", "V before", "V after", "Kept apart")
        table = Table(head, tuple(pairs), "Cramér's V before and after")
        yield table if len(pairs) <= MOST_ROWS else Fold("Cramér's V before and after", (table,))


def _associations(found: Composition, names: _Names) -> Iterator[Block]:
    known = [a for a in found.associations if a.cramers_v is not None]
    if not known:
        return
    yield Heading("What goes together")
    yield Text(
        "Cramér's V between attributes, corrected for its bias: 0 when one tells nothing of the "
        "other, 1 when it tells all. Where two go together, a difference between groups of the one "
        "may come from the other."
    )
    known.sort(key=lambda a: -(a.cramers_v or 0.0))
    rows: list[tuple[Cell, ...]] = [
        (names.axis(a.first), names.axis(a.second), number(a.cramers_v)) for a in known
    ]
    columns = ("Attribute", "and", "Cramér's V")
    yield Table(columns, tuple(rows[:MOST_PAIRS]), "The strongest associations")
    if len(rows) > MOST_PAIRS:
        rest = Table(columns, tuple(rows[MOST_PAIRS:]))
        yield Fold(f"{len(rows) - MOST_PAIRS} weaker ones", (rest,))


def _population(population: Population) -> Iterator[Block]:
    yield Heading("Where the population's figures come from")
    rows = tuple(
        (
            _axis_words(names),
            f"{source.publisher}: {source.table}",
            source.year,
            source.unit,
            source.note or "–",
        )
        for source, names in _sources(population)
    )
    columns = ("Attributes", "Source", "Year", "Unit", "Note")
    yield Table(columns, rows, population.title)
    if population.settings:
        yield Facts(tuple((name, f"{value:g}") for name, value in population.settings.items()))
    if population.notes:
        yield Heading("What is assumed", 3)
        yield Items(population.notes)


def _axis_words(attributes: Sequence[Attribute]) -> str:
    return ", ".join(dict.fromkeys(label_of(a.labels, a.name, LANGUAGE) for a in attributes))


def _sources(population: Population) -> Iterator[tuple[Source, list[Attribute]]]:
    """Each source once, with what it tells of."""
    found: dict[Source, list[Attribute]] = {}
    for attribute in population.attributes:
        for source in attribute.sources:
            found.setdefault(source, []).append(attribute)
    yield from found.items()


def _made(row: DatasetRow, population: Population) -> Iterator[Block]:
    yield Heading("Doing it again")
    command = _command(row)
    if command:
        yield Code(command)
    facts = {
        "Dataset": f"{row.id} {row.name}",
        "Kind": row.kind,
        "Made from": "" if row.source_id is None else f"dataset {row.source_id}",
        "Seed": "" if row.seed is None else str(row.seed),
        **{name: _plain(value) for name, value in row.config.items()},
        "Population": f"{population.name}, {population.title}",
        "Population's SHA-256": population.digest,
        "Created": f"{row.created_at:%Y-%m-%d %H:%M} UTC",
        "Evenhand": row.version,
    }
    yield Facts(tuple((name, value) for name, value in facts.items() if value))


def _plain(value: object) -> str:
    match value:
        case Mapping():
            return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
        case list() | tuple():
            return ", ".join(":".join(v) if isinstance(v, list) else _plain(v) for v in value)
        case None:
            return ""
    return str(value)


VERBS = {
    "pool": "pool", "balanced": "balance", "counterfactual": "counterfactual", "reality": "sample",
}  # fmt: skip
FLAGS = {
    "n": "--n", "age_from": "--age-from", "age_to": "--age-to", "population": "--population",
    "keep": "--keep",
}  # fmt: skip


def _command(row: DatasetRow) -> str:
    """The command that makes such a dataset, where one does."""
    if row.kind not in VERBS:
        return ""
    words = ["evenhand", "survey", VERBS[row.kind]]
    if row.source_id is not None:
        words += ["--dataset", str(row.source_id)]
    for name, flag in FLAGS.items():
        if name in row.config:
            words += [flag, str(row.config[name])]
    for name, flag in (("axes", "--axes"), ("attributes", "--attributes")):
        if row.config.get(name):
            words += [flag, ",".join(row.config[name])]
    for first, second in row.config.get("pairs", []):
        words += ["--pairs", f"{first}:{second}"]
    words += _temperatures(row.config.get("temperature"))
    if row.seed is not None:
        words += ["--seed", str(row.seed)]
    return shlex.join([*words, "--name", f"{row.name}-again"])


def _temperatures(given: float | Mapping[str, float] | None) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        return ["--temperature", f"{given:g}"]
    return [word for name, t in given.items() for word in ("--temperature-of", f"{name}={t:g}")]
