"""Votes whose truth is planted, for the tests of ratings."""

from __future__ import annotations

import numpy as np

from evenhand.arena.ratings.csv_votes import VoteRow
from evenhand.arena.spec import LEFT, RIGHT, TIE

__all__ = ["changed", "planted"]


def planted(
    *, voters: int = 30, each: int = 20, gaps: tuple[float, ...] = (0.0, 0.3, 0.9, -0.4),
    side: float = 0.0, taste: float = 0.2, ties: float = 0.12, seed: int = 1,
    dataset: str = "faces", profile: str | None = None, turned: bool = False,
) -> list[VoteRow]:  # fmt: skip
    """Votes of voters with tastes; ``turned`` gives every second voter the opposite opinion."""
    rng = np.random.default_rng(seed)
    rows = []
    for voter in range(voters):
        own = np.array(gaps) + rng.normal(0, taste, len(gaps))
        if turned and voter % 2:
            own = -own
        said = {profile: "ab"[voter % 2]} if profile else {}
        for game in range(each):
            left = int(rng.integers(len(gaps)))
            right = (left + int(rng.integers(1, len(gaps)))) % len(gaps)
            chance = 1 / (1 + np.exp(-(own[right] - own[left] + side)))
            choice = TIE if rng.random() < ties else RIGHT if rng.random() < chance else LEFT
            rows.append(
                VoteRow(
                    left=f"m{left}", right=f"m{right}", choice=choice, voter=f"v{voter}",
                    query=("doctor", "nurse")[game % 2], dataset=dataset, at=float(len(rows)),
                    profile=said, session="pilot" if voter < voters // 2 else "",
                )
            )  # fmt: skip
    return rows


def changed(row: VoteRow, **fields: object) -> VoteRow:
    """The same vote with some of it otherwise."""
    known = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return VoteRow(**{**known, **fields})
