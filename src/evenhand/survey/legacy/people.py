"""The other benchmark's personas, datasets and links, as columns of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.survey.legacy.population import germany, population_for
from evenhand.survey.legacy.source import LegacyDatabase
from evenhand.survey.legacy.words import ATTRIBUTES, level_of, plain_text
from evenhand.survey.people.dataset_rows import MOST
from evenhand.survey.people.people import Codes
from evenhand.survey.population.spec import AGE, Population

__all__ = ["Gathered", "LegacyDataset", "Pairs", "gather_dataset", "gather_people", "key_of_row"]

# Columns of table persona after uuid, age, gender and origin_id.
_PLAIN = ("education", "occupation", "marital_status", "migration_status", "religion", "sexuality")
OLDEST = 100


@dataclass(slots=True)
class Gathered:
    """Every persona of the file as columns, and what was odd about some.

    ``place`` maps a uuid to its row. ``odd`` counts values that have no counterpart here;
    ``unusable`` those without an age.
    """

    population: Population
    codes: Mapping[str, Codes]
    uuids: list[str]
    place: Mapping[str, int]
    unusable: list[str] = field(default_factory=list)
    older: int = 0
    twice: int = 0
    odd: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.uuids)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Links of one dataset, as rows of the personas; each field has one a pair."""

    source: NDArray[np.int64]
    variant: NDArray[np.int64]
    attribute: tuple[str, ...]


@dataclass(slots=True)
class LegacyDataset:
    """One dataset: its members as rows of the personas, ascending, and the pairs among them."""

    id: Any
    name: str
    kind: str
    seed: int | None
    config: Mapping[str, Any]
    source: Any
    members: NDArray[np.int64]
    variants: frozenset[int]
    pairs: Pairs
    lost: Counter[str] = field(default_factory=Counter)


def key_of_row(value: Any) -> str:
    """A uuid as one spelling of it: text with or without hyphens, or bytes.

    Example:
        >>> key_of_row("AB-cd"), key_of_row(b"\\xab\\xcd")
        ('abcd', 'abcd')
    """
    if isinstance(value, bytes):
        return value.hex()
    return str(value).replace("-", "").casefold()


def gather_people(source: LegacyDatabase) -> Gathered:
    """Read all personas, in the order of their uuids.

    Raises:
        InputError: there are none that can be used, or more than a database takes here.
    """
    n = source.count("persona")
    if n > MOST:
        raise InputError(f"has {n:,} personas; {MOST:,} are the most", where=source.where)
    base = germany()
    places = {
        attribute.name: {level.code.casefold(): at for at, level in enumerate(attribute.levels)}
        for attribute in base.attributes
    }
    countries = _countries(source, places["origin"])
    found = Gathered(base, {}, [], {})
    names = (AGE, "gender", "origin", *_PLAIN)
    columns: dict[str, list[int]] = {name: [] for name in names}
    place: dict[str, int] = {}
    for uuid, age, gender, origin, *rest in source.rows("persona", order=("uuid",)):
        key = key_of_row(uuid)
        years = _years(age)
        if uuid is None or years is None:
            found.unusable.append(f"{plain_text(uuid)[:40]} (age {age!r:.20})")
            continue
        if key in place:
            found.twice += 1
            continue
        place[key] = len(found.uuids)
        found.uuids.append(plain_text(uuid))
        found.older += years > OLDEST
        columns[AGE].append(min(years, OLDEST))
        columns["gender"].append(level_of("gender", gender, places["gender"], found.odd))
        columns["origin"].append(_origin(origin, countries, found.odd))
        for name, value in zip(_PLAIN, rest, strict=True):
            columns[name].append(level_of(name, value, places[name], found.odd))
    if not place:
        raise InputError("has no persona with an age", where=source.where)
    found.place = place
    found.codes, found.population = _placed(columns)
    return found


def _placed(columns: Mapping[str, list[int]]) -> tuple[dict[str, Codes], Population]:
    """The columns over a population in which -1, not stated, is a level where it occurs."""
    arrays = {name: np.array(column, dtype=np.int16) for name, column in columns.items()}
    unsaid = [name for name, column in arrays.items() if (column < 0).any()]
    population = population_for(unsaid)
    codes: dict[str, Codes] = {}
    for attribute in population.attributes:
        column = arrays[attribute.name]
        codes[attribute.name] = np.where(column < 0, len(attribute.levels) - 1, column).astype(
            np.int16
        )
    return codes, population


def _years(age: Any) -> int | None:
    if isinstance(age, str) and age.strip().isdigit() and len(age.strip()) <= 3:
        age = int(age)
    if isinstance(age, bool) or not isinstance(age, int | float) or age != age:
        return None
    return int(age) if 0 <= age <= 150 and float(age).is_integer() else None


def _countries(source: LegacyDatabase, known: Mapping[str, int]) -> dict[Any, tuple[int, str]]:
    """By id of its table: the place of a country among our origins, -1 if none, and its name."""
    named = {
        label.casefold(): place
        for place, level in enumerate(germany().attribute("origin").levels)
        for label in level.labels.values()
    }
    found = {}
    for id, english, german, alpha2 in source.rows("country"):
        words = [plain_text(english), plain_text(german)]
        code = plain_text(alpha2).casefold()
        # Namibia's code NA was once read as "not available"; its name still says it.
        place = known.get(code, -1) if code != "nan" else -1
        for word in words:
            if place < 0:
                place = named.get(word.casefold(), -1)
        found[id] = (place, words[0] or words[1] or code)
    return found


def _origin(
    id: Any, countries: Mapping[Any, tuple[int, str]], odd: Counter[tuple[str, str]]
) -> int:
    if id is None:
        return -1
    place, name = countries.get(id, (-1, f"country {plain_text(id)[:40]}"))
    if place < 0:
        odd["origin", name[:60]] += 1
    return place


def gather_dataset(source: LegacyDatabase, row: Sequence[Any], people: Gathered) -> LegacyDataset:
    """One dataset with its members and links; what cannot be placed is counted in ``lost``."""
    id, name, kind, seed, config, from_id, created = row
    lost: Counter[str] = Counter()
    roles: dict[int, str] = {}
    for _, persona, role in source.rows("datasetpersona", where=("dataset_id", id)):
        at = people.place.get(key_of_row(persona))
        if at is None:
            lost["members without a persona"] += 1
        elif at in roles:
            lost["members twice"] += 1
        else:
            roles[at] = plain_text(role)
    pairs = _pairs(source, id, people, roles, lost)
    return LegacyDataset(
        id=id,
        name=plain_text(name),
        kind=plain_text(kind).casefold(),
        seed=seed if isinstance(seed, int) and 0 <= seed < 2**63 else None,
        config={"config_json": plain_text(config)[:10_000], "created_at": plain_text(created)},
        source=from_id,
        members=np.array(sorted(roles), dtype=np.int64),
        variants=frozenset(pairs.variant.tolist())
        | {at for at, role in roles.items() if role == "counterfactual"},
        pairs=pairs,
        lost=lost,
    )


def _pairs(
    source: LegacyDatabase,
    id: Any,
    people: Gathered,
    roles: Mapping[int, str],
    lost: Counter[str],
) -> Pairs:
    links: dict[int, tuple[int, str]] = {}
    for _, original, variant, attribute, *_rest in source.rows(
        "counterfactuallink", where=("dataset_id", id)
    ):
        ours = ATTRIBUTES.get(plain_text(attribute).casefold())
        first, second = (people.place.get(key_of_row(each)) for each in (original, variant))
        if first is None or second is None or first not in roles or second not in roles:
            lost["links to personas that are not members"] += 1
        elif ours is None:
            lost[f"links of unknown attribute {plain_text(attribute)[:40]!r}"] += 1
        elif second in links or first == second:
            lost["links twice"] += 1
        else:
            links[second] = (first, ours)
    variants = sorted(links)
    return Pairs(
        np.array([links[at][0] for at in variants], dtype=np.int64),
        np.array(variants, dtype=np.int64),
        tuple(links[at][1] for at in variants),
    )
