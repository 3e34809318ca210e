"""Chance that nobody can foresee, at a price that a busy server can pay.

The system's random bytes are taken a block at a time; where asking for them costs tens of
microseconds, a battle that asks six times would spend most of its time on that.
"""

from __future__ import annotations

import os
import random
from base64 import urlsafe_b64encode

__all__ = ["Dice"]

BLOCK = 4096


class Dice(random.Random):
    """``random.Random`` over the system's random bytes. For one thread.

    Example:
        >>> dice = Dice()
        >>> 0 <= dice.random() < 1, len(dice.id()), dice.choice([3])
        (True, 22, 3)
    """

    def __init__(self) -> None:
        self._block, self._at = b"", 0
        super().__init__()

    def random(self) -> float:
        """From [0, 1), 53 bits of it."""
        return (int.from_bytes(self._take(7)) >> 3) * 2.0**-53

    def getrandbits(self, k: int, /) -> int:
        """``k`` random bits."""
        size = (k + 7) // 8
        return int.from_bytes(self._take(size)) >> (size * 8 - k)

    def seed(self, *_given: object, **_more: object) -> None:
        """Nothing to seed."""

    def id(self) -> str:
        """128 random bits, less a hair: 22 characters that are safe in an address.

        None begins with ``-``, which a spreadsheet would take for a formula.
        """
        id = urlsafe_b64encode(self._take(16)).rstrip(b"=").decode()
        return id if id[0] != "-" else f"_{id[1:]}"

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._block):
            self._block, self._at = os.urandom(BLOCK + size), 0
        self._at += size
        return self._block[self._at - size : self._at]
