"""How often: token buckets in memory, bounded, per voter and per address.

Each worker process counts for itself. What is told with a refusal is when to come back.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from evenhand.arena.config import Rules
from evenhand.errors import TooMany

__all__ = ["Buckets", "Limits", "household"]

KEPT = 50_000
"""Keys remembered per limit; the one seen longest ago is forgotten first."""


class Buckets:
    """One bucket per key. A bucket holds ``burst`` tokens and gains ``per_s`` of them a second.

    Example:
        >>> buckets = Buckets()
        >>> [buckets.take("a", per_s=1.0, burst=2, now=0.0) for _ in range(3)]
        [0.0, 0.0, 1.0]
        >>> buckets.take("a", per_s=1.0, burst=2, now=1.0)
        0.0
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        # When a bucket will be full again: all that has to be known of it.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, *, per_s: float, burst: float, now: float) -> float:
        """Take a token. Returns 0, or the seconds until there is one (and takes none)."""
        full_at = max(self._full_at.get(key, now), now) + 1 / per_s
        wait = full_at - now - max(burst, 1) / per_s
        if wait > 1e-9:
            return wait
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._kept:
            self._full_at.popitem(last=False)
        return 0.0


class Limits:
    """The arena's limits, read from its rules at each request, so that a change counts at once."""

    def __init__(
        self,
        rules: Callable[[], Rules],
        *,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.enabled = enabled
        self._rules = rules
        self._clock = clock
        self._requests, self._registrations = Buckets(), Buckets()
        self._battles, self._votes, self._open_queries = Buckets(), Buckets(), Buckets()

    def request(self, address: str) -> None:
        """One request from an address, images apart. Raises ``TooMany``."""
        rate = self._rules().requests_per_minute
        self._take(self._requests, household(address), rate, 60, "requests a minute")

    def registration(self, address: str) -> None:
        """One registration from an address. Raises ``TooMany``."""
        self._take(
            self._registrations,
            household(address),
            self._rules().registrations_per_hour,
            3600,
            "registrations an hour",
        )

    def battle(self, voter: str) -> None:
        """One battle asked for by a voter. Raises ``TooMany``."""
        self._take(self._battles, voter, self._rules().battles_per_minute, 60, "battles a minute")

    def vote(self, voter: str) -> None:
        """One vote or undo of a voter: twice as many as battles, so that trying again is free."""
        rate = self._rules().battles_per_minute
        self._take(self._votes, voter, rate and 2 * rate, 60, "votes a minute")

    def open_query(self, voter: str) -> None:
        """One new open query of a voter. Raises ``TooMany``."""
        self._take(
            self._open_queries,
            voter,
            self._rules().open_queries_per_hour,
            3600,
            "searches of your own an hour",
        )

    def _take(
        self, buckets: Buckets, key: str, rate: float | None, period_s: float, what: str
    ) -> None:
        if rate is None or not self.enabled:
            return
        wait = buckets.take(key, per_s=rate / period_s, burst=rate, now=self._clock())
        if wait:
            raise TooMany(
                f"at most {rate:g} {what} are taken; wait {wait:.0f} s", retry_after_s=wait
            )


def household(address: str) -> str:
    """What is counted as one address: of IPv6 the first half, since one line has all of the rest.

    Example:
        >>> household("203.0.113.9"), household("2001:db8::a:1") == household("2001:db8::b:2")
        ('203.0.113.9', True)
    """
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    except ValueError:
        return address
