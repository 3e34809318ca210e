"""Datasets of personas in the database: pools, and what is drawn, balanced or varied from them.

Everything of a dataset is written in one transaction, so that a killed process leaves nothing
half. Personas are shared: a subset holds members of its pool, not copies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import sqlalchemy as sa
import zstandard
from numpy.typing import NDArray

import evenhand
from evenhand.errors import Conflict, InputError
from evenhand.settings import Settings
from evenhand.store.database import Database
from evenhand.store.survey_tables import datasets, populations
from evenhand.survey.people import bulk
from evenhand.survey.people.dataset_rows import (
    KINDS,
    DatasetRow,
    Links,
    NewVariants,
    Temperature,
    all_rows,
    check_name,
    check_pool,
    free_name,
    next_number,
    refuse_if_used,
    row_of,
    taken,
)
from evenhand.survey.people.people import Codes, People, axis_codes
from evenhand.survey.population.load import population_from_files
from evenhand.survey.population.sample import sample_people
from evenhand.survey.population.spec import AGE, Attribute, Grouping, Population

__all__ = ["DatasetRow", "Datasets", "Links", "NewVariants"]


# The personas go first: what another dataset holds is asked of the members that are still there.
_DELETE = (
    """
    DELETE FROM personas WHERE id IN (SELECT persona_id FROM members WHERE dataset_id = :dataset)
    AND NOT EXISTS (
        SELECT 1 FROM datasets d WHERE d.id <> :dataset AND EXISTS (
            SELECT 1 FROM members m WHERE m.dataset_id = d.id AND m.persona_id = personas.id
        )
    )
    """,
    "DELETE FROM links WHERE dataset_id = :dataset",
    "DELETE FROM members WHERE dataset_id = :dataset",
    "DELETE FROM datasets WHERE id = :dataset",
)


@dataclass(slots=True)
class _Tally:
    """People by axis and level, chunk after chunk."""

    population: Population
    axes: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, codes: Mapping[str, Codes]) -> None:
        people = People(np.empty(len(codes[AGE]), dtype=np.int64), codes)
        axes: tuple[Attribute | Grouping, ...] = (
            *self.population.attributes,
            *self.population.groupings,
        )
        for axis in axes:
            if axis.name != AGE:
                places = axis_codes(self.population, people, axis.name)
                found = np.bincount(places, minlength=len(axis.levels))
                self.axes[axis.name] = self.axes.get(axis.name, 0) + found

    def told(self) -> dict[str, dict[str, int]]:
        return {
            name: {
                level.code: int(count)
                for level, count in zip(self.population.axis(name).levels, counts, strict=True)
                if count
            }
            for name, counts in self.axes.items()
        }


@lru_cache(maxsize=4)
def _population(body: bytes) -> Population:
    """The population that the database keeps as these bytes; building it takes a tenth of a second."""
    kept = orjson.loads(zstandard.decompress(body))
    return population_from_files(kept["files"], settings=kept["settings"])


class Datasets:
    """The datasets of a database; opening it creates and migrates the database where needed.

    Raises ``StorageError`` when the database cannot be used.

    Example:
        >>> import tempfile
        >>> from evenhand.survey.population.load import load_population
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Datasets(Settings.resolve(workspace=folder, environ={})) as held:
        ...         row = held.create_pool(load_population("de-2024"), 10, seed=1)
        ...         row.name, row.n, len(held.people(row.id))
        ('pool-1', 10, 10)
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database.open(settings)

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self.database.close()

    def __enter__(self) -> Datasets:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # ------------------------------------------------------------------ reading

    def all(self) -> list[DatasetRow]:
        """Every dataset, the oldest first."""
        with self.database.reading() as connection:
            return all_rows(connection)

    def get(self, id_or_name: int | str) -> DatasetRow:
        """One dataset by id or name. Raises ``NotFound``, which says what there is."""
        with self.database.reading() as connection:
            return row_of(connection, id_or_name)

    def population(self, id_or_name: int | str) -> Population:
        """The population of a dataset, from the definition that the database keeps."""
        row = self.get(id_or_name)
        with self.database.reading() as connection:
            body = connection.execute(
                sa.select(populations.c.body).where(populations.c.digest == row.population)
            ).scalar_one()
        return _population(body)

    def people(self, id_or_name: int | str) -> People:
        """A dataset's people as columns, in the order of their ids."""
        row = self.get(id_or_name)
        population = self.population(row.id)
        with self.database.reading() as connection:
            return bulk.read_people(connection, population, row.id, row.n)

    def roles(self, id_or_name: int | str) -> NDArray[np.str_]:
        """Each person's role, ``source`` or ``variant``, in the order of ``people``."""
        row = self.get(id_or_name)
        found = np.full(row.n, "source", dtype="U7")
        if set(row.counts["roles"]) == {"source"}:
            return found
        statement = "SELECT role FROM members WHERE dataset_id = :dataset ORDER BY persona_id"
        at = 0
        with self.database.reading() as connection:
            for (column,) in bulk.stream(connection, statement, {"dataset": row.id}):
                found[at : at + len(column)] = column
                at += len(column)
        return found

    def links(self, id_or_name: int | str) -> Links:
        """A dataset's counterfactual pairs; none for other kinds."""
        row = self.get(id_or_name)
        statement = (
            "SELECT source_id, variant_id, attribute, from_value, to_value FROM links "
            "WHERE dataset_id = :dataset ORDER BY variant_id"
        )
        columns: tuple[list[Any], ...] = ([], [], [], [], [])
        with self.database.reading() as connection:
            for chunk in bulk.stream(connection, statement, {"dataset": row.id}):
                for whole, part in zip(columns, chunk, strict=True):
                    whole.extend(part)
        source, variant, *texts = columns
        attribute, from_value, to_value = map(tuple, texts)
        return Links(
            np.array(source, dtype=np.int64),
            np.array(variant, dtype=np.int64),
            attribute,
            from_value,
            to_value,
        )

    # ------------------------------------------------------------------ writing

    def create_pool(
        self,
        population: Population,
        n: int,
        *,
        seed: int,
        temperature: Temperature = 0.0,
        age_from: int = 0,
        age_to: int | None = None,
        name: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> DatasetRow:
        """Sample ``n`` people and keep them; the same arguments give the same rows.

        ``age_to`` is the population's oldest age unless given.
        ``progress`` is told how many are stored after each chunk.

        Raises:
            InputError: ``n``, an age, a temperature, the seed or the name is out of range.
            NotFound: a temperature is given for an attribute that the population has not.
            Conflict: the name is taken.
        """
        if age_to is None:
            age_to = len(population.attribute(AGE).levels) - 1
        check_pool(population, n, temperature, age_from, age_to)
        config = {
            "n": n,
            "temperature": temperature
            if isinstance(temperature, float | int)
            else {**temperature},
            "age_from": age_from,
            "age_to": age_to,
            "population": population.name,
            "settings": dict(population.settings),
        }
        rng = np.random.default_rng(_checked(seed))
        entry = self._reserve("pool", population, name, n)
        tally = _Tally(population)
        with self.database.writing() as connection:
            entry.insert(connection, None, seed, config)
            # The size of a chunk belongs to what a seed means: each is drawn after the last.
            for start in range(0, n, bulk.CHUNK):
                size = min(bulk.CHUNK, n - start)
                codes = sample_people(
                    population,
                    size,
                    rng=rng,
                    temperature=temperature,
                    age_from=age_from,
                    age_to=age_to,
                )
                bulk.write_people(connection, population, codes, entry.first + start)
                tally.add(codes)
                if progress is not None:
                    progress(start + size)
            bulk.write_new_members(connection, entry.id, entry.first, n, "source")
            entry.finish(connection, n, {"roles": {"source": n}, "axes": tally.told()})
            return row_of(connection, entry.id)

    def add(
        self,
        kind: str,
        population: Population,
        *,
        name: str | None = None,
        source: int | None = None,
        seed: int | None = None,
        config: Mapping[str, Any] | None = None,
        members: People | None = None,
        roles: Sequence[str] | None = None,
        links: Links | None = None,
        people: Mapping[str, Codes] | None = None,
        variants: NewVariants | None = None,
        more_counts: Mapping[str, Any] | None = None,
    ) -> DatasetRow:
        """Keep a dataset of personas that are there, of new ones, or of both.

        Args:
            kind: one of ``KINDS``.
            population: what the people are of.
            source: the id of the dataset that they were taken from.
            members: personas that are there already; ``roles`` has one for each (default:
                ``source``), ``links`` the pairs among them.
            people: new personas with the role ``source``, one array (m,) per attribute; they get
                ascending ids in this order.
            variants: new personas with the role ``variant``, and what each was made from.
            more_counts: what else to keep among the dataset's ``counts``.

        Raises:
            InputError: nobody is in it, a persona twice, or the kind or name is no good.
            Conflict: the name is taken, or the source dataset was deleted meanwhile.
        """
        if kind not in KINDS:
            raise InputError(f"no kind {kind!r} of dataset; there are {', '.join(KINDS)}")
        n_old = 0 if members is None else len(members)
        n_people = 0 if people is None else len(people[AGE])
        n_variants = 0 if variants is None else len(variants.source)
        n = n_old + n_people + n_variants
        if not n:
            raise InputError("a dataset of nobody is not kept; there is no one in it")
        if members is not None and len(np.unique(members.ids)) < n_old:
            raise InputError("a persona would be in the dataset twice")
        if roles is None:
            roles = ("source",) * n_old
        entry = self._reserve(kind, population, name, n_people + n_variants)
        tally, changed = _Tally(population), Counter[str]()
        with self.database.writing() as connection:
            entry.insert(connection, source, seed, dict(config or {}))
            if members is not None:
                bulk.write_members(connection, entry.id, members.ids, roles)
                tally.add(members.codes)
            if links is not None:
                entry.link(connection, links, links.variant)
                changed.update(links.attribute)
            if people is not None:
                entry.store(connection, population, people, 0, "source")
                tally.add(people)
            if variants is not None:
                ids = entry.store(connection, population, variants.codes, n_people, "variant")
                entry.link(connection, variants, ids)
                tally.add(variants.codes)
                changed.update(variants.attribute)
            by_role = Counter(roles) + Counter(source=n_people, variant=n_variants)
            counts: dict[str, Any] = {"roles": dict(sorted(by_role.items())), "axes": tally.told()}
            if changed:
                counts["changed"] = dict(sorted(changed.items()))
            counts |= more_counts or {}
            entry.finish(connection, n, counts)
            return row_of(connection, entry.id)

    def delete(self, id_or_name: int | str) -> DatasetRow:
        """Remove a dataset with its links, and the personas that no other dataset holds.

        Raises:
            NotFound: there is no such dataset.
            Conflict: another dataset was made from it, or a run asked its people.
        """
        with self.database.writing() as connection:
            row = row_of(connection, id_or_name)
            refuse_if_used(connection, row)
            for statement in _DELETE:
                connection.execute(sa.text(statement), {"dataset": row.id})
        return row

    def _reserve(
        self, kind: str, population: Population, name: str | None, n_personas: int
    ) -> _Entry:
        """Keep the population and give out ids, in a short transaction of its own.

        So two processes never wait for each other while they sample, and an id is never given
        out twice: those of a process that was killed stay unused.
        """
        body = orjson.dumps(
            {
                "name": population.name,
                "files": dict(population.files),
                "settings": dict(population.settings),
            }
        )
        values = {
            "digest": population.digest,
            "name": population.name,
            "body": zstandard.compress(body),
        }
        with self.database.writing() as connection:
            if name is not None:
                check_name(connection, name)
            connection.execute(
                sa.text(
                    "INSERT INTO populations (digest, name, body) VALUES (:digest, :name, :body) "
                    "ON CONFLICT (digest) DO NOTHING"
                ),
                values,
            )
            dataset = next_number(connection, "datasets", 1)
            first = next_number(connection, "personas", n_personas) if n_personas else 0
        return _Entry(dataset, kind, population.digest, name, first)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A dataset being written: its id, and the first of the ids that its new personas get."""

    id: int
    kind: str
    population: str
    name: str | None
    first: int

    def insert(
        self,
        connection: sa.Connection,
        source: int | None,
        seed: int | None,
        config: dict[str, Any],
    ) -> None:
        """Take the name and stand on the source dataset, before the long work."""
        name = self.name or free_name(connection, f"{self.kind}-{self.id}")
        values = {
            "id": self.id,
            "name": name,
            "kind": self.kind,
            "population": self.population,
            "source_id": source,
            "seed": seed,
            "config": config,
            "n": 0,
            "counts": {},
            "version": evenhand.__version__,
            "created_at": datetime.now(UTC),
        }
        try:
            connection.execute(datasets.insert().values(values))
        except sa.exc.IntegrityError as error:
            if "foreign key" in str(error.orig).lower():
                raise Conflict(f"dataset {source} was deleted meanwhile", id=str(source)) from None
            raise taken(name) from None

    def store(
        self,
        connection: sa.Connection,
        population: Population,
        codes: Mapping[str, Codes],
        skip: int,
        role: str,
    ) -> NDArray[np.int64]:
        """Write new personas as members; returns their ids."""
        first, n = self.first + skip, len(codes[AGE])
        bulk.write_people(connection, population, codes, first)
        bulk.write_new_members(connection, self.id, first, n, role)
        return np.arange(first, first + n, dtype=np.int64)

    def link(
        self, connection: sa.Connection, pairs: Links | NewVariants, variant: NDArray[np.int64]
    ) -> None:
        """Write who was made from whom."""
        texts = (pairs.attribute, pairs.from_value, pairs.to_value)
        bulk.write_links(connection, self.id, variant, pairs.source, texts)

    def finish(self, connection: sa.Connection, n: int, counts: dict[str, Any]) -> None:
        """Say how many there are."""
        connection.execute(
            datasets.update().where(datasets.c.id == self.id).values(n=n, counts=counts)
        )


def _checked(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise InputError(f"{seed} is no seed; give a whole number from 0", where="seed")
    return seed
