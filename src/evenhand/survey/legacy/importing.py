"""The whole import: personas, datasets, traits, texts and ratings, with notes on their faults."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from evenhand.errors import Conflict, EvenhandError, InputError
from evenhand.reading.words import clean
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from evenhand.survey.legacy import faults
from evenhand.survey.legacy.people import (
    Gathered,
    LegacyDataset,
    gather_dataset,
    gather_people,
    key_of_row,
)
from evenhand.survey.legacy.results import (
    Answer,
    Home,
    RunTally,
    answers_of,
    trait_id,
    write_enrichment,
    write_ratings,
)
from evenhand.survey.legacy.source import LegacyDatabase
from evenhand.survey.legacy.words import CATEGORIES, plain_text
from evenhand.survey.people.dataset_rows import KINDS, DatasetRow, Links
from evenhand.survey.people.datasets import Datasets
from evenhand.survey.people.people import People
from evenhand.survey.spec import Trait
from evenhand.survey.traits import completed, store_traits, stored_traits

__all__ = ["Imported", "ImportedRun", "import_legacy"]

YOUNGEST_RATED = 14


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run made of one of the file's; ``units`` are ratings, or people with texts."""

    run: str
    kind: str
    name: str
    dataset: int
    units: int


@dataclass(slots=True)
class Imported:
    """What an import made, and what a person should know of it."""

    people: int = 0
    traits: int = 0
    datasets: list[DatasetRow] = field(default_factory=list)
    runs: list[ImportedRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_legacy(
    path: str | Path, settings: Settings, *, name_prefix: str = "", ids: str | Path | None = None
) -> Imported:
    """Import a database of the Social Bias Benchmark, which is only read.

    Personas are stored once, as members of a dataset of everybody and of each dataset that the
    file says they are in. Texts and ratings become finished runs that can be analysed.

    Args:
        path: its SQLite file.
        settings: the workspace and database to write to.
        name_prefix: goes before the name of every dataset.
        ids: a CSV file to write, with the id that each of its personas got.

    Raises:
        InputError: the file is no such database.
        Conflict: a dataset's name is taken. Whatever had been written is removed again.
    """
    with (
        LegacyDatabase(path) as source,
        Datasets(settings) as datasets,
        Ledger(settings) as ledger,
    ):
        work = _Import(source, datasets, ledger, name_prefix)
        try:
            work.all()
            if ids is not None:
                _write_ids(ids, work.people, work.ids)
        except BaseException:
            work.undo()
            raise
        return work.made


class _Import:
    """One import on its way. Everything it writes is in ``made``, so that it can be undone."""

    def __init__(
        self, source: LegacyDatabase, datasets: Datasets, ledger: Ledger, prefix: str
    ) -> None:
        self.source = source
        self.datasets = datasets
        self.ledger = ledger
        self.prefix = prefix
        self.made = Imported()
        self.people: Gathered = gather_people(source)
        self.ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.traits: tuple[Trait, ...] = ()
        self._homes: dict[Any, Home] = {}
        self._models = {id: clean(plain_text(name)) for id, name in source.rows("model")}

    def all(self) -> None:
        """Everything, in the order in which one part needs another."""
        notes = self.made.notes
        if self.source.missing:
            notes.append(f"the file has no {', '.join(self.source.missing)}")
        notes.extend(faults.of_people(self.people))
        self._datasets()
        self._traits()
        self._enrichments()
        self._ratings()
        self._keep_traits()
        self.made.people = len(self.people)

    def undo(self) -> None:
        """Remove what was written."""
        mine = {row.id for row in self.made.datasets}
        for run in self.ledger.runs():
            # A run that was being written is not in ``made`` yet.
            if "imported" in run.config and run.config.get("dataset") in mine:
                with suppress(EvenhandError):
                    self.ledger.delete(run.id)
        for row in reversed(self.made.datasets):
            with suppress(EvenhandError):
                self.datasets.delete(row.id)

    # ------------------------------------------------------------------ datasets

    def _datasets(self) -> None:
        found = [
            gather_dataset(self.source, row, self.people)
            for row in self.source.rows("dataset", order=("id",))
        ]
        full = [dataset for dataset in found if len(dataset.members)]
        names = self._names(full)
        everybody = self.datasets.add(
            "imported",
            self.people.population,
            name=f"{self.prefix}everybody",
            people=self.people.codes,
            config={"imported": {"from": Path(self.source.where).name}},
        )
        self.made.datasets.append(everybody)
        self.ids = self._ids_of(everybody.id)
        people = People(self.ids, self.people.codes)
        self._homes[None] = Home(everybody, self.people.population, people)
        for dataset, name in zip(full, names, strict=True):
            self._dataset(dataset, name)
        pools = [row.name for row in self.made.datasets if row.kind == "pool"]
        for dataset in found:
            if not len(dataset.members):
                self.made.notes.extend(faults.of_dataset(dataset, self.people, pools))

    def _ids_of(self, dataset: int) -> NDArray[np.int64]:
        """The ids that new people got: ascending, in the order in which they were given."""
        statement = sa.text(
            "SELECT persona_id FROM members WHERE dataset_id = :dataset ORDER BY persona_id"
        )
        with self.datasets.database.reading() as connection:
            found = connection.execute(statement, {"dataset": dataset}).scalars().all()
        return np.array(found, dtype=np.int64)

    def _names(self, found: Sequence[LegacyDataset]) -> list[str]:
        """The datasets' names here; none may be taken."""
        names: list[str] = []
        for dataset in found:
            name = clean(dataset.name)[:150].strip() or "dataset"
            name = f"{self.prefix}{name}".strip()
            if name.isdigit() or name in names or not name.isprintable():
                name = f"dataset {plain_text(dataset.id)} {name}".strip()
            names.append(name)
        taken = {row.name for row in self.datasets.all()}
        for name in (f"{self.prefix}everybody", *names):
            if name in taken:
                raise Conflict(
                    f"there is a dataset {name!r} already; give --name-prefix, or delete that one",
                    id=name,
                )
        return names

    def _dataset(self, dataset: LegacyDataset, name: str) -> None:
        notes = list(faults.of_dataset(dataset, self.people, ()))
        self.made.notes.extend(notes)
        members = self._taken(dataset.members)
        source = self._homes.get(dataset.source) if dataset.source is not None else None
        row = self.datasets.add(
            {"generated": "pool"}.get(dataset.kind, dataset.kind)
            if dataset.kind in (*KINDS, "generated")
            else "imported",
            self.people.population,
            name=name,
            source=None if source is None else source.row.id,
            seed=dataset.seed,
            config={
                "imported": {
                    "from": Path(self.source.where).name,
                    "dataset": plain_text(dataset.id),
                    "kind": dataset.kind,
                    **dataset.config,
                    "notes": notes,
                }
            },
            members=members,
            roles=[
                "variant" if at in dataset.variants else "source"
                for at in dataset.members.tolist()
            ],
            links=self._links(dataset),
        )
        self.made.datasets.append(row)
        self._homes[dataset.id] = Home(row, self.people.population, members)

    def _taken(self, rows: NDArray[np.int64]) -> People:
        codes = {name: column[rows] for name, column in self.people.codes.items()}
        return People(self.ids[rows], codes)

    def _links(self, dataset: LegacyDataset) -> Links | None:
        """The pairs, their values taken from the two personas: an age's bin was stored, not the age."""
        pairs = dataset.pairs
        if not len(pairs.variant):
            return None
        levels = {
            attribute.name: [level.code for level in attribute.levels]
            for attribute in self.people.population.attributes
        }

        def said(rows: NDArray[np.int64]) -> tuple[str, ...]:
            return tuple(
                levels[name][int(self.people.codes[name][row])]
                for name, row in zip(pairs.attribute, rows.tolist(), strict=True)
            )

        return Links(
            self.ids[pairs.source],
            self.ids[pairs.variant],
            pairs.attribute,
            said(pairs.source),
            said(pairs.variant),
        )

    # ------------------------------------------------------------------ traits

    def _traits(self) -> None:
        traits = [
            Trait(
                trait_id(id),
                {"de": clean(plain_text(adjective))[:80] or trait_id(id)},
                _category(category),
                valence if type(valence) is int and valence in {-1, 0, 1} else None,
            )
            for id, adjective, category, valence, _active in self.source.rows(
                "case", order=("id",)
            )
            if trait_id(id)
        ]
        read = completed(traits)
        self.made.notes.extend(f"traits: {note}" for note in read.notes)
        self.traits = read.traits

    def _keep_traits(self) -> None:
        """Enter the traits in the catalogue, beside those that are there."""
        known = {trait.id: trait for trait in stored_traits(self.ledger.database)}
        new = [trait for trait in self.traits if trait.id not in known]
        other = [
            trait.id
            for trait in self.traits
            if trait.id in known and known[trait.id].adjective.get("de") != trait.adjective["de"]
        ]
        if other:
            self.made.notes.append(
                f"this database has other traits with the ids {', '.join(other[:8])}; they stay, "
                "and the imported runs keep their own"
            )
        if new:
            store_traits(self.ledger.database, new)
            self.made.notes.append(
                f"{len(new)} traits are in this database's catalogue now, and are what a run asks; "
                "evenhand survey traits import default --replace brings back our own list"
            )
        self.made.traits = len(self.traits)

    # ------------------------------------------------------------------ runs

    def _enrichments(self) -> None:
        known = list(self.source.rows("attrgenerationrun", order=("id",)))
        for row in [*known, (None,) * 11]:
            texts = self._texts(row[0])
            if not texts:
                continue
            home = self._home(row[1])
            if not set(texts) <= set(home.people.ids.tolist()):
                home = self._homes[None]
            model = self._model(row[2])
            notes = []
            if row[0] is None:
                notes.append(
                    "texts whose run is not known; of which model they are cannot be told"
                )
            run_id = write_enrichment(
                self.ledger, home, texts, run=row, model=model,
                name=f"{home.row.name} described by {model}", notes=notes,
            )  # fmt: skip
            self._made_run(run_id, "enrichment", home, len(texts), notes)

    def _texts(self, run: Any) -> dict[int, dict[str, str]]:
        """The texts of one run by persona id; of several for one persona the last."""
        found: dict[int, dict[str, str]] = {}
        where = ("attr_generation_run_id", run)
        order = ("persona_uuid_id", "id")
        for _, persona, _, _, key, value in self.source.rows(
            "additionalpersonaattributes", where=where, order=order
        ):
            at = self.people.place.get(key_of_row(persona))
            name, text = plain_text(key).casefold(), clean(plain_text(value))[:5_000]
            if at is not None and name and text:
                found.setdefault(int(self.ids[at]), {})[name] = text
        return found

    def _ratings(self) -> None:
        n_rows = 0
        for row in self.source.rows("benchmarkrun", order=("id",)):
            tally = RunTally()
            home = self._home(row[1])
            inside = np.isin(self.ids, home.people.ids)
            counts, asked, rated = [0, 0], set[str](), np.zeros(len(self.people), dtype=bool)
            for answer in answers_of(self.source, row, self.people, tally):
                counts[int(inside[answer.person])] += 1
                asked.add(answer.trait)
                rated[answer.person] = True
            n_rows += tally.kept + sum(tally.lost.values())
            notes = self._run_notes(row, tally, rated)
            if not sum(counts):
                self.made.notes.append(
                    f"run {plain_text(row[0])} has no ratings and is not imported"
                )
            # Its command line could ask personas outside the run's dataset.
            for is_inside, place in ((True, home), (False, self._homes[None])):
                if counts[is_inside]:
                    some = self._some(row, inside == is_inside)
                    self._rating_run(row, place, some, counts[is_inside], asked, notes)
        orphans = self.source.count("benchmarkresult") - n_rows
        if orphans > 0:
            self.made.notes.append(f"not imported: {orphans:,} ratings of runs that are not there")

    def _some(self, row: Sequence[Any], wanted: NDArray[np.bool_]) -> Iterator[Answer]:
        answers = answers_of(self.source, row, self.people, RunTally())
        return (answer for answer in answers if wanted[answer.person])

    def _run_notes(
        self, row: Sequence[Any], tally: RunTally, rated: NDArray[np.bool_]
    ) -> list[str]:
        young = int((rated & (self.people.codes["age"] < YOUNGEST_RATED)).sum())
        dual = row[8] if isinstance(row[8], int | float) else 0.0
        return list(faults.of_run(tally, n_young=young, mode=plain_text(row[7]), dual=dual))

    def _rating_run(
        self,
        row: Sequence[Any],
        home: Home,
        answers: Iterator[Answer],
        n: int,
        asked: set[str],
        notes: Sequence[str],
    ) -> None:
        traits = [trait for trait in self.traits if trait.id in asked]
        lost = sorted(asked - {trait.id for trait in traits})
        if lost:
            notes = [*notes, f"traits without an entry in its catalogue: {', '.join(lost[:8])}"]
            traits += [Trait(id, {"de": id}) for id in lost]
        model = self._model(row[2])
        run_id = write_ratings(
            self.ledger, home, answers, self.ids, n=n, run=row, model=model, traits=traits,
            name=f"{home.row.name} rated by {model}", notes=notes,
        )  # fmt: skip
        self._made_run(run_id, "ratings", home, n, notes)

    def _made_run(self, run_id: str, kind: str, home: Home, n: int, notes: Sequence[str]) -> None:
        name = self.ledger.run(run_id).name
        self.made.runs.append(ImportedRun(run_id, kind, name, home.row.id, n))
        self.made.notes.extend(f"{run_id}: {note}" for note in notes)

    def _home(self, dataset: Any) -> Home:
        return self._homes.get(dataset) or self._homes[None]

    def _model(self, id: Any) -> str:
        return self._models.get(id) or "unknown"


def _category(text: Any) -> str | None:
    word = clean(plain_text(text))[:80]
    return CATEGORIES.get(word.casefold(), word) or None


def _write_ids(path: str | Path, people: Gathered, ids: NDArray[np.int64]) -> None:
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["uuid", "id"])
            writer.writerows(zip(people.uuids, ids.tolist(), strict=True))
    except OSError as error:
        raise InputError(f"cannot write the ids ({error.strerror})", where=str(path)) from None
