"""What was run, with what, when: what every report of recorded runs says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenhand.runs.ledger import Ledger

__all__ = ["Provenance", "provenance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What was run, with what, when. Texts are shown as given; empty ones are left out.

    ``units`` counts pieces of work: planned, answered, partial, failed, pending. ``conditions``
    gives words for condition ids. ``commands`` repeat the run and the analysis.
    """

    run: str
    models: tuple[str, ...]
    version: str
    seed: int | None = None
    name: str = ""
    config: str = ""
    config_hash: str = ""
    plan_hash: str = ""
    template: str = ""
    started: str = ""
    finished: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    requests: int | None = None
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    commands: tuple[str, ...] = ()


def provenance(
    ledger: Ledger,
    run_ids: Sequence[str],
    *,
    models: Iterable[str],
    conditions: Mapping[str, str],
    commands: Iterable[str],
) -> Provenance:
    """Of several runs the counts are summed and the rest is listed, each text once.

    Raises:
        NotFound: the ledger has no such run.
    """
    rows = [ledger.run(run_id) for run_id in run_ids]
    units: dict[str, int] = {}
    for row in rows:
        for status, number in ledger.counts(row.id).items():
            units[status] = units.get(status, 0) + number
    return Provenance(
        run=", ".join(row.id for row in rows),
        models=tuple(sorted(set(models))),
        version=rows[0].version,
        seed=rows[0].seed,
        name=_each(row.name for row in rows),
        config=_each(row.source for row in rows),
        config_hash=_each(row.config_hash for row in rows),
        plan_hash=_each(row.plan_hash for row in rows),
        template=_each(row.template for row in rows),
        started=_time(rows[0].started_at),
        finished=_time(rows[-1].finished_at),
        units=units,
        conditions=conditions,
        commands=tuple(commands),
    )


def _each(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else ""
