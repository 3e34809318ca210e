"""Votes as columns: which of them are rated, and what each says of its two models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.spec import LEFT, RIGHT, VoteColumns
from evenhand.errors import InputError

__all__ = [
    "IDENTICAL",
    "LEFT_WON",
    "Ints",
    "Mask",
    "PLAIN",
    "REPEAT",
    "RIGHT_WON",
    "TIED",
    "of_dataset",
    "of_session",
    "one_dataset",
    "outcomes",
    "rated",
    "seen",
    "select",
    "tallies",
    "used",
]

Ints = NDArray[np.int64]
"""Codes or counts, one per vote or per model."""

Mask = NDArray[np.bool_]

PLAIN, IDENTICAL, REPEAT = range(3)
"""The codes of ``VoteColumns.kind``."""

LEFT_WON, RIGHT_WON, TIED = range(3)
"""What a comparison came to, as the statistics count it."""


def outcomes(columns: VoteColumns) -> Ints:
    """Shape (n,): left won, right won, or tied. Both good and both bad are ties here."""
    choice = columns.choice
    made = np.where(choice == LEFT, LEFT_WON, np.where(choice == RIGHT, RIGHT_WON, TIED))
    return made.astype(np.int64)


def select(columns: VoteColumns, keep: Mask) -> VoteColumns:
    """The votes of a mask, shape (n,), in their order; the names that codes stand for stay.

    A repeat whose first showing is not among them keeps no trace of it.
    """
    if bool(keep.all()):
        return columns
    first = columns.first
    if first is not None:
        moved = np.cumsum(keep) - 1
        known = (first >= 0) & keep[np.maximum(first, 0)]
        first = np.where(known, moved[np.maximum(first, 0)], -1)[keep].astype(np.int32)
    rows = np.flatnonzero(keep).tolist()
    return replace(
        columns,
        left=columns.left[keep],
        right=columns.right[keep],
        choice=columns.choice[keep],
        voter=columns.voter[keep],
        query=columns.query[keep],
        dataset=columns.dataset[keep],
        session=columns.session[keep],
        kind=columns.kind[keep],
        at=columns.at[keep],
        battle=tuple(columns.battle[row] for row in rows),
        first=first,
    )


def of_dataset(columns: VoteColumns, name: str) -> VoteColumns:
    """The votes on one dataset.

    Raises:
        InputError: no vote is on it.
    """
    return _named(columns, columns.dataset, columns.datasets, name, "dataset")


def of_session(columns: VoteColumns, name: str) -> VoteColumns:
    """The votes recorded in one named session.

    Raises:
        InputError: no vote is in it.
    """
    return _named(columns, columns.session, columns.sessions, name, "session")


def one_dataset(columns: VoteColumns) -> None:
    """Refuse to mix datasets by accident: a model may be good on one and poor on the other.

    Raises:
        InputError: the votes are on more than one dataset.
    """
    there = [columns.datasets[code] for code in used(columns.dataset, len(columns.datasets))]
    if len(there) > 1:
        raise InputError(
            f"these votes are on {len(there)} datasets ({', '.join(there)}), and a model may stand "
            "differently on each; choose one with --dataset, rate each with --by dataset, or mix "
            "them with --pool"
        )


def rated(columns: VoteColumns, *, repeats: bool = False) -> VoteColumns:
    """The votes that ratings are made of: no attention check, and no repeat unless asked for."""
    keep = columns.kind == PLAIN
    if repeats:
        keep = keep | (columns.kind == REPEAT)
    return select(columns, keep & (columns.left != columns.right))


def seen(columns: VoteColumns) -> tuple[Ints, Ints, Ints]:
    """Models that were voted on at all, and left and right as places among them.

    Returns:
        codes, shape (K,), in the order of ``columns.models``; left and right, shape (n,).
    """
    # Counted, not sorted: this is asked three times for every board.
    shown = np.bincount(columns.left, minlength=len(columns.models))
    shown += np.bincount(columns.right, minlength=len(columns.models))
    codes = np.flatnonzero(shown).astype(np.int64)
    place = np.cumsum(shown > 0, dtype=np.int64) - 1
    return codes, place[columns.left], place[columns.right]


def used(codes: NDArray[np.int32], n: int) -> list[int]:
    """The codes 0..n - 1 that occur, rising; -1 is nobody's."""
    return np.flatnonzero(np.bincount(codes[codes >= 0], minlength=n)).tolist()


def tallies(left: Ints, right: Ints, outcome: Ints, n_items: int) -> NDArray[np.int64]:
    """Wins, losses and ties of each item.

    Returns:
        shape (n_items, 3).

    Example:
        >>> tallies(np.array([0, 1]), np.array([1, 0]), np.array([0, 2]), 2).tolist()
        [[1, 0, 1], [0, 1, 1]]
    """
    from_left = np.array((0, 1, 2))[outcome]
    from_right = np.array((1, 0, 2))[outcome]
    flat = np.concatenate((left * 3 + from_left, right * 3 + from_right))
    return np.bincount(flat, minlength=3 * n_items).reshape(n_items, 3)


def _named(
    columns: VoteColumns, codes: NDArray[np.int32], names: Sequence[str], name: str, what: str
) -> VoteColumns:
    wanted = [code for code, known in enumerate(names) if known == name]
    keep = np.isin(codes, wanted)
    if not wanted or not keep.any():
        there = [names[code] for code in np.unique(codes).tolist() if code >= 0]
        known = ", ".join(there) if there else "there are none"
        raise InputError(f"no vote is of {what} {name!r}; known: {known}", where=f"--{what}")
    return select(columns, keep)
