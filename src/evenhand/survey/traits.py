"""What personas are rated on: our list of traits, a user's file, and the database's catalogue.

Two CSV layouts are read: ``id,adjective``, and the full one, ``id,adjective_de,adjective_en,
category,valence,opposite``, which may have an ``adjective_…`` column for any language.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from evenhand.errors import InputError, InvalidInputs
from evenhand.store.database import Database
from evenhand.survey.spec import Trait

__all__ = [
    "TraitFile",
    "as_json",
    "catalogue",
    "completed",
    "default_traits",
    "from_json",
    "parse_traits",
    "read_trait_file",
    "read_traits",
    "store_traits",
    "stored_traits",
    "write_traits",
]

MAX_BYTES = 4_000_000
MAX_CHARS = 80
_ID = re.compile(r"[^\s/,;\"'\x00-\x1f]{1,64}")
_ADJECTIVE = re.compile(r"adjective_([a-z]{2,8}(?:-[A-Za-z0-9]{2,8})?)")
_PLAIN_COLUMNS = ("id", "adjective", "category", "valence", "opposite")


@dataclass(frozen=True, slots=True)
class TraitFile:
    """The traits of a file, and what a person should know about them."""

    traits: tuple[Trait, ...]
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def default_traits() -> tuple[Trait, ...]:
    """Our own list: warmth, competence, morality and social, ten each, in reverse-keyed pairs.

    Example:
        >>> traits = default_traits()
        >>> len(traits), traits[0].adjective["de"], traits[0].opposite
        (40, 'freundlich', 'warm-unfriendly')
    """
    file = resources.files("evenhand.survey") / "data" / "traits.csv"
    return parse_traits(file.read_text(encoding="utf-8"), where="traits.csv").traits


def read_traits(path: str | Path, *, language: str = "de") -> tuple[Trait, ...]:
    """Traits from a CSV file in either layout; ``read_trait_file`` gives the notes too."""
    return read_trait_file(path, language=language).traits


def read_trait_file(path: str | Path, *, language: str = "de") -> TraitFile:
    """Traits from a CSV file in either layout, with notes.

    Args:
        path: a UTF-8 file, with or without a byte order mark.
        language: of the adjectives in the layout ``id,adjective``.

    Raises:
        InputError: the file cannot be read.
        InvalidInputs: every wrong row of it, with line and column.
    """
    where = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read the traits ({error.strerror})", where=where) from None
    if len(raw) > MAX_BYTES:
        raise InputError(
            f"larger than {MAX_BYTES // 1_000_000} MB; is it a CSV file of traits?", where=where
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start}); save it as UTF-8", where=where
        ) from None
    return parse_traits(text, where=where, language=language)


def parse_traits(text: str, *, where: str = "traits", language: str = "de") -> TraitFile:
    """Traits from CSV text; separated by commas, or by semicolons where the header has those.

    A trait without a valence takes it, and a category where it has none, from our list where its
    adjective is there; the notes say so, and name those that stay without one.

    Raises:
        InvalidInputs: every wrong row, with line and column.

    Example:
        >>> read = parse_traits("id,adjective\\ng1,freundlich\\ng2,laut\\n")
        >>> [(trait.id, trait.valence) for trait in read.traits]
        [('g1', 1), ('g2', None)]
        >>> read.notes[0]
        'valence taken from our list, by the adjective: g1 1 (warmth)'
    """
    table = _Table(where, language)
    rows = table.rows(text)
    traits = [table.trait(line, row) for line, row in rows]
    table.check(traits, [line for line, _ in rows])
    if table.problems:
        raise InvalidInputs(table.problems)
    return completed(traits)


class _Table:
    """One CSV text on its way to traits; problems are gathered and told together."""

    def __init__(self, where: str, language: str) -> None:
        self.where = where
        self.language = language
        self.columns: tuple[str, ...] = ()
        self.problems: list[InputError] = []

    def problem(self, line: int, column: str, message: str) -> None:
        place = f"{self.where}: line {line}" + (f", column {column}" if column else "")
        self.problems.append(InputError(message, where=place))

    def rows(self, text: str) -> list[tuple[int, dict[str, str]]]:
        head = text.partition("\n")[0]
        delimiter = ";" if head.count(";") > head.count(",") else ","
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        found: list[tuple[int, dict[str, str]]] = []
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if not self.columns:
                    self._header(reader.line_num, cells)
                else:
                    found.append((reader.line_num, self._row(reader.line_num, cells)))
        except csv.Error as error:
            self.problem(reader.line_num, "", f"not CSV ({error})")
        if not self.columns or not found:
            self.problem(1, "", "no traits; the first line names the columns: id,adjective")
        if self.problems:
            raise InvalidInputs(self.problems)
        return found

    def _header(self, line: int, cells: Sequence[str]) -> None:
        self.columns = tuple(cell.strip().casefold() for cell in cells)
        for name in self.columns:
            if name not in _PLAIN_COLUMNS and not _ADJECTIVE.fullmatch(name):
                known = "id, adjective or adjective_LANGUAGE, category, valence, opposite"
                self.problem(line, name or "(no name)", f"unknown column; there are {known}")
            elif self.columns.count(name) > 1:
                self.problem(line, name, "the column stands there twice")
        if "id" not in self.columns:
            self.problem(line, "id", "the column is missing")
        if not any(name.startswith("adjective") for name in self.columns):
            self.problem(line, "adjective", "the column is missing")
        if self.problems:
            raise InvalidInputs(self.problems)

    def _row(self, line: int, cells: Sequence[str]) -> dict[str, str]:
        if len(cells) != len(self.columns):
            self.problem(line, "", f"{len(cells)} cells under {len(self.columns)} columns")
        return {name: cell.strip() for name, cell in zip(self.columns, cells, strict=False)}

    def trait(self, line: int, row: Mapping[str, str]) -> Trait:
        key = row.get("id", "")
        if not _ID.fullmatch(key):
            self.problem(
                line, "id", f"{key!r}: 1 to 64 characters, without spaces, slashes and quotes"
            )
        adjectives: dict[str, str] = {}
        for name in self.columns:
            if name.startswith("adjective") and row.get(name):
                self._adjective(line, name, row[name], adjectives)
        if not adjectives:
            self.problem(line, "adjective", f"{key or 'the trait'} has no adjective")
        return Trait(
            key,
            adjectives,
            row.get("category") or None,
            self._valence(line, row.get("valence", "")),
            row.get("opposite") or None,
        )

    def _adjective(self, line: int, name: str, text: str, into: dict[str, str]) -> None:
        language = name.removeprefix("adjective").removeprefix("_") or self.language
        if len(text) > MAX_CHARS or not text.isprintable():
            self.problem(line, name, f"{text[:40]!r}: one line of at most {MAX_CHARS} characters")
        if into.get(language, text) != text:
            self.problem(line, name, f"two adjectives in {language}: {into[language]!r}, {text!r}")
        into[language] = text

    def _valence(self, line: int, text: str) -> int | None:
        if text in {"", "?"}:
            return None
        if text in {"1", "+1", "0", "-1", "\u22121"}:
            return int(text.replace("\u2212", "-"))
        self.problem(line, "valence", f"{text!r}; it is 1 (good), -1 (bad), 0 (neither) or empty")
        return None

    def check(self, traits: Sequence[Trait], lines: Sequence[int]) -> None:
        """What only the whole table shows: ids twice, adjectives twice, opposites that are not."""
        first: dict[str, int] = {}
        said: dict[tuple[str, str], str] = {}
        for line, trait in zip(lines, traits, strict=True):
            if trait.id in first:
                self.problem(line, "id", f"{trait.id!r} stands in line {first[trait.id]} already")
            first.setdefault(trait.id, line)
            for language, adjective in trait.adjective.items():
                other = said.setdefault((language, adjective.casefold()), trait.id)
                if other != trait.id:
                    self.problem(line, "adjective", f"{adjective!r} is {other!r} already")
        by_id = {trait.id: trait for trait in traits}
        for line, trait in zip(lines, traits, strict=True):
            if trait.opposite:
                self._opposite(line, trait, by_id)

    def _opposite(self, line: int, trait: Trait, by_id: Mapping[str, Trait]) -> None:
        other = by_id.get(trait.opposite or "")
        if other is None or other.id == trait.id:
            self.problem(line, "opposite", f"{trait.opposite!r} is no other trait of this file")
        elif other.opposite not in {None, trait.id}:
            self.problem(
                line,
                "opposite",
                f"{other.id!r} has {other.opposite!r} as its opposite, not {trait.id!r}",
            )
        elif trait.valence and other.valence and trait.valence == other.valence:
            self.problem(line, "opposite", f"{other.id!r} has the same valence, {other.valence}")


def completed(traits: Sequence[Trait]) -> TraitFile:
    """Fill in valences and categories that our list knows. Our own list states all of its own."""
    if all(trait.valence is not None for trait in traits):
        return TraitFile(tuple(traits))
    known = {
        (language, adjective.casefold()): trait
        for trait in default_traits()
        for language, adjective in trait.adjective.items()
    }
    made: list[Trait] = []
    taken, without = [], []
    for trait in traits:
        if trait.valence is None:
            said = ((lang, text.casefold()) for lang, text in trait.adjective.items())
            ours = next((known[key] for key in said if key in known), None)
            if ours is None:
                without.append(trait.id)
            else:
                trait = replace(
                    trait, valence=ours.valence, category=trait.category or ours.category
                )
                taken.append(f"{trait.id} {trait.valence} ({trait.category})")
        made.append(trait)
    notes = []
    if taken:
        notes.append(f"valence taken from our list, by the adjective: {', '.join(taken)}")
    if without:
        said_by = f"no valence, so no part in aligned means: {', '.join(without)}"
        notes.append(f"{said_by}; say 1, -1 or 0 in a column valence")
    return TraitFile(tuple(made), tuple(notes))


# -- writing -----------------------------------------------------------------------------------


def write_traits(
    traits: Iterable[Trait], path: str | Path, *, full: bool = True, language: str = "de"
) -> None:
    """Write traits as CSV: the full layout, or ``id,adjective`` in one language.

    Raises:
        InputError: the file cannot be written, or a trait has no adjective in that language.
    """
    traits = tuple(traits)
    text = _full(traits) if full else _plain(traits, language)
    try:
        Path(path).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"cannot write the traits ({error.strerror})", where=str(path)) from None


def _full(traits: Sequence[Trait]) -> str:
    languages = sorted({"de", "en"}.union(*(trait.adjective for trait in traits)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", *(f"adjective_{name}" for name in languages), *_PLAIN_COLUMNS[2:]])
    for trait in traits:
        said = [trait.adjective.get(name, "") for name in languages]
        valence = "" if trait.valence is None else trait.valence
        writer.writerow([trait.id, *said, trait.category or "", valence, trait.opposite or ""])
    return out.getvalue()


def _plain(traits: Sequence[Trait], language: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "adjective"])
    for trait in traits:
        if language not in trait.adjective:
            raise InputError(f"has no adjective in {language!r}", where=f"trait {trait.id}")
        writer.writerow([trait.id, trait.adjective[language]])
    return out.getvalue()


# -- JSON and the database ---------------------------------------------------------------------


def as_json(trait: Trait) -> dict[str, Any]:
    """A trait as it is stored with a run.

    Example:
        >>> from_json(as_json(default_traits()[0])) == default_traits()[0]
        True
    """
    return {
        "id": trait.id,
        "adjective": dict(trait.adjective),
        "category": trait.category,
        "valence": trait.valence,
        "opposite": trait.opposite,
    }


def from_json(body: Mapping[str, Any]) -> Trait:
    """A trait as it was stored with a run."""
    return Trait(
        body["id"],
        dict(body["adjective"]),
        body.get("category"),
        body.get("valence"),
        body.get("opposite"),
    )


def catalogue(database: Database) -> tuple[Trait, ...]:
    """What is asked where no file is named: the stored traits if there are any, else our list."""
    return stored_traits(database) or default_traits()


def stored_traits(database: Database) -> tuple[Trait, ...]:
    """The traits that were imported into this database, in the order of their import."""
    statement = sa.text(
        "SELECT id, adjectives, category, valence, opposite FROM traits ORDER BY place, id"
    )
    with database.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(Trait(row[0], orjson.loads(row[1]), row[2], row[3], row[4]) for row in rows)


_UPSERT = """
INSERT INTO traits (id, place, adjectives, category, valence, opposite)
VALUES (:id, :place, :adjectives, :category, :valence, :opposite)
ON CONFLICT (id) DO UPDATE SET adjectives = excluded.adjectives, category = excluded.category,
valence = excluded.valence, opposite = excluded.opposite
"""


def store_traits(
    database: Database, traits: Iterable[Trait], *, fresh: bool = False
) -> tuple[int, int]:
    """Add traits to the database's catalogue, and change those whose id is there.

    A changed trait keeps its place, its adjectives in other languages, and what the new one
    leaves open (category, valence, opposite). Runs are not touched: each keeps its own traits.

    Args:
        database: open for writing.
        traits: what to store.
        fresh: forget every stored trait first.

    Returns:
        How many were added, and how many changed or stayed the same.
    """
    traits = tuple(traits)
    with database.writing() as connection:
        if fresh:
            connection.execute(sa.text("DELETE FROM traits"))
        rows = connection.execute(
            sa.text("SELECT id, adjectives, category, valence, opposite, place FROM traits")
        ).all()
        known = {row[0]: row for row in rows}
        place = max((row[5] for row in rows), default=-1) + 1
        for trait in traits:
            connection.execute(sa.text(_UPSERT), _row_of(trait, known.get(trait.id), place))
            place += 1
    added = sum(trait.id not in known for trait in traits)
    return added, len(traits) - added


def _row_of(trait: Trait, known: Any, place: int) -> dict[str, Any]:
    said = (orjson.loads(known[1]) if known else {}) | dict(trait.adjective)
    before = known[2:5] if known else (None, None, None)
    return {
        "id": trait.id,
        "place": place,
        "adjectives": orjson.dumps(said).decode(),
        "category": trait.category or before[0],
        "valence": trait.valence if trait.valence is not None else before[1],
        "opposite": trait.opposite or before[2],
    }
