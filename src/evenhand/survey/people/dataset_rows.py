"""What the database says of datasets: their rows, links and names, and what uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from evenhand.errors import Conflict, InputError, NotFound
from evenhand.store.survey_tables import counters, datasets
from evenhand.store.tables import runs
from evenhand.survey.people.people import Codes
from evenhand.survey.population.spec import AGE, Population

__all__ = [
    "KINDS",
    "MOST",
    "DatasetRow",
    "Links",
    "NewVariants",
    "Temperature",
    "all_rows",
    "check_name",
    "check_pool",
    "free_name",
    "next_number",
    "refuse_if_used",
    "row_of",
    "taken",
]

KINDS = ("pool", "balanced", "counterfactual", "reality", "imported")
MOST = 10_000_000
"""People that one pool can have."""

_LONGEST_NAME = 200

Temperature = float | Mapping[str, float]
"""One temperature, or one per attribute (those not named are drawn at 0)."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """What the database says of a dataset.

    ``population`` is the digest of the population's definition, which is kept whole. ``n`` counts
    its people, variants included. ``counts`` holds ``roles`` (people by role), ``axes`` (people by
    axis and level, levels that nobody has left out) and ``changed`` (pairs by changed attribute).
    """

    id: int
    name: str
    kind: str
    population: str
    source_id: int | None
    seed: int | None
    config: Mapping[str, Any]
    n: int
    counts: Mapping[str, Any]
    version: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Links:
    """Counterfactual pairs, in the order of the variants' ids; each array or tuple has one a pair.

    ``attribute`` is what was changed, ``from_value`` and ``to_value`` its level codes.
    """

    source: NDArray[np.int64]
    variant: NDArray[np.int64]
    attribute: tuple[str, ...]
    from_value: tuple[str, ...]
    to_value: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.variant)


@dataclass(frozen=True, slots=True)
class NewVariants:
    """People still to be stored, each one made from a persona that is there.

    ``codes`` has one array (m,) per attribute; ``source`` the ids of the personas, shape (m,).
    """

    codes: Mapping[str, Codes]
    source: NDArray[np.int64]
    attribute: Sequence[str]
    from_value: Sequence[str]
    to_value: Sequence[str]


def check_pool(
    population: Population, n: int, temperature: Temperature, age_from: int, age_to: int
) -> None:
    """Say what is wrong with the figures of a pool.

    Raises:
        InputError: ``n`` is not 1 to ``MOST``, ages are reversed or beyond the population's, a
            temperature is not 0 to 1.
        NotFound: a temperature is given for an attribute that the population has not.
    """
    if not 0 < n <= MOST:
        raise InputError(f"{n} people; a pool has 1 to {MOST:,}", where="n")
    oldest = len(population.attribute(AGE).levels) - 1
    if not 0 <= age_from <= age_to <= oldest:
        raise InputError(
            f"ages from {age_from} to {age_to}; give whole years with "
            f"0 <= age-from <= age-to <= {oldest}",
            where="age",
        )
    given = temperature if isinstance(temperature, Mapping) else {"": temperature}
    for name, value in given.items():
        if name:
            population.attribute(name)
        if not 0 <= value <= 1:
            raise InputError(
                f"{value} is no temperature; give 0 (the population) to 1 (all possible values "
                "equally often)",
                where=f"temperature of {name}" if name else "temperature",
            )


def all_rows(connection: sa.Connection) -> list[DatasetRow]:
    """Every dataset, the oldest first."""
    return [_row(found) for found in connection.execute(sa.select(datasets).order_by("id"))]


def row_of(connection: sa.Connection, id_or_name: int | str) -> DatasetRow:
    """One dataset by id or name. Raises ``NotFound``, which says what there is."""
    wanted = str(id_or_name).strip()
    matches = datasets.c.id == int(wanted) if _is_id(wanted) else datasets.c.name == wanted
    found = connection.execute(sa.select(datasets).where(matches)).one_or_none()
    if found is None:
        raise NotFound("dataset", wanted, hint=_what_there_is(connection))
    return _row(found)


def check_name(connection: sa.Connection, name: str) -> None:
    """Raise ``InputError`` for a name that cannot be one, ``Conflict`` for one that is taken."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise InputError(f"{name!r} is no name for a dataset; use words on one line", where="name")
    if name.isascii() and name.isdigit():
        raise InputError(
            f"{name!r} would be taken for an id; a dataset's name needs a letter", where="name"
        )
    if len(name) > _LONGEST_NAME:
        raise InputError(
            f"a name of {len(name)} letters; {_LONGEST_NAME} are the most", where="name"
        )
    if _is_taken(connection, name):
        raise taken(name)


def free_name(connection: sa.Connection, wish: str) -> str:
    """The name wished for, or that with a number where somebody else gave it by hand."""
    name, number = wish, 1
    while _is_taken(connection, name):
        number += 1
        name = f"{wish}-{number}"
    return name


def taken(name: str) -> Conflict:
    """What is said where a name is taken."""
    return Conflict(
        f"there is a dataset {name!r} already; give another name, or delete that one first",
        id=name,
    )


def next_number(connection: sa.Connection, counter: str, n: int) -> int:
    """The first of ``n`` numbers that nobody has had or will have; they begin with 1."""
    statement = sa.text(
        "INSERT INTO counters (name, next) VALUES (:name, 1 + :n) "
        "ON CONFLICT (name) DO UPDATE SET next = counters.next + :n RETURNING next"
    ).bindparams(sa.bindparam("n", type_=counters.c.next.type))
    after: int = connection.execute(statement, {"name": counter, "n": n}).scalar_one()
    return after - n


def refuse_if_used(connection: sa.Connection, row: DatasetRow) -> None:
    """Raise ``Conflict`` where a dataset was made from this one, or a run asked its people."""
    below = connection.execute(
        sa.select(datasets.c.id, datasets.c.name)
        .where(datasets.c.source_id == row.id)
        .order_by("id")
    ).all()
    if below:
        names = _some([f"{found.name} ({found.id})" for found in below])
        raise Conflict(
            f"dataset {row.name!r} is what {names} was made from; delete that first",
            id=str(row.id),
        )
    asked = connection.execute(
        sa.select(runs.c.id, runs.c.config).where(runs.c.instrument == "survey").order_by("id")
    )
    used = [found.id for found in asked if _dataset_of(found.config) == row.id]
    if used:
        raise Conflict(
            f"dataset {row.name!r} was asked in {_some(used)}; delete that run first",
            id=str(row.id),
        )


def _dataset_of(config: Mapping[str, Any]) -> int | None:
    asked: int | None = config.get("dataset")
    return asked


def _row(found: sa.Row[Any]) -> DatasetRow:
    return DatasetRow(**{known.name: getattr(found, known.name) for known in fields(DatasetRow)})


def _is_id(text: str) -> bool:
    # Longer numbers are no ids in any database.
    return text.isascii() and text.isdigit() and len(text) <= 18


def _is_taken(connection: sa.Connection, name: str) -> bool:
    found = connection.execute(sa.select(datasets.c.id).where(datasets.c.name == name))
    return found.one_or_none() is not None


def _what_there_is(connection: sa.Connection) -> str:
    known = connection.execute(sa.select(datasets.c.id, datasets.c.name).order_by("id")).all()
    if not known:
        return "none has been made here yet; make one with evenhand survey pool"
    return "there are " + _some([f"{found.id} ({found.name})" for found in known])


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:12])
    return f"{shown} and {len(words) - 12} more" if len(words) > 12 else shown
