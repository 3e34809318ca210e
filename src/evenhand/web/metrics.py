"""Counts and latencies of one worker process, as text for Prometheus. No names, no addresses."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

__all__ = ["Metrics"]

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What has been asked and how long it took.

    Example:
        >>> metrics = Metrics()
        >>> metrics.note("POST", "/api/votes", 201, 0.002)
        >>> metrics.text().splitlines()[2]
        'evenhand_requests_total{method="POST",route="/api/votes",status="201"} 1'
    """

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._latency: dict[str, list[float]] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; ``route`` is its pattern, never the address asked for."""
        self._requests[method, route, status] += 1
        row = self._latency.get(route)
        if row is None:
            row = self._latency[route] = [0.0] * (len(BOUNDS_S) + 2)
        row[bisect_left(BOUNDS_S, seconds)] += 1
        row[-1] += seconds

    def text(self, gauges: Mapping[str, tuple[str, float]] | None = None) -> str:
        """The exposition format; ``gauges`` maps names to what they are and their values."""
        lines = [
            "# HELP evenhand_requests_total Requests answered by this worker.",
            "# TYPE evenhand_requests_total counter",
        ]
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            lines.append(f"evenhand_requests_total{{{labels}}} {count}")
        lines += [
            "# HELP evenhand_request_seconds Time until the answer was sent.",
            "# TYPE evenhand_request_seconds histogram",
        ]
        for route, row in sorted(self._latency.items()):
            lines += _histogram(route, row)
        for name, (about, value) in (gauges or {}).items():
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _histogram(route: str, row: list[float]) -> list[str]:
    name, lines, total = "evenhand_request_seconds", [], 0.0
    for bound, count in zip((*BOUNDS_S, "+Inf"), row[:-1], strict=True):
        total += count
        lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {total:g}')
    lines.append(f'{name}_sum{{route="{route}"}} {row[-1]:.6f}')
    lines.append(f'{name}_count{{route="{route}"}} {total:g}')
    return lines
