"""What every analysis shares: how to infer, how to label, and where findings gather."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evenhand.errors import InputError, StatsError
from evenhand.stats.estimate import Accounting, Estimate, Result
from evenhand.stats.multiplicity import adjust
from evenhand.stats.record import record
from evenhand.stats.resample import FEW_CLUSTERS, Interval, Statistic, cluster_estimate

__all__ = [
    "ANSWERED",
    "FAILED",
    "REFUSED",
    "UNREADABLE",
    "Findings",
    "Inference",
    "Labels",
    "Outcomes",
    "Scored",
    "account",
    "finish",
    "inference",
    "require_clusters",
]

ANSWERED, REFUSED, UNREADABLE, FAILED = 0, 1, 2, 3
"""What became of one answer; an array of these goes with every table of answers."""

Outcomes = NDArray[np.int8]

# How the statistics say that a cluster interval has nothing to go by.
SAME_IN_ALL = "every cluster gives the same value"
THIN = "carry most of the spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """How intervals are made; the command line's ``--interval --level --draws --seed``."""

    interval: Interval = "t"
    level: float = 0.95
    draws: int = 4000
    seed: int = 0


def inference(interval: str, *, level: float, draws: int, seed: int) -> Inference:
    """Check what the command line was given.

    Raises:
        InputError: an unknown interval, a level outside 0..1, or too few draws.
    """
    kinds: dict[str, Interval] = {"t": "t", "percentile": "percentile", "bca": "bca"}
    if interval not in kinds:
        raise InputError(f"{interval!r} is none of {', '.join(kinds)}", where="--interval")
    if not 0 < level < 1:
        raise InputError(f"{level} is not between 0 and 1; try 0.95", where="--level")
    if draws < 100:
        raise InputError(f"{draws} draws are too few; use at least 100", where="--draws")
    return Inference(interval=kinds[interval], level=level, draws=draws, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Whose finding, of whom and in which condition; ``family`` names the tests adjusted together."""

    instrument: str
    subject: str | None = None
    condition: str | None = None
    group: str | None = None
    family: str | None = None

    def within(self, group: str | None) -> str | None:
        """A group of a part: ``round 0: Black``, so that no two estimates are named alike."""
        parts = [part for part in (self.group, group) if part]
        return ": ".join(parts) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a scorer was about to estimate: kept, so that two sets of answers can be contrasted."""

    name: str
    totals: NDArray[np.float64]
    statistic: Statistic
    n: int
    scale: str
    limits: tuple[float, float] | None
    missing: tuple[float, float] | None
    group: str | None


@dataclass(slots=True)
class Findings:
    """Estimates gathered by a scorer, and a note for each that the data do not determine."""

    inference: Inference
    labels: Labels
    cluster: str
    estimates: list[Estimate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    scored: list[Scored] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """What is said of one estimate's interval: its name, and the warning."""

    def add(
        self,
        name: str,
        totals: ArrayLike,
        statistic: Statistic,
        *,
        n: int,
        scale: str,
        null: float | None = None,
        limits: tuple[float, float] | None = None,
        missing: tuple[float, float] | None = None,
        group: str | None = None,
        baseline: str | None = None,
        contrast: str | None = None,
    ) -> None:
        """Estimate one number; where the data do not determine it, a note and no number.

        Args:
            totals: shape (G, K), a row of sums per cluster.
            n: observations behind the number.
            limits: the smallest and largest value the statistic can take.
            missing: worst and best case over the missing answers.
            group: whom the number is about, within the group of ``labels``.
        """
        self.scored.append(
            Scored(
                name=name,
                totals=np.asarray(totals, dtype=np.float64),
                statistic=statistic,
                n=n,
                scale=scale,
                limits=limits,
                missing=missing,
                group=group,
            )  # fmt: skip
        )
        group = self.labels.within(group)
        try:
            found = cluster_estimate(
                totals, statistic,
                interval=self.inference.interval, level=self.inference.level,
                draws=self.inference.draws, seed=self.inference.seed, null=null, bounds=limits,
            )  # fmt: skip
        except StatsError as error:
            self.notes.append(f"no {self._name(name, group)}: {error}")
            return
        if found.warning:
            self.warnings.append((self._name(name, group), found.warning))
        self.estimates.append(
            record(
                found,
                instrument=self.labels.instrument,
                name=name,
                scale=scale,
                n=n,
                cluster=self.cluster,
                subject=self.labels.subject,
                condition=self.labels.condition,
                group=group,
                baseline=baseline,
                contrast=contrast,
                family=self.labels.family,
                bounds=missing,
            )  # fmt: skip
        )

    def _name(self, name: str, group: str | None) -> str:
        where = [part for part in (self.labels.condition, group) if part]
        return f"{name} ({', '.join(where)})" if where else name


def require_clusters(cluster: NDArray[np.int64], what: str) -> None:
    """Fail early where no interval of any kind could be honest.

    Raises:
        StatsError: fewer than 2 clusters.
    """
    count = len(np.unique(cluster))
    if count < 2:
        raise StatsError(
            f"only {count} {what}: nothing tells how much one {what} differs from the next; "
            f"score at least 2 (15 or more for a sound interval)"
        )


def account(
    outcomes: Outcomes,
    groups: Iterable[tuple[str, NDArray[np.bool_]]] = (),
    *,
    condition: str | None = None,
) -> list[Accounting]:
    """Count what became of the answers: the whole first, then each named group.

    Args:
        outcomes: shape (n,), of ``ANSWERED REFUSED UNREADABLE FAILED``.
        groups: names with their masks, shape (n,).

    Example:
        >>> account(np.array([0, 0, 2], dtype=np.int8))
        [Accounting(condition=None, group=None, asked=3, answered=2, refused=0, unreadable=1, failed=0)]
    """
    rows = []
    everything: tuple[None, NDArray[np.bool_]] = (None, np.ones(len(outcomes), dtype=bool))
    for group, mask in (everything, *groups):
        counts = np.bincount(outcomes[mask], minlength=4).tolist()
        rows.append(
            Accounting(
                condition=condition,
                group=group,
                asked=sum(counts),
                answered=counts[ANSWERED],
                refused=counts[REFUSED],
                unreadable=counts[UNREADABLE],
                failed=counts[FAILED],
            )  # fmt: skip
        )
    return rows


def finish(
    findings: Sequence[Findings], accounting: Iterable[Accounting], notes: Sequence[str] = ()
) -> Result:
    """One result of several findings, p-values adjusted over the whole family."""
    estimates = [estimate for found in findings for estimate in found.estimates]
    # A family of description only (no p) is no family.
    tested = [replace(e, family=None) if e.p is None else e for e in estimates]
    warnings = [warning for found in findings for warning in found.warnings]
    told = [*notes, *_few(estimates), *_same(warnings), *_thin(warnings)]
    told += [note for found in findings for note in found.notes]
    return Result.of(adjust(tested), accounting, tuple(dict.fromkeys(told)))


# So many names stand in a note that speaks of many estimates.
NAMED = 3


def _few(estimates: Sequence[Estimate]) -> list[str]:
    """One line about few clusters, however many estimates rest on them."""
    few = [e for e in estimates if e.n_clusters is not None and e.n_clusters < FEW_CLUSTERS]
    if not few:
        return []
    names = [
        f"{e.name} ({where})"
        if (where := ", ".join(filter(None, (e.condition, e.group))))
        else e.name
        for e in few
    ]
    least = min(e.n_clusters or 0 for e in few)
    if len(few) == 1:
        return [f"{names[0]}: only {least} clusters: the interval is rough below {FEW_CLUSTERS}"]
    return [
        f"{len(few)} of {len(estimates)} estimates rest on fewer than {FEW_CLUSTERS} clusters "
        f"(least {least}), so their intervals are rough: {_names(names)}"
    ]


def _same(warnings: Sequence[tuple[str, str]]) -> list[str]:
    """One line about clusters that do not differ."""
    names = [name for name, text in warnings if SAME_IN_ALL in text]
    if not names:
        return []
    return [
        f"{SAME_IN_ALL} in {_names(names)}, so nothing tells how much clusters differ; "
        "the interval allows for clusters not seen"
    ]


def _thin(warnings: Sequence[tuple[str, str]]) -> list[str]:
    """One line about many clusters of which a few carry the spread."""
    names = [name for name, text in warnings if THIN in text]
    if not names:
        return []
    return [f"a few clusters {THIN} in {_names(names)}: these intervals are rough"]


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
