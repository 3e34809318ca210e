"""The ballot box: hand in battles and votes, await that they are durable, read what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from evenhand.arena.ballots import voters
from evenhand.arena.ballots.columns import Details, VoteLog
from evenhand.arena.ballots.desk import Desk
from evenhand.arena.ballots.export import recent_votes
from evenhand.arena.ballots.figures import figures, voter_figures
from evenhand.arena.ballots.rows import (
    Receipt,
    battle_of,
    battle_row,
    hash_of,
    seconds_or_now,
    utc,
    voter_of,
)
from evenhand.arena.ballots.teller import AddBattle, Call, Cast, Skip, Teller, Undo
from evenhand.arena.ballots.transaction import Transaction
from evenhand.arena.ballots.voters import Pruned
from evenhand.arena.ballots.writer import Writer
from evenhand.arena.spec import Battle, Vote, VoteColumns, Voter
from evenhand.errors import InputError, NotFound
from evenhand.settings import Settings
from evenhand.store.database import Database, Durability

__all__ = ["Box"]

# Voters known by their token, for so long where other processes may change them.
VOTERS_KEPT = 50_000
SHARED_FOR_S = 5.0
ID_LENGTH = 64
RECENT_MAX = 500


class Box(Desk):
    """One database's ballots. Async methods return once their row is durable; reads are plain.

    Make one per process. Only one process writes an SQLite database; several may share
    PostgreSQL, where the tables' constraints keep a battle at one vote.

    Example:
        >>> import asyncio, tempfile
        >>> async def main(folder):
        ...     with Box.open(Settings.resolve(workspace=folder, environ={})) as box:
        ...         voter, token = await box.register(nickname="Ada")
        ...         return box.voter(token).nickname, len(box.votes())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(main(folder))
        ('Ada', 0)
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.shared = database.dialect != "sqlite"
        self._log = VoteLog()
        self._voters: dict[str, tuple[Voter, float]] = {}
        self._writer = Writer(database, Teller(shared=self.shared))

    @classmethod
    def open(cls, settings: Settings, *, durability: Durability = "process") -> Box:
        """Open the settings' database, made and brought up to date where it must be.

        Args:
            settings: where it is.
            durability: what an acknowledged vote survives on SQLite: ``process`` a ``kill -9``,
                ``full`` a power cut as well (docs/decisions/ballot-box.md).
        """
        return cls(Database.open(settings, durability=durability))

    def close(self) -> None:
        """Write what was handed in, and close. Safe to call twice."""
        self._writer.close()
        self.database.close()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def depth(self) -> int:
        """Pieces of work that wait to be written."""
        return self._writer.depth

    # ------------------------------------------------------------------ voters

    async def register(
        self,
        *,
        nickname: str = "",
        profile: Mapping[str, str] | None = None,
        consent: str | None = None,
        invite: str | None = None,
        now: datetime | None = None,
    ) -> tuple[Voter, str]:
        """Enter a voter; returns it with the secret token, which is told this once.

        Args:
            nickname: what they call themselves; may be empty.
            profile: self-described groups, field to text.
            consent: the version of the text that they agreed to.
            invite: a code to use up; ``InputError`` where it is unknown or used up.
            now: when; the clock's time where it is not given.
        """
        enter = partial(
            voters.register,
            nickname=nickname,
            profile=profile or {},
            consent=consent,
            invite=invite,
            now=seconds_or_now(now),
        )
        made: tuple[Voter, str] = await self._do(enter)
        self._know(hash_of(made[1]), made[0])
        return made

    def voter(self, token: str) -> Voter | None:
        """Whose token this is; None for nobody's."""
        digest = hash_of(token)
        kept = self._voters.get(digest)
        if kept is not None and (not self.shared or time.monotonic() < kept[1]):
            return kept[0]
        found = self._rows("SELECT * FROM arena_voters WHERE token_hash = :digest", digest=digest)
        if not found:
            self._voters.pop(digest, None)
            return None
        voter = voter_of(found[0])
        self._know(digest, voter)
        return voter

    def voter_of_id(self, id: str) -> Voter:
        """The voter of this public id; ``NotFound`` where there is none."""
        found = self._rows("SELECT * FROM arena_voters WHERE id = :id", id=id)
        if not found:
            raise NotFound("voter", id[:40])
        return voter_of(found[0])

    async def withdraw(self, voter: Voter, now: datetime | None = None) -> int:
        """Delete a voter: nickname, profile, token, texts, votes, battles. Returns how many votes."""
        votes: int = await self._do(
            partial(voters.withdraw, voter=voter.id, now=seconds_or_now(now)), forgets=True
        )
        self._forget_voter(voter.id)
        return votes

    async def flag(
        self, voter_id: str, *, flagged: bool, by: str, now: datetime | None = None
    ) -> None:
        """Leave a voter's votes out of ratings and figures, or take them in again."""
        await self._do(
            partial(voters.flag, voter=voter_id, flagged=flagged, now=seconds_or_now(now), who=by)
        )
        self._forget_voter(voter_id)

    async def prune(self, retention_days: float, now: datetime | None = None) -> Pruned:
        """Delete what is personal of voters who were last shown something before that time."""
        moment = seconds_or_now(now)
        before = moment - timedelta(days=retention_days).total_seconds()
        pruned: Pruned = await self._do(partial(voters.prune, before=before, now=moment))
        self._voters.clear()
        return pruned

    # ------------------------------------------------------------------ the ballot

    async def add_battle(self, battle: Battle) -> None:
        """Enter a battle. ``NotFound`` where its voter has withdrawn."""
        await self._writer.put(AddBattle(battle_row(battle)))

    async def cast(
        self,
        vote: Vote,
        *,
        voter: Voter,
        choices: Collection[str],
        now: datetime | None = None,
        why_tags: Collection[str] | None = None,
        undo_s: float = 0.0,
    ) -> Receipt:
        """Enter a vote, once per battle.

        Args:
            vote: as it was sent.
            voter: who sent it.
            choices: those that are offered.
            now: when; the clock's time where it is not given.
            why_tags: those that are offered; None takes any.
            undo_s: for how many seconds it may be undone; only told.

        Raises:
            NotFound: no such battle, or another voter's.
            Conflict: the battle has its vote.
            Gone: its time is over, or it was skipped.
            InputError: a choice or tag that is not offered, reasons that were not asked for, a
                count that is none.
        """
        _known_id("battle", vote.battle)
        receipt: Receipt = await self._writer.put(
            Cast(vote, voter.id, choices, why_tags, undo_s, seconds_or_now(now))
        )
        return receipt

    async def undo(
        self, vote_id: str, voter: Voter, now: datetime | None = None, undo_s: float = 0.0
    ) -> str:
        """Take a vote back within so many seconds; returns the battle, which is open again.

        Raises:
            NotFound: no such vote, or another voter's.
            Conflict: it was undone before.
            Gone: its time is over.
        """
        _known_id("vote", vote_id)
        battle: str = await self._writer.put(Undo(vote_id, voter.id, undo_s, seconds_or_now(now)))
        return battle

    async def skip(self, battle_id: str, voter: Voter, now: datetime | None = None) -> None:
        """Record that a voter does not want to judge a battle. Errors as of ``cast``."""
        _known_id("battle", battle_id)
        await self._writer.put(Skip(battle_id, voter.id, seconds_or_now(now)))

    # ------------------------------------------------------------------ reading

    def battle(self, id: str) -> Battle:
        """A battle with its models; ``NotFound`` where there is none."""
        found = self._rows("SELECT * FROM arena_battles WHERE id = :id", id=id)
        if not found:
            raise NotFound("battle", id[:40])
        return battle_of(found[0])

    def battles_of(
        self, voter_id: str, *, limit: int = 50, voted: bool = False, dataset: str | None = None
    ) -> list[Battle]:
        """What a voter was shown, newest first; with ``voted`` only what they voted on."""
        conditions = ["b.voter = :voter"]
        if voted:
            conditions.append(
                "EXISTS (SELECT 1 FROM arena_votes v WHERE v.battle = b.id AND v.undone_at IS NULL)"
            )
        if dataset is not None:
            conditions.append("b.dataset = :dataset")
        query = (
            f"SELECT b.* FROM arena_battles b WHERE {' AND '.join(conditions)} "  # noqa: S608
            "ORDER BY b.n DESC LIMIT :limit"
        )
        values = {"voter": voter_id, "limit": limit}
        if dataset is not None:
            values["dataset"] = dataset
        return [battle_of(row) for row in self._rows(query, **values)]

    def counts_of(self, voter_id: str) -> tuple[int, int]:
        """How many votes of a voter count, and how many battles they were shown."""
        row = self._rows(
            "SELECT (SELECT count(*) FROM arena_votes WHERE voter = :id AND undone_at IS NULL) "
            "AS votes, (SELECT count(*) FROM arena_battles WHERE voter = :id) AS battles",
            id=voter_id,
        )[0]
        return int(row["votes"]), int(row["battles"])

    def votes(
        self,
        dataset: str | None = None,
        session: str | None = None,
        include: Collection[str] = (),
    ) -> VoteColumns:
        """The votes that count, as columns, in the order in which they were acknowledged.

        Args:
            dataset: only votes on this one; None takes all.
            session: only this session's, by its id or name; ``NotFound`` where there is none.
            include: ``identical``, ``repeat``, ``undone``, ``flagged`` take these in as well.
        """
        return self.votes_and_details(dataset, session, include)[0]

    def votes_and_details(
        self,
        dataset: str | None = None,
        session: str | None = None,
        include: Collection[str] = (),
    ) -> tuple[VoteColumns, Details]:
        """The votes, with what figures need beside them."""
        with self.database.reading() as connection:
            return self._log.columns(connection, dataset=dataset, session=session, include=include)

    def stats(self, dataset: str | None = None, session: str | None = None) -> dict[str, Any]:
        """Live figures, as ``GET /api/admin/stats`` tells them (docs/reference/arena-api.md)."""
        columns, details = self.votes_and_details(dataset, session)
        wanted = {"dataset": dataset, "session": details.session}
        values = {name: value for name, value in wanted.items() if value is not None}
        mine = [f"{name} = :{name}" for name in values]

        def count(*conditions: str) -> int:
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            query = f"SELECT count(*) AS n FROM arena_battles {where}"  # noqa: S608
            return int(self._rows(query, **values)[0]["n"])

        # Two counts, each from the smallest index that answers it.
        n_battles, n_skipped = count(*mine), count("skipped_at IS NOT NULL", *mine)
        return figures(columns, details, n_battles=n_battles, n_skipped=n_skipped)

    def recent(self, limit: int = 50, *, before: int | None = None) -> list[dict[str, Any]]:
        """The newest votes that stand, newest first, every column.

        ``before`` goes on below the number ``n`` of a vote. ``InputError`` for a limit outside
        1 to 500.
        """
        if not 1 <= limit <= RECENT_MAX:
            raise InputError(f"1 to {RECENT_MAX} at a time, not {limit}", where="limit")
        return recent_votes(self.database, limit, before)

    def voters_with_figures(self) -> list[dict[str, Any]]:
        """Every voter with votes, checks and their failures, and speed; newest first.

        Flagged voters are among them.
        """
        found = voter_figures(*self.votes_and_details(include=("identical", "flagged")))
        nothing = {
            "votes": 0,
            "checks": 0,
            "failed_checks": 0,
            "median_dwell_ms": None,
            "left_share": None,
        }
        return [
            {
                "id": row["id"],
                "nickname": row["nickname"],
                "flagged": bool(row["flagged"]),
                "created_at": utc(row["created_at"]).isoformat(),
                **(found.get(row["id"]) or nothing),
            }
            for row in self._rows(
                "SELECT id, nickname, flagged, created_at FROM arena_voters ORDER BY n DESC"
            )
        ]

    def shown(self, dataset: str) -> list[tuple[str, str, str, int]]:
        """How often each ordered pair was shown with each query: query, left, right, times."""
        rows = self._rows(
            "SELECT query, left_model, right_model, count(*) AS n FROM arena_battles "
            "WHERE dataset = :dataset AND kind = 0 GROUP BY query, left_model, right_model",
            dataset=dataset,
        )
        return [(row["query"], row["left_model"], row["right_model"], row["n"]) for row in rows]

    def ping(self) -> None:
        """Reach the database. Raises ``StorageError`` where that cannot be."""
        self._rows("SELECT 1 AS here")

    # ------------------------------------------------------------------ private

    def _session_counts(self) -> Mapping[str, int]:
        with self.database.reading() as connection:
            return self._log.session_counts(connection)

    async def _do(self, function: Callable[[Transaction], Any], *, forgets: bool = False) -> Any:
        return await self._writer.put(Call(function, forgets))

    def _rows(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        with self.database.reading() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def _know(self, digest: str, voter: Voter) -> None:
        while len(self._voters) >= VOTERS_KEPT:
            self._voters.pop(next(iter(self._voters)), None)
        self._voters[digest] = (voter, time.monotonic() + SHARED_FOR_S)

    def _forget_voter(self, id: str) -> None:
        for digest in [d for d, (voter, _) in self._voters.items() if voter.id == id]:
            self._voters.pop(digest, None)


def _known_id(kind: str, id: str) -> None:
    """Refuse what cannot be an id of ours before it reaches the database."""
    if len(id) > ID_LENGTH or not id.isascii() or "\0" in id:
        raise NotFound(kind, id[:40])
