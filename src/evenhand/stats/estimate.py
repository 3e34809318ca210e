"""The one record: a number with its interval, its tests and its counts; and who answered.

Every scoring and analysis command of every instrument prints these two shapes and no other.
A field that does not apply is ``None``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["Accounting", "Estimate", "Result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One estimate.

    ``value`` is group minus baseline unless ``contrast`` says otherwise. ``scale`` names the unit
    (``proportion``, ``difference``, ``log_odds``, ``score``, ``count``). ``family`` names the set of
    tests that ``p_holm`` and ``q_bh`` are adjusted over. ``mde`` is the smallest true value this
    design would have found with power 0.8. ``bound_low`` and ``bound_high`` are the value if every
    missing answer had gone one way or the other.
    """

    # In the order in which the record is printed.
    instrument: str
    subject: str | None = None
    name: str
    condition: str | None = None
    group: str | None = None
    baseline: str | None = None
    contrast: str | None = None
    scale: str
    value: float
    low: float | None = None
    high: float | None = None
    level: float | None = None
    p: float | None = None
    p_holm: float | None = None
    q_bh: float | None = None
    family: str | None = None
    planned: bool | None = None
    n: int | None = None
    n_clusters: int | None = None
    cluster: str | None = None
    method: str | None = None
    seed: int | None = None
    mde: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """What became of everything asked, by condition and group; both ``None`` is the total."""

    condition: str | None = None
    group: str | None = None
    asked: int = 0
    answered: int = 0
    refused: int = 0
    unreadable: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What an analysis returns: estimates, accounting, and notes for a person to read."""

    estimates: tuple[Estimate, ...]
    accounting: tuple[Accounting, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        estimates: Iterable[Estimate],
        accounting: Iterable[Accounting],
        notes: Sequence[str] = (),
    ) -> Result:
        return cls(tuple(estimates), tuple(accounting), tuple(notes))

    def as_json(self) -> dict[str, Any]:
        """The JSON shape of DESIGN: ``{"estimates": [...], "accounting": [...]}``."""
        return {
            "estimates": [_flat(row, ESTIMATE) for row in self.estimates],
            "accounting": [_flat(row, ACCOUNTING) for row in self.accounting],
        }


ESTIMATE = tuple(field.name for field in fields(Estimate))
ACCOUNTING = tuple(field.name for field in fields(Accounting))


def _flat(row: Estimate | Accounting, names: tuple[str, ...]) -> dict[str, Any]:
    """What ``asdict`` gives, which would copy every value of thousands of rows."""
    return {name: getattr(row, name) for name in names}
