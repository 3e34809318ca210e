"""Votes of Fairness Arena into the ballot box: each becomes a battle and a vote, once.

A vote's id here follows from what it says there, so that the same file read again adds nothing
and a file that has grown adds what is new.
"""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.arena.ballots.legacy import LegacyArena, LegacyVote, Rejected, read_legacy
from evenhand.arena.ballots.rows import BATTLE, CODES, VOTE, VOTER, clean, json_text, new_id
from evenhand.arena.ballots.transaction import Pen, Transaction
from evenhand.arena.bundles.bundle import Bundle
from evenhand.errors import Conflict
from evenhand.settings import Settings
from evenhand.stats.elo import elo
from evenhand.store.database import Database

__all__ = ["EloCheck", "Imported", "import_legacy"]

CHUNK = 2_000
EXAMPLES = 3
NEAR = 1e-6
K_FACTOR, START = 32.0, 1500.0


@dataclass(frozen=True, slots=True)
class EloCheck:
    """Whether the stored ratings are those of the logged votes, replayed.

    ``furthest``: by how many points a rating is off; None where nothing is stored.
    """

    equal: bool | None
    furthest: float | None
    games_stored: int
    games_logged: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What came in, and what did not."""

    votes: int
    new: int
    voters: int
    sessions: int
    rejected: tuple[Rejected, ...]
    elo: EloCheck
    notes: tuple[str, ...]


def import_legacy(
    path: Path, settings: Settings, *, dataset: str, bundle: Bundle | None = None
) -> Imported:
    """Import the votes, participants and sessions of a reference's database.

    Args:
        path: its ``arena.db``; only read.
        settings: where our database is.
        dataset: what the votes were on; the file does not say.
        bundle: what was shown, where it is at hand: votes are compared with it.

    Raises:
        InputError: the file cannot be read, or holds no votes table.
        Conflict: its votes are here already, on another dataset.
    """
    arena = read_legacy(path)
    notes = [*_notes(arena), *(_against(arena, bundle) if bundle is not None else ())]
    check = _elo_check(arena)
    notes += _elo_notes(check)
    version = bundle.version if bundle is not None else ""
    database = Database.open(settings)
    try:
        pen = Pen(database)
        transaction = pen.begin()
        try:
            new = _enter(transaction, arena, dataset, version)
            _record(transaction, arena, dataset, notes)
            transaction.commit()
        except BaseException as error:
            pen.undo(transaction)
            raise pen.told(error) from error
        finally:
            pen.close()
    finally:
        database.close()
    if new < len(arena.votes):
        notes.append(f"{len(arena.votes) - new:,} of the votes were here already")
    return Imported(
        votes=len(arena.votes),
        new=new,
        voters=len({vote.participant for vote in arena.votes} | set(arena.participants)),
        sessions=len(arena.sessions),
        rejected=arena.rejected,
        elo=check,
        notes=tuple(notes),
    )


def _enter(tx: Transaction, arena: LegacyArena, dataset: str, version: str) -> int:
    """Enter everything that is not here yet; returns how many votes are new."""
    ids = [_digest("vote", _said(vote)) for vote in arena.votes]
    elsewhere = Counter(
        row[1]
        for row in tx.among("SELECT id, dataset FROM arena_votes WHERE id IN", ids)
        if row[1] != dataset
    )
    if elsewhere:
        other, n = elsewhere.most_common(1)[0]
        raise Conflict(
            f"{n:,} of these votes are here already, on the dataset {other!r}; import them there",
            id=other,
        )
    _enter_people(tx, arena)
    sessions = {id: _digest("session", [id, row["name"], row["started_at"]])
                for id, row in arena.sessions.items()}  # fmt: skip
    _enter_sessions(tx, arena, sessions)
    new = 0
    for start in range(0, len(ids), CHUNK):
        battles, votes = [], []
        for id, vote in zip(
            ids[start : start + CHUNK], arena.votes[start : start + CHUNK], strict=True
        ):
            session = sessions.get(vote.session or "")
            battle, row = _rows(
                id, vote, _voter_id(arena, vote.participant), dataset, version, session
            )
            battles.append(battle)
            votes.append(row)
        tx.insert("arena_battles", BATTLE, battles, "ON CONFLICT (id) DO NOTHING")
        new += tx.insert("arena_votes", VOTE, votes, "ON CONFLICT (id) DO NOTHING")
    return new


def _rows(
    id: str, vote: LegacyVote, voter: str, dataset: str, version: str, session: str | None
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The battle and the vote. Nobody recorded who was asked for reasons: they count as unasked."""
    battle = _digest("battle", id)
    mark = str(vote.id)
    kind, asked = 0, 0
    return (
        (
            battle, voter, vote.query, dataset, version, vote.left, vote.right,
            json_text(vote.left_images), json_text(vote.right_images), kind, None, 0, asked, 0.0,
            session, mark, vote.at, vote.at, None,
        ),
        (
            id, battle, voter, vote.query, dataset, vote.left, vote.right, kind, session,
            CODES[vote.choice], asked, json_text(vote.why_tags), vote.why_freetext, None, None,
            None, vote.at, None, None, mark,
        ),
    )  # fmt: skip


def _enter_people(tx: Transaction, arena: LegacyArena) -> None:
    first: dict[str, float] = {}
    for vote in arena.votes:
        first[vote.participant] = min(vote.at, first.get(vote.participant, vote.at))
    people = list(dict.fromkeys([*arena.participants, *first]))
    rows = []
    for id in people:
        row = arena.participants.get(id, {})
        nickname, since = row.get("nickname"), row.get("created_at")
        rows.append(
            (
                _voter_id(arena, id), None, clean(nickname) if isinstance(nickname, str) else "",
                "{}", None, None, None, 0, id,
                since if isinstance(since, int | float) else first.get(id, 0.0),
            )
        )  # fmt: skip
    tx.insert("arena_voters", VOTER, rows, "ON CONFLICT (id) DO NOTHING")


def _enter_sessions(tx: Transaction, arena: LegacyArena, ids: Mapping[str, str]) -> None:
    """A recording that was left open there is closed here, at its last vote."""
    last: dict[str, float] = {}
    for vote in arena.votes:
        if vote.session is not None:
            last[vote.session] = max(vote.at, last.get(vote.session, vote.at))
    rows = []
    for id, row in arena.sessions.items():
        started, created = _time(row["started_at"]), _time(row["created_at"])
        stopped = _time(row["stopped_at"]) or last.get(id) or created or started or 0.0
        name = clean(str(row["name"] or id))
        rows.append(
            (ids[id], name, started or created or 0.0, stopped, created or started or 0.0, id)
        )
    columns = ("id", "name", "started_at", "stopped_at", "created_at", "imported")
    tx.insert("arena_sessions", columns, rows, "ON CONFLICT (id) DO NOTHING")


def _record(tx: Transaction, arena: LegacyArena, dataset: str, notes: Sequence[str]) -> None:
    """Keep what was read, and every row that was kept out, word for word."""
    told = {
        "votes": len(arena.votes),
        "notes": list(notes),
        "rejected": [
            {"id": str(row.id), "why": row.why, "row": {k: repr(v) for k, v in row.row.items()}}
            for row in arena.rejected
        ],
    }
    columns = ("id", "source", "dataset", "notes", "at")
    name = Path(arena.where).name
    tx.insert("arena_imports", columns, [(new_id(), name, dataset, json_text(told), time.time())])


def _notes(arena: LegacyArena) -> list[str]:
    """What is odd about the votes that came in."""
    notes = []
    strangers = {vote.participant for vote in arena.votes} - set(arena.participants)
    if strangers:
        notes.append(
            f"{len(strangers):,} participants voted without having registered ({_some(strangers)})"
        )
    unknown = Counter(
        v.session for v in arena.votes if v.session and v.session not in arena.sessions
    )
    if unknown:
        notes.append(
            f"{sum(unknown.values()):,} votes name a session that there is not ({_some(unknown)}); "
            "they belong to none here"
        )
    open_ones = [id for id, row in arena.sessions.items() if row["stopped_at"] is None]
    if open_ones:
        notes.append(f"sessions left open were closed at their last vote ({_some(open_ones)})")
    reasons = sum(bool(vote.why_tags or vote.why_freetext) for vote in arena.votes)
    if reasons:
        notes.append(
            f"{reasons:,} votes give reasons; nobody recorded who was asked, so they are exported "
            "and not counted as rates"
        )
    return notes


def _against(arena: LegacyArena, bundle: Bundle) -> list[str]:
    """What the votes say that the bundle does not know."""
    notes = []
    for what, known, said in (
        ("models", set(bundle.models), {m for v in arena.votes for m in (v.left, v.right)}),
        ("queries", set(bundle.queries), {vote.query for vote in arena.votes}),
    ):
        if said - known:
            notes.append(f"{what} that are not in the bundle: {_some(said - known)}")
    beyond = sum(
        any(not 0 <= at < bundle.n_images for at in (*vote.left_images, *vote.right_images))
        for vote in arena.votes
    )
    if beyond:
        notes.append(f"{beyond:,} votes show images that the bundle has not; is it the right one?")
    return notes


def _elo_check(arena: LegacyArena) -> EloCheck:
    """Replay the logged votes and compare with what is stored."""
    games = {model: n for model, (_, n) in arena.ratings.items()}
    stored, logged = sum(games.values()) // 2, len(arena.votes)
    if not arena.ratings:
        return EloCheck(None, None, stored, logged)
    models = sorted(
        {m for vote in arena.votes for m in (vote.left, vote.right)} | set(arena.ratings)
    )
    place = {model: at for at, model in enumerate(models)}
    outcome = [min(CODES[vote.choice], 2) for vote in arena.votes]
    replayed = elo(
        [place[vote.left] for vote in arena.votes],
        [place[vote.right] for vote in arena.votes],
        outcome,
        n_items=len(models),
        k=K_FACTOR,
        start=START,
    )
    off = [abs(replayed[place[model]] - rating) for model, (rating, _) in arena.ratings.items()]
    furthest = float(np.max(off))
    return EloCheck(furthest < NEAR, furthest, stored, logged)


def _elo_notes(check: EloCheck) -> list[str]:
    if check.equal is None:
        return ["no ratings are stored there"]
    if check.equal:
        return []
    why = ""
    if check.games_stored != check.games_logged:
        why = (
            f": they count {check.games_stored:,} games while {check.games_logged:,} votes came in"
        )
    return [
        f"the ratings stored there are not those of the logged votes (up to {check.furthest:.1f} "
        f"points off){why}; a rating was reset, votes were kept out, or K was not 32"
    ]


def _voter_id(arena: LegacyArena, participant: str) -> str:
    return _digest(
        "voter", [participant, arena.participants.get(participant, {}).get("created_at")]
    )


def _said(vote: LegacyVote) -> list[Any]:
    """What makes a vote this one, whatever dataset it is imported for."""
    return [
        vote.id, vote.participant, vote.query, vote.left, vote.right, vote.choice, vote.at,
    ]  # fmt: skip


def _digest(kind: str, said: Any) -> str:
    raw = hashlib.sha256(json_text(["legacy", kind, said]).encode()).digest()[:16]
    text = urlsafe_b64encode(raw).decode().rstrip("=")
    return text if text[0] != "-" else f"_{text[1:]}"


def _time(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _some(items: Any) -> str:
    names = [f"{item:.40}" for item in items]
    return ", ".join(sorted(names)[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")
