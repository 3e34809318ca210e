"""A million votes rated with clustered errors, against arena-rank (JAX) in the same run.

arena-rank lives in an environment of its own, ``.venv-arena-rank``, made here on first use (about
900 MB). It has no voter clusters and no tie or side parameter; it is given its own best way in
(integer columns, no strings). Ours must take no longer than its warm time, with clusters, ties and
the side effect fitted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evenhand.stats.influence import voters_to_overturn
from evenhand.stats.pairwise import pairwise
from evenhand.stats.rankings import rank_ranges

__all__ = ["main", "votes"]

ENVIRONMENT = Path(__file__).parents[1] / ".venv-arena-rank"
PACKAGE = "arena-rank==0.1.1"
ROUNDS = 3

THEIRS = """
import json, sys, time
import numpy as np, pandas as pd
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset
data = np.load(sys.argv[1])
frame = pd.DataFrame({"model_a": data["left"], "model_b": data["right"], "won": data["won"]})

def rate():
    start = time.perf_counter()
    ready = PairDataset.from_pandas(frame, outcome_col="won", outcome_map=lambda won: won)
    counted = time.perf_counter()
    found = BradleyTerry(n_competitors=len(ready.competitors)).compute_ratings_and_cis(ready)
    ratings = np.asarray(found["ratings"])
    np.asarray(found["rating_upper"])
    return time.perf_counter() - start, time.perf_counter() - counted, ratings

times = [rate() for _ in range(int(sys.argv[2]))]
print(json.dumps({
    "cold": times[0][0], "warm": min(t[0] for t in times[1:]),
    "fit": min(t[1] for t in times[1:]),
    "strength": (np.log(10) / 400 * (times[-1][2] - times[-1][2].mean())).tolist(),
}))
"""


def votes(n: int, items: int, voters: int, seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """Left, right, outcome and voter of a simulated arena with tastes, ties and a side effect."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(0, 1, items)
    left = rng.integers(0, items, n)
    right = (left + rng.integers(1, items, n)) % items
    voter = rng.integers(0, voters, n)
    d = strength[right] - strength[left] + 0.2 + 0.3 * rng.standard_normal(voters)[voter]
    win, lose, tie = np.exp(d / 2), np.exp(-d / 2), 0.5
    at = rng.random(n) * (win + lose + tie)
    outcome = np.where(at < lose, 0, np.where(at < lose + win, 1, 2))
    return left, right, outcome, voter


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of three rounds in seconds, and what the last one gave."""
    shortest, answer = np.inf, None
    for _ in range(ROUNDS):
        start = time.perf_counter()
        answer = work()
        shortest = min(shortest, time.perf_counter() - start)
    return float(shortest), answer


def theirs(columns: tuple[Any, Any, Any, Any]) -> dict[str, Any] | None:
    """arena-rank on the same votes in its own process; None when it cannot be installed."""
    python = ENVIRONMENT / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PACKAGE],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        print(f"{PACKAGE} could not be installed ({error})")
        return None
    won = np.array([0.0, 1.0, 0.5])[columns[2]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.npz"
        # Their first column is the one whose win counts.
        np.savez(path, left=columns[1], right=columns[0], won=won)
        done = subprocess.run(
            [python, "-c", THEIRS, str(path), str(ROUNDS + 1)], capture_output=True, text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"}, check=False,
        )  # fmt: skip
    if done.returncode:
        print(done.stderr[-800:])
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print times and ratios; 1 when the limit is not held or nothing could be compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=150)
    parser.add_argument("--voters", type=int, default=20_000)
    chosen = parser.parse_args()
    columns = votes(chosen.votes, chosen.items, chosen.voters)
    k = chosen.items
    other = theirs(columns)
    plain_s, plain = best(lambda: pairwise(*columns, n_items=k, ties=False, side=False))
    full_s, full = best(lambda: pairwise(*columns, n_items=k))
    places_s, _ = best(lambda: rank_ranges(full))
    turn_s, turned = best(lambda: voters_to_overturn(*columns, n_items=k))
    print(f"{chosen.votes:,} votes, {k} models, {chosen.voters:,} voters")
    print(f"{'ours, clustered, as arena-rank models it':58} {plain_s:7.2f} s")
    print(f"{'ours, clustered, with ties and side effect':58} {full_s:7.2f} s")
    print(f"{'rank ranges over all pairs of it':58} {places_s:7.2f} s")
    print(f"{f'fewest voters to overturn the first two ({turned.n})':58} {turn_s:7.2f} s")
    if other is None:
        return 1
    for name in ("cold", "warm", "fit"):
        told = {"cold": "first call", "warm": "warm", "fit": "warm, its counting left out"}[name]
        against = f"arena-rank, no clusters, {told}"
        print(f"{against:58} {other[name]:7.2f} s  {other[name] / full_s:5.1f}x ours")
    same = float(np.abs(plain.strength - np.array(other["strength"])).max())
    print(f"largest difference of a strength, same model: {same:.1e} logits")
    held = full_s <= other["warm"] and same < 1e-3
    print(
        f"limit: at most arena-rank's warm time, same strengths: {'held' if held else 'NOT HELD'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
