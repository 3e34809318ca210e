"""Checks and enters battles and votes, a group at a time, inside the writer's transaction.

Battles that may still be voted are kept in a small map; the tables are the truth. Where several
processes share the tables (PostgreSQL) the map is emptied at every group.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evenhand.arena.ballots.rows import BATTLE, CODES, VOTE, Receipt, clean, json_text, new_id, utc
from evenhand.arena.ballots.transaction import Transaction
from evenhand.arena.spec import Vote
from evenhand.errors import Conflict, EvenhandError, Gone, InputError, NotFound

__all__ = ["AddBattle", "Call", "Cast", "Skip", "Teller", "Undo"]

KEPT = 100_000
"""Battles and voters in the map; the oldest go first."""
SEEN_MAX = 1_000_000
DWELL_MAX = 10**10


@dataclass(frozen=True, slots=True)
class AddBattle:
    """A battle to enter, as its row."""

    row: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote to check and enter. ``why_tags`` are those offered; None: any."""

    vote: Vote
    voter: str
    choices: Collection[str]
    why_tags: Collection[str] | None
    undo_s: float
    now: float


@dataclass(frozen=True, slots=True)
class Undo:
    """A vote to take back."""

    vote: str
    voter: str
    undo_s: float
    now: float


@dataclass(frozen=True, slots=True)
class Skip:
    """A battle that the voter does not want to judge."""

    battle: str
    voter: str
    now: float


@dataclass(frozen=True, slots=True)
class Call:
    """Anything else: a function of the transaction. ``forgets``: what the map holds may be gone."""

    function: Callable[[Transaction], Any]
    forgets: bool = False


@dataclass(slots=True)
class _Live:
    """What a vote on a battle is checked against, and what its row repeats."""

    voter: str
    query: str
    dataset: str
    left_model: str
    right_model: str
    kind: int
    session: str | None
    asks_why: int
    expires_at: float
    n_left: int
    n_right: int
    skipped: bool = False
    vote: str | None = None


_LIVE = (
    "SELECT b.id, b.voter, b.query, b.dataset, b.left_model, b.right_model, b.kind, b.session, "
    "b.asks_why, b.expires_at, b.left_images, b.right_images, b.skipped_at, "
    "(SELECT v.id FROM arena_votes v WHERE v.battle = b.id AND v.undone_at IS NULL) "
    "FROM arena_battles b WHERE b.id IN"
)
_AT = {name: place for place, name in enumerate(BATTLE)}


class Teller:
    """The writer's clerk. Used by its thread alone."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._battles: OrderedDict[str, _Live] = OrderedDict()
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._after: list[Callable[[], None]] = []

    def perform(self, transaction: Transaction, works: Sequence[Any]) -> list[Any]:
        """Enter battles, then votes, then do the rest in order; one outcome per piece."""
        if self._shared:
            self.forget()
        outcomes: list[Any] = [None] * len(works)
        battles = [at for at, work in enumerate(works) if type(work) is AddBattle]
        casts = [at for at, work in enumerate(works) if type(work) is Cast]
        if battles:
            self._place(outcomes, battles, self._add(transaction, [works[at] for at in battles]))
        if casts:
            self._place(outcomes, casts, self._cast(transaction, [works[at] for at in casts]))
        if len(battles) + len(casts) < len(works):
            for at, work in enumerate(works):
                if type(work) is not AddBattle and type(work) is not Cast:
                    outcomes[at] = self._safely(transaction, work)
        return outcomes

    def settle(self, committed: bool) -> None:
        """Remember what was committed. After a failure everything is read from the tables."""
        after, self._after = self._after, []
        if not committed:
            self.forget()
            return
        for remember in after:
            remember()
        for kept in (self._battles, self._counts):
            while len(kept) > KEPT:
                kept.popitem(last=False)

    def forget(self) -> None:
        """Empty the map."""
        self._battles.clear()
        self._counts.clear()

    # ------------------------------------------------------------------ private

    @staticmethod
    def _place(outcomes: list[Any], places: list[int], found: list[Any]) -> None:
        for at, outcome in zip(places, found, strict=True):
            outcomes[at] = outcome

    def _add(self, transaction: Transaction, works: list[AddBattle]) -> list[Any]:
        rows = [work.row for work in works]
        self._count(transaction, {row[_AT["voter"]] for row in rows})
        outcomes: list[Any] = [
            None if row[_AT["voter"]] in self._counts else NotFound("voter", row[_AT["voter"]])
            for row in rows
        ]
        known = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        transaction.insert("arena_battles", BATTLE, known)
        self._after.append(lambda: self._battles.update((row[0], _live(row)) for row in known))
        return outcomes

    def _cast(self, transaction: Transaction, casts: list[Cast]) -> list[Any]:
        self._load(transaction, (cast.vote.battle for cast in casts))
        self._count(transaction, {cast.voter for cast in casts})
        outcomes: list[Any] = [None] * len(casts)
        rows: list[tuple[Any, ...]] = []
        places: list[int] = []
        taken: set[str] = set()
        for at, cast in enumerate(casts):
            try:
                live = self._open_battle(cast.vote.battle, cast.voter, cast.now, taken)
                rows.append(_vote_row(cast, live))
            except EvenhandError as error:
                outcomes[at] = error
                continue
            taken.add(cast.vote.battle)
            places.append(at)
        entered = self._enter(transaction, rows)
        for at, row in zip(places, rows, strict=True):
            cast = casts[at]
            if row[0] in entered:
                outcomes[at] = self._receipt(cast, row)
            else:
                outcomes[at] = _voted(cast.vote.battle)
        return outcomes

    def _enter(self, transaction: Transaction, rows: list[tuple[Any, ...]]) -> set[str]:
        """Insert votes; the ids of those whose battle had none. The table decides."""
        ids = {row[0] for row in rows}
        tail = "ON CONFLICT (battle) WHERE undone_at IS NULL DO NOTHING"
        if transaction.insert("arena_votes", VOTE, rows, tail) == len(rows):
            return ids
        there = transaction.among("SELECT id FROM arena_votes WHERE id IN", ids)
        return {row[0] for row in there}

    def _receipt(self, cast: Cast, row: tuple[Any, ...]) -> Receipt:
        count = self._counts.get(cast.voter, 0) + 1
        self._counts[cast.voter] = count
        live = self._battles[cast.vote.battle]
        live.vote = row[0]
        undo_until = utc(cast.now + cast.undo_s)
        return Receipt(row[0], undo_until, count)

    def _open_battle(self, id: str, voter: str, now: float, taken: Collection[str] = ()) -> _Live:
        """The battle, where it is the voter's and waits for a vote.

        A stranger's battle is not found, as one that never was: nobody learns of others' battles.
        """
        live = self._battles.get(id)
        if live is None or live.voter != voter or voter not in self._counts:
            raise NotFound("battle", id[:40])
        if live.vote is not None or id in taken:
            raise _voted(id)
        if live.skipped:
            raise Gone("this battle was skipped; ask for a new one", id=id)
        if now > live.expires_at:
            raise Gone("the time of this battle is over; ask for a new one", id=id)
        return live

    def _load(self, transaction: Transaction, ids: Iterable[str]) -> None:
        missing = {id for id in ids if id not in self._battles}
        for row in transaction.among(_LIVE, missing) if missing else ():
            live = _Live(
                row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9],
                _n_images(row[10]), _n_images(row[11]),
            )  # fmt: skip
            live.skipped, live.vote = row[12] is not None, row[13]
            self._battles[row[0]] = live

    def _count(self, transaction: Transaction, voters: set[str]) -> None:
        """Have the number of votes of each voter that there is."""
        missing = {voter for voter in voters if voter not in self._counts}
        if missing:
            query = (
                "SELECT w.id, (SELECT count(*) FROM arena_votes v WHERE v.voter = w.id "
                "AND v.undone_at IS NULL) FROM arena_voters w WHERE w.id IN"
            )
            self._counts.update(transaction.among(query, missing))

    def _safely(self, transaction: Transaction, work: Any) -> Any:
        """Do one piece; where it fails nothing of it stays, and the group goes on."""
        transaction.run("SAVEPOINT piece")
        try:
            outcome = self._do(transaction, work)
        except EvenhandError as error:
            transaction.run("ROLLBACK TO SAVEPOINT piece")
            outcome = error
        transaction.run("RELEASE SAVEPOINT piece")
        return outcome

    def _do(self, transaction: Transaction, work: Any) -> Any:
        if isinstance(work, Undo):
            return self._undo(transaction, work)
        if isinstance(work, Skip):
            return self._skip(transaction, work)
        outcome = work.function(transaction)
        if work.forgets:
            self._after.append(self.forget)
        return outcome

    def _undo(self, transaction: Transaction, work: Undo) -> str:
        found = transaction.one(
            "SELECT battle, voter, at, undone_at FROM arena_votes WHERE id = ?",
            (clean(work.vote),),
        )
        if found is None or found[1] != work.voter:
            raise NotFound("vote", work.vote[:40])
        battle, _, at, undone_at = found
        if undone_at is not None:
            raise Conflict("this vote was undone before", id=work.vote)
        if work.now > at + work.undo_s:
            raise Gone(f"a vote can be undone for {work.undo_s:g} s; it stands", id=work.vote)
        transaction.run(
            "UPDATE arena_votes SET undone_at = ?, undone_n = "
            "(SELECT coalesce(max(undone_n), 0) + 1 FROM arena_votes) WHERE id = ?",
            (work.now, work.vote),
        )
        self._battles.pop(battle, None)
        self._counts.pop(work.voter, None)
        return str(battle)

    def _skip(self, transaction: Transaction, work: Skip) -> None:
        self._load(transaction, [work.battle])
        self._count(transaction, {work.voter})
        live = self._battles.get(work.battle)
        if live is not None and live.voter == work.voter and live.skipped:
            return
        self._open_battle(work.battle, work.voter, work.now)
        transaction.run(
            "UPDATE arena_battles SET skipped_at = ? WHERE id = ?", (work.now, work.battle)
        )
        self._battles.pop(work.battle, None)


def _live(row: tuple[Any, ...]) -> _Live:
    return _Live(
        row[1], row[2], row[3], row[5], row[6], row[9], row[14], row[12], row[17],
        _n_images(row[7]), _n_images(row[8]),
    )  # fmt: skip


def _n_images(text: str) -> int:
    return text.count(",") + (text != "[]")


def _voted(battle: str) -> Conflict:
    return Conflict("this battle has its vote; ask for a new one", id=battle)


def _vote_row(cast: Cast, live: _Live) -> tuple[Any, ...]:
    """A vote in the order of ``VOTE``, checked."""
    vote = cast.vote
    if vote.choice not in cast.choices or vote.choice not in CODES:
        offered = ", ".join(sorted(cast.choices))
        raise InputError(
            f"{vote.choice!r:.60} is not offered; it is one of {offered}", where="choice"
        )
    if (vote.why_tags or vote.why_freetext) and not live.asks_why:
        raise InputError("this battle asked for no reasons", where="why_tags")
    for tag in vote.why_tags:
        if cast.why_tags is not None and tag not in cast.why_tags:
            raise InputError(f"{tag!r:.60} is not among the tags offered", where="why_tags")
    seen = vote.seen or {}
    return (
        new_id(), vote.battle, cast.voter, live.query, live.dataset, live.left_model,
        live.right_model, live.kind, live.session, CODES[vote.choice], live.asks_why,
        json_text(list(dict.fromkeys(vote.why_tags))) if vote.why_tags else "[]",
        clean(vote.why_freetext) if vote.why_freetext else "",
        _seen(seen, "left", live.n_left), _seen(seen, "right", live.n_right),
        _number(vote.dwell_ms, DWELL_MAX, "dwell_ms"), cast.now, None, None, None,
    )  # fmt: skip


def _seen(seen: Any, side: str, shown: int) -> int | None:
    """How many images of a side came into view: not more than were shown."""
    found = _number(seen.get(side), SEEN_MAX, f"seen.{side}")
    return None if found is None else min(found, shown)


def _number(value: Any, most: int, where: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= most:
        raise InputError(f"not a count from 0 to {most}: {value!r:.40}", where=where)
    return value
