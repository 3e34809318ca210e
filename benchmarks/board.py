"""How long the leaderboard and a full rating take, and where the time goes.

100,000 votes of 2,000 voters on 4 models are made in memory. Timed: the board as the server makes
it every few seconds (best and median of five), its parts, and a plain Elo replay; then the whole
rating of the same votes and of 1,000,000, with a clustered t interval and with 1,000 bootstrap draws.
The reference offers none of this but the Elo replay (0.04 s for 100,000 tuples in CPython).

Run: ``python benchmarks/board.py [VOTES]``. Limit: the board of 100,000 votes in 0.3 s.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from study import verdict

from evenhand.arena.config import Rules
from evenhand.arena.ratings.analyse import Choices, analyse
from evenhand.arena.ratings.board import board
from evenhand.arena.ratings.strengths import fit_strengths
from evenhand.arena.ratings.votes import outcomes, seen
from evenhand.arena.spec import LEFT, RIGHT, TIE, VoteColumns
from evenhand.stats.elo import elo, elo_order_sd
from evenhand.stats.findings import Inference
from evenhand.stats.sequences import pair_sequences

__all__ = ["main"]

LIMIT_S = 0.3
STRENGTHS = np.array([0.0, 0.3, 0.6, -0.4])


def votes(n: int, *, voters: int, seed: int = 1) -> VoteColumns:
    """Votes of voters with tastes, a side effect of .5 and 12 % ties."""
    rng = np.random.default_rng(seed)
    k = len(STRENGTHS)
    own = STRENGTHS + rng.normal(0, 0.3, (voters, k))
    left = rng.integers(k, size=n)
    right = (left + rng.integers(1, k, size=n)) % k
    voter = rng.integers(voters, size=n)
    chance = 1 / (1 + np.exp(-(own[voter, right] - own[voter, left] + 0.5)))
    won = np.where(rng.random(n) < chance, RIGHT, LEFT)
    return VoteColumns(
        models=tuple(f"m{i}" for i in range(k)),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        choice=np.where(rng.random(n) < 0.12, TIE, won).astype(np.int8),
        voters=tuple(f"v{i}" for i in range(voters)),
        voter=voter.astype(np.int32),
        queries=("doctor", "nurse", "judge", "cook"),
        query=rng.integers(4, size=n).astype(np.int32),
        datasets=("faces",),
        dataset=np.zeros(n, dtype=np.int32),
        sessions=(),
        session=np.full(n, -1, dtype=np.int32),
        profiles=({},) * voters,
        kind=np.zeros(n, dtype=np.int8),
        at=np.arange(n, dtype=np.float64),
        battle=tuple(map(str, range(n))),
    )


def timed(work: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """Best and median processor seconds of some calls: what else runs here does not count."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken), statistics.median(taken)


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    columns = votes(n, voters=2000)
    codes, left, right = seen(columns)
    games = (left, right, outcomes(columns))
    rules, items = Rules(), len(codes)
    print(f"{n:,} votes of 2,000 voters on {items} models")
    print(f"{'':44} {'best':>8} {'median':>8}")
    rows: dict[str, Callable[[], object]] = {
        "board": lambda: board(columns, rules=rules, titles={}),
        "  strengths, side, ties, clustered": lambda: fit_strengths(columns, Inference()),
        "  Elo replay": lambda: elo(*games, n_items=items),
        "  Elo's spread over 100 orders": lambda: elo_order_sd(
            *games, n_items=items, shuffles=100
        ),
        "  claims at any time": lambda: pair_sequences(*games, columns.voter, n_items=items),
    }
    found = {}
    for name, work in rows.items():
        found[name] = timed(work)
        print(f"{name:44} {found[name][0]:7.3f}s {found[name][1]:7.3f}s")
    more = {
        "rate, clustered t": Choices(),
        "rate, 1,000 bootstrap draws": Choices(
            inference=Inference(interval="percentile", draws=1000)
        ),
    }
    for size in (n, 10 * n):
        many = columns if size == n else votes(size, voters=20_000)
        for name, choices in more.items():
            best, median = timed(lambda m=many, c=choices: analyse(m, choices=c), 1)
            print(f"{f'{name}, {size:,} votes':44} {best:7.3f}s {median:7.3f}s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB")
    print(f"board, median: {verdict(found['board'][1], LIMIT_S)} s")


if __name__ == "__main__":
    main()
