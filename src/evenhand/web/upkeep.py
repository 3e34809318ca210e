"""What an arena does by the clock: look at the database, learn for matchmaking, delete what is old."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.ballots.box import Box
from evenhand.errors import EvenhandError

if TYPE_CHECKING:
    from evenhand.web.hall import Hall

__all__ = ["keep_up", "learned"]

log = logging.getLogger("evenhand.web")

LOOK_EVERY_S = 1.0
LEARN_EVERY_S = 10.0
PRUNE_EVERY_S = 3600.0


async def keep_up(hall: Hall, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Until cancelled. A database out of reach is noted, and looked for again."""
    learn_at = prune_at = clock()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await hall.refresh()
            if clock() >= prune_at:
                prune_at = clock() + PRUNE_EVERY_S
                await _prune(hall)
            if hall.rules.matchmaking == "informative" and clock() >= learn_at:
                learn_at = clock() + max(LEARN_EVERY_S, hall.rules.leaderboard_every_s)
                await _learn(hall)
        except EvenhandError as error:
            hall.troubles["database"] = str(error)
        except Exception:
            # Nobody awaits this task before the end; it must not stop in silence.
            log.exception("the arena's upkeep failed; it goes on")
        else:
            hall.troubles.pop("database", None)


async def _prune(hall: Hall) -> None:
    days = hall.rules.retention_days
    if days is not None:
        await hall.box.prune(days)


async def _learn(hall: Hall) -> None:
    dataset = hall.bundle.dataset
    found = await asyncio.to_thread(learned, hall.box, dataset)
    if found is not None:
        models, strength, covariance = found
        hall.matchmaker.learn(dataset, models, strength, covariance)


def learned(
    box: Box, dataset: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]] | None:
    """Models, strengths shape (K,) and their covariance (K, K); None while votes tell too little."""
    from evenhand.arena.ratings.strengths import fit_strengths
    from evenhand.stats.findings import Inference

    columns = box.votes(dataset)
    found = fit_strengths(columns, Inference())
    if found.fit is None:
        return None
    k = len(found.models)
    models = [columns.models[code] for code in found.models]
    return models, found.fit.strength, found.fit.cov[:k, :k]
