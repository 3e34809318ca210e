"""Give each person one of the attributes that can be changed in them, each attribute equally often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_evenly"]

Counts = NDArray[np.int64]


def assign_evenly(feasible: NDArray[np.bool_], rng: np.random.Generator) -> Counts:
    """Choose one feasible attribute for each person, as evenly as feasibility allows.

    People are alike when the same attributes are feasible, so the numbers are settled between
    few patterns and attributes: a flow whose loads no path can level further, which is the least
    sum of squared loads. Who gets which is drawn.

    Args:
        feasible: shape (n, attributes).

    Returns:
        shape (n,), a place among the attributes, -1 where none is feasible.

    Example:
        >>> only_first = np.array([[True, False]] * 3 + [[True, True]] * 5)
        >>> np.bincount(assign_evenly(only_first, np.random.default_rng(1))).tolist()
        [4, 4]
    """
    bits = feasible @ (1 << np.arange(feasible.shape[1]))
    _, first, of = np.unique(bits, return_index=True, return_inverse=True)
    patterns = feasible[first]
    flow = _start(patterns, np.bincount(of, minlength=len(patterns)))
    while _level(patterns, flow):
        pass
    assigned = np.full(len(feasible), -1, dtype=np.int64)
    shuffled = rng.permutation(len(feasible))
    by_pattern = shuffled[np.argsort(of[shuffled], kind="stable")]
    told = np.where(patterns.any(axis=1), flow.sum(axis=1), 0)
    able = by_pattern[feasible[by_pattern].any(axis=1)]
    columns = np.tile(np.arange(patterns.shape[1]), len(patterns))
    assigned[able] = np.repeat(columns, flow.ravel())[: int(told.sum())]
    return assigned


def _start(patterns: NDArray[np.bool_], sizes: Counts) -> Counts:
    """Those with the least choice first, each pattern filling up the lowest loads."""
    flow = np.zeros(patterns.shape, dtype=np.int64)
    for place in np.argsort(patterns.sum(axis=1), kind="stable"):
        open_to = np.flatnonzero(patterns[place])
        if len(open_to):
            flow[place, open_to] = _top_up(flow.sum(axis=0)[open_to], int(sizes[place]))
    return flow


def _top_up(loads: Counts, extra: int) -> Counts:
    """Raise the lowest of some loads to one level with ``extra`` more."""
    low, high = int(loads.min()), int(loads.max()) + extra
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _needed(loads, middle) <= extra else (low, middle - 1)
    added = np.maximum(low - loads, 0)
    rest = extra - int(added.sum())
    added[np.flatnonzero(loads <= low)[:rest]] += 1
    return added


def _needed(loads: Counts, level: int) -> int:
    return int(np.maximum(level - loads, 0).sum())


def _level(patterns: NDArray[np.bool_], flow: Counts) -> bool:
    """Move people along one path from a higher load to one at least 2 lower; whether there was one."""
    loads = flow.sum(axis=0)
    for high in np.argsort(-loads, kind="stable"):
        path = _path(patterns, flow, int(high), loads)
        if path:
            steps = [(a, b, _movers(patterns, flow, a)[:, b]) for a, b in path]
            wanted = int(loads[high] - loads[path[-1][1]]) // 2
            count = min(wanted, *(int(many.sum()) for *_, many in steps))
            for a, b, many in steps:
                part = np.minimum(np.cumsum(many), count)
                moved = np.diff(part, prepend=0)
                flow[:, a] -= moved
                flow[:, b] += moved
            return True
    return False


def _movers(patterns: NDArray[np.bool_], flow: Counts, a: int) -> Counts:
    """How many of each pattern sit at ``a`` and could sit at each other attribute."""
    return np.where(patterns, flow[:, [a]], 0)


def _path(
    patterns: NDArray[np.bool_], flow: Counts, start: int, loads: Counts
) -> list[tuple[int, int]]:
    """The shortest way, attribute by attribute, to the lowest load within reach."""
    came: dict[int, int] = {start: start}
    queue = [start]
    for a in queue:
        for b in np.flatnonzero(_movers(patterns, flow, a).sum(axis=0)):
            if int(b) not in came:
                came[int(b)] = a
                queue.append(int(b))
    end = min(queue, key=lambda a: int(loads[a]))
    if loads[start] - loads[end] < 2:
        return []
    path = []
    while end != start:
        path.append((came[end], end))
        end = came[end]
    return path[::-1]
