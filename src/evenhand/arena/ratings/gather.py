"""Where votes to be rated come from: the workspace's ballot box, or an exported CSV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from evenhand.arena.ballots.box import Box
from evenhand.arena.ratings.analyse import Choices, Counts, counts_of
from evenhand.arena.ratings.csv_votes import read_votes
from evenhand.arena.spec import VoteColumns
from evenhand.settings import Settings

__all__ = ["Gathered", "from_box", "from_csv"]

MOST_NAMED = 5
"""So many unreadable rows are named one by one."""

CHECKS = ("identical", "repeat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Votes, what became of the other battles, where all this is from, and what to tell of it."""

    columns: VoteColumns
    counts: Counts
    choices: Choices
    origin: str
    notes: tuple[str, ...] = ()


def from_csv(path: Path, choices: Choices) -> Gathered:
    """Votes from an exported CSV.

    Raises:
        InputError: the file cannot be read as one.
    """
    found = read_votes(path, dataset=choices.dataset)
    notes = list(found.unreadable[:MOST_NAMED])
    if found.n_flagged:
        notes.append(f"{found.n_flagged} votes of flagged voters are left out")
    if len(found.unreadable) > MOST_NAMED:
        notes.append(f"and {len(found.unreadable) - MOST_NAMED} more rows that cannot be read")
    return Gathered(
        columns=found.columns, counts=Counts(unreadable=len(found.unreadable)), choices=choices,
        origin=path.name, notes=tuple(notes),
    )  # fmt: skip


def from_box(settings: Settings, choices: Choices) -> Gathered:
    """Votes from the workspace's database, those of flagged voters and undone ones left out.

    The session may be named by its id or its name; Elo begins at the last epoch that was marked.

    Raises:
        NotFound: no such session.
    """
    with Box.open(settings) as box:
        columns = box.votes(choices.dataset, choices.session, include=CHECKS)
        figures = box.stats(choices.dataset, choices.session)
        epochs = box.epochs()
        if choices.dataset is not None and not len(columns):
            # The error names the datasets that do have votes.
            columns = box.votes(None, choices.session, include=CHECKS)
    notes = []
    if figures["n_of_flagged"]:
        notes.append(f"{figures['n_of_flagged']} votes of flagged voters are left out")
    marked = None
    if epochs:
        marked = epochs[-1].at.timestamp()
        notes.append(f"Elo is replayed from the reset of {epochs[-1].at:%Y-%m-%d %H:%M} UTC on")
    return Gathered(
        columns=columns, counts=counts_of(figures),
        choices=replace(choices, session=None, epoch_at=marked),
        origin="the workspace's votes", notes=tuple(notes),
    )  # fmt: skip
