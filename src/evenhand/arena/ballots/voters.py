"""Voters come, are flagged, and go: then nothing of them stays but a count."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.arena.ballots.office import note, use_invite
from evenhand.arena.ballots.rows import VOTER, clean, hash_of, json_text, new_id, utc
from evenhand.arena.ballots.transaction import Transaction
from evenhand.arena.spec import Voter
from evenhand.errors import NotFound

__all__ = ["Pruned", "flag", "prune", "register", "votes_changed", "withdraw"]


@dataclass(frozen=True, slots=True)
class Pruned:
    """Of how many voters the personal part was deleted, and how many texts with it."""

    voters: int
    texts: int


def register(
    tx: Transaction,
    *,
    nickname: str,
    profile: Mapping[str, str],
    consent: str | None,
    invite: str | None,
    now: float,
) -> tuple[Voter, str]:
    """Enter a voter; returns it with its secret token, of which only the hash is kept."""
    used = use_invite(tx, invite) if invite is not None else None
    token = secrets.token_urlsafe(32)
    voter = Voter(
        id=new_id(),
        nickname=clean(nickname).strip(),
        profile={clean(field): clean(text) for field, text in profile.items() if text.strip()},
        consent=consent,
        created_at=utc(now),
    )
    row: tuple[Any, ...] = (
        voter.id, hash_of(token), voter.nickname, json_text(dict(voter.profile)), consent,
        None if consent is None else now, used, 0, None, now,
    )  # fmt: skip
    tx.insert("arena_voters", VOTER, [row])
    return voter, token


def withdraw(tx: Transaction, *, voter: str, now: float) -> int:
    """Delete a voter with everything they said and were shown; returns how many votes counted.

    The audit keeps that somebody withdrew and how many votes went with them, and not who.
    """
    row = tx.one(
        "SELECT count(*) FROM arena_votes WHERE voter = ? AND undone_at IS NULL", (voter,)
    )
    votes = int(row[0])
    battles = _delete(tx, voter)
    tx.run("UPDATE arena_audit SET detail = '{}' WHERE what = 'voter.flag' AND detail LIKE ?",
           (f'%"{voter}"%',))  # fmt: skip
    note(
        tx,
        now=now,
        who="a voter",
        what="voter.withdraw",
        detail={"votes": votes, "battles": battles},
    )
    return votes


def flag(tx: Transaction, *, voter: str, flagged: bool, now: float, who: str) -> None:
    """Leave a voter's votes out of ratings, or take them in again."""
    values = (int(flagged), clean(voter))
    if tx.run("UPDATE arena_voters SET flagged = ? WHERE id = ?", values).rowcount == 0:
        raise NotFound("voter", voter[:40])
    votes_changed(tx)
    note(tx, now=now, who=who, what="voter.flag", detail={"voter": voter, "flagged": flagged})


def prune(tx: Transaction, *, before: float, now: float) -> Pruned:
    """Delete what is personal of voters who have been shown nothing since: nickname, profile,
    consent, token, invite and free texts. Their votes stay, of a random id that nobody can trace.
    """
    old = [
        row[0]
        for row in tx.run(
            "SELECT w.id FROM arena_voters w WHERE w.created_at < ? AND (w.token_hash IS NOT NULL "
            "OR w.nickname <> '' OR w.profile <> '{}' OR w.imported IS NOT NULL) AND NOT EXISTS "
            "(SELECT 1 FROM arena_battles b WHERE b.voter = w.id AND b.created_at >= ?)",
            (before, before),
        ).fetchall()
    ]
    texts = 0
    for voter in old:
        tx.run(
            "UPDATE arena_voters SET token_hash = NULL, nickname = '', profile = '{}', "
            "consent = NULL, consent_at = NULL, invite = NULL, imported = NULL WHERE id = ?",
            (voter,),
        )
        texts += tx.run(
            "UPDATE arena_votes SET why_freetext = '' WHERE voter = ? AND why_freetext <> ''",
            (voter,),
        ).rowcount
    pruned = Pruned(len(old), texts)
    if old:
        votes_changed(tx)
        detail = {"voters": pruned.voters, "texts": pruned.texts}
        note(tx, now=now, who="retention", what="voters.prune", detail=detail)
    return pruned


def votes_changed(tx: Transaction) -> None:
    """Tell readers that votes went away or count otherwise: they read all of them again."""
    tx.run("UPDATE arena_marks SET value = value + 1 WHERE name = 'votes'")


def _delete(tx: Transaction, voter: str) -> int:
    tx.run("DELETE FROM arena_votes WHERE voter = ?", (voter,))
    battles = tx.run("DELETE FROM arena_battles WHERE voter = ?", (voter,)).rowcount
    if tx.run("DELETE FROM arena_voters WHERE id = ?", (voter,)).rowcount == 0:
        raise NotFound("voter", voter[:40])
    votes_changed(tx)
    return int(battles)
