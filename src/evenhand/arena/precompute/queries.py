"""The file of queries: one per line."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from evenhand.errors import InputError

__all__ = ["Queries", "queries_of", "read_queries"]


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries in their order, and what was dropped on the way."""

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_queries(path: Path, *, longest: int = 120) -> Queries:
    """Read a file of queries.

    Args:
        path: UTF-8 text, one query per line.
        longest: the most characters of one query.

    Raises:
        InputError: no such file, not UTF-8, none in it, or a query that is too long.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text ({error.reason})", where=str(path)) from None
    except FileNotFoundError:
        raise InputError(
            "no such file; it holds the queries, one per line", where=str(path)
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    return queries_of(text.splitlines(), longest=longest, where=str(path))


def queries_of(lines: list[str], *, longest: int, where: str) -> Queries:
    """Queries from lines: blanks trimmed, empty lines dropped, what stands there twice kept once.

    Two lines are the same when they differ in nothing but case and blanks; the first is kept.

    Example:
        >>> queries_of(["doctor", " ", "a  nurse", "Doctor"], longest=120, where="q.txt")
        Queries(texts=('doctor', 'a nurse'), notes=("q.txt: line 4: 'Doctor' again, as in line 1; left out",))
    """
    seen: dict[str, int] = {}
    texts: list[str] = []
    notes: list[str] = []
    for number, line in enumerate(lines, start=1):
        query = " ".join(unicodedata.normalize("NFKC", line).split())
        if not query:
            continue
        if len(query) > longest:
            raise InputError(
                f"a query of {len(query)} characters; {longest} is the most "
                "(arena.max_query_length)",
                where=f"{where}: line {number}",
            )
        if any(unicodedata.category(c) == "Cc" for c in query):
            raise InputError("a query with a control character", where=f"{where}: line {number}")
        key = query.casefold()
        if key in seen:
            first = seen[key]
            notes.append(f"{where}: line {number}: {query!r} again, as in line {first}; left out")
            continue
        seen[key] = number
        texts.append(query)
    if not texts:
        raise InputError("no query in it; write one per line", where=where)
    return Queries(tuple(texts), tuple(notes))
