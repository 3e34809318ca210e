"""Static pages of transcripts beside their readings, for reading a run by eye.

Everything works from a folder, without a server and without a script: the filters are lists made
beforehand, one for each reading and group, behind a table of counts. Pages are written as the
conversations come, so that memory stays flat however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evenhand.errors import InputError, StorageError
from evenhand.report.html import csp_hash, environment, style
from evenhand.report.numbers import count

__all__ = ["READINGS", "BrowseItem", "BrowseMessage", "Written", "write_pages"]

READINGS: Mapping[str, str] = {
    "choice": "Choice",
    "refusal": "Refusal",
    "unreadable": "Unreadable",
    "statement": "Statement",
    "failed": "Failed",
}
"""Kinds of reading, in the order of the filter's columns. A message that never came is failed."""

ALL = "all"
OTHERS = "other groups"
MOST_GROUPS = 60
"""Lists are made for this many groups; the rest share one, so that files and memory are bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseMessage:
    """What one speaker said in one round, and how it was read.

    ``reading`` is a key of ``READINGS``; ``choice`` the option's id; ``rule`` what decided.
    """

    agent: str
    text: str
    reading: str
    identity: str = ""
    model: str = ""
    choice: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseItem:
    """One conversation: the question, its options, and the rounds.

    ``options`` are (id, text) pairs, ``gold`` the id of the right one. ``groups`` are the groups
    that the question or the speakers are about: the filter's rows.
    """

    key: str
    question: str
    context: str = ""
    options: tuple[tuple[str, str], ...] = ()
    gold: str | None = None
    condition: str = ""
    groups: tuple[str, ...] = ()
    status: str = ""
    rounds: tuple[tuple[BrowseMessage, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Where to begin reading, and how much there is."""

    index: Path
    conversations: int
    pages: int


@dataclass(slots=True)
class _List:
    """One filter's list: its rows wait for the next, because only then is a next page certain."""

    slug: str
    heading: str
    total: int = 0
    page: int = 1
    waiting: list[dict[str, str]] = field(default_factory=list)


def write_pages(
    items: Iterable[BrowseItem], folder: Path, *, title: str, page_size: int = 200
) -> Written:
    """Write transcripts as pages of a folder; open its ``index.html``.

    Args:
        items: conversations, taken one by one.
        folder: created when missing; pages of the same names are replaced.
        title: shown on every page.
        page_size: conversations to a page.

    Raises:
        InputError: ``page_size`` is below 1, or a reading is of no known kind.
        StorageError: the folder cannot be written.
    """
    if page_size < 1:
        raise InputError(f"a page of {page_size} conversations is not possible; give 1 or more")
    writer = _Writer(folder, title, page_size)
    try:
        for part in ("pages", "lists"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for item in items:
            writer.add(item)
        return writer.finish()
    except OSError as error:
        raise StorageError(
            f"the transcript pages cannot be written here ({error.strerror}); choose another folder",
            where=str(folder),
        ) from error


class _Writer:
    """Holds one page of conversations and at most one page of rows for each filter."""

    def __init__(self, folder: Path, title: str, page_size: int) -> None:
        self.folder = folder
        self.title = title
        self.page_size = page_size
        self.total = 0
        self.page = 1
        self.waiting: list[dict[str, Any]] = []
        self.groups: dict[str, int] = {}
        self.lists: dict[tuple[str, str], _List] = {}

    def add(self, item: BrowseItem) -> None:
        if len(self.waiting) == self.page_size:
            self._write_page(last=False)
            self.page += 1
        self.total += 1
        found = _kinds(item)
        self.waiting.append({"item": item, "id": f"c{self.total}", "readings": READINGS})
        row = {
            "href": f"../pages/{self.page:06d}.html#c{self.total}",
            "key": item.key,
            "question": _short(item.question),
            "condition": item.condition,
            "readings": ", ".join(READINGS[kind] for kind in READINGS if kind in found),
            "last": _last(item),
        }
        groups = {self._group(group) for group in item.groups}
        for reading, group in product([ALL, *found], [ALL, *sorted(groups)]):
            self._list(reading, group, row)

    def finish(self) -> Written:
        if self.waiting:
            self._write_page(last=True)
        for one in self.lists.values():
            self._write_list(one, last=True)
        pages = self.page if self.total else 0
        self._write(
            self.folder / "index.html",
            "browse_index.html.j2",
            table=self._table(),
            readings=[label for kind, label in READINGS.items() if self._total(kind, ALL)],
            total=count(self.total),
            first="pages/000001.html" if self.total else "",
            home="index.html",
        )
        return Written(self.folder / "index.html", self.total, pages)

    def _group(self, group: str) -> str:
        if group not in self.groups and len(self.groups) >= MOST_GROUPS:
            group = OTHERS
        self.groups.setdefault(group, len(self.groups) + 1)
        return group

    def _list(self, reading: str, group: str, row: dict[str, str]) -> None:
        one = self.lists.get((reading, group))
        if one is None:
            # Groups are numbered in file names: their words are no file names.
            slug = f"{reading}-{ALL if group == ALL else f'g{self.groups[group]:03d}'}"
            words = (
                READINGS.get(reading, "Every reading"),
                "every group" if group == ALL else group,
            )
            one = self.lists[reading, group] = _List(slug, ", ".join(words))
        if len(one.waiting) == self.page_size:
            self._write_list(one, last=False)
            one.page += 1
            one.waiting = []
        one.total += 1
        one.waiting.append(row)

    def _total(self, reading: str, group: str) -> int:
        one = self.lists.get((reading, group))
        return one.total if one else 0

    def _table(self) -> list[dict[str, Any]]:
        """The filter: a row for each group, a column for each reading, counts that are links."""
        kinds = [ALL, *(kind for kind in READINGS if self._total(kind, ALL))]
        rows = []
        for group in (ALL, *self.groups):
            found = [self.lists.get((kind, group)) for kind in kinds]
            cells = [
                {"n": count(one.total), "href": f"lists/{one.slug}-000001.html"}
                if one
                else {"n": "0", "href": ""}
                for one in found
            ]
            rows.append({"group": "Every group" if group == ALL else group, "cells": cells})
        return rows

    def _write_page(self, *, last: bool) -> None:
        self._write(
            self.folder / "pages" / f"{self.page:06d}.html",
            "browse_page.html.j2",
            items=self.waiting,
            heading=f"Conversations, page {count(self.page)}",
            **_neighbours("", self.page, last=last),
        )
        self.waiting = []

    def _write_list(self, one: _List, *, last: bool) -> None:
        start = (one.page - 1) * self.page_size
        self._write(
            self.folder / "lists" / f"{one.slug}-{one.page:06d}.html",
            "browse_list.html.j2",
            rows=one.waiting,
            heading=one.heading,
            range=f"{count(start + 1)} to {count(start + len(one.waiting))}",
            **_neighbours(f"{one.slug}-", one.page, last=last),
        )

    def _write(self, path: Path, template: str, **values: Any) -> None:
        sheet = style()
        page = environment().get_template(template).render(
            title=self.title,
            style=Markup(sheet),  # noqa: S704 (our own file)
            style_hash=Markup(csp_hash(sheet)),  # noqa: S704 (base64)
            **{"home": "../index.html", **values},
        )  # fmt: skip
        path.write_text(page, encoding="utf-8")


def _neighbours(stem: str, page: int, *, last: bool) -> dict[str, str]:
    return {
        "before": f"{stem}{page - 1:06d}.html" if page > 1 else "",
        "after": "" if last else f"{stem}{page + 1:06d}.html",
    }


def _kinds(item: BrowseItem) -> list[str]:
    found = {message.reading for messages in item.rounds for message in messages}
    unknown = sorted(found - set(READINGS))
    if unknown:
        raise InputError(f"{item.key}: no reading {unknown[0]!r}; known are {', '.join(READINGS)}")
    return [kind for kind in READINGS if kind in found]


def _last(item: BrowseItem) -> str:
    """How the last round was read, speaker by speaker."""
    messages: Sequence[BrowseMessage] = item.rounds[-1] if item.rounds else ()
    return ", ".join(f"{m.agent}: {m.choice or READINGS[m.reading].lower()}" for m in messages)


def _short(text: str, most: int = 140) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
