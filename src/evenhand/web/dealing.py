"""Making battles: which query, which two models, which side, and what of each is shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from numpy.typing import NDArray

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.matchmaking import Matchmaker, Pairing
from evenhand.arena.ballots.office import Session
from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.config import Rules
from evenhand.arena.search.open_queries import OpenQueries
from evenhand.arena.spec import Battle, Voter
from evenhand.errors import InputError
from evenhand.web.dice import Dice
from evenhand.web.limits import Limits
from evenhand.web.showing import Side, battle_on_the_wire, side_of

__all__ = ["Dealer"]

SIDES_KEPT = 1024


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query as the bundle or the search knows it, and the models that can answer it.

    Without a text the matchmaker chooses one of the bundle's.
    """

    text: str | None
    models: Sequence[str]
    searched: bool = False
    typed: bool = False


class Dealer:
    """Deals battles of one bundle under one set of rules; another is made when either changes."""

    def __init__(
        self,
        box: Box,
        rules: Rules,
        open_queries: OpenQueries,
        matchmaker: Matchmaker,
        limits: Limits,
    ) -> None:
        self.bundle: Bundle = open_queries.bundle
        self._box = box
        self._rules = rules
        self._matchmaker = matchmaker
        self._limits = limits
        self._open = open_queries
        self._rng = Dice()
        self._sides: OrderedDict[tuple[str, str], Side] = OrderedDict()
        self._own = frozenset(self.bundle.queries)
        self._predefined = frozenset(_keys(open_queries, rules.predefined_queries))

    async def deal(
        self, voter: Voter, query: str | None, session: Session | None
    ) -> dict[str, Any]:
        """A battle, on record before anybody sees it; as it goes over the wire.

        Raises:
            Conflict: fewer than two models, or no query.
            InputError: an unknown query while open queries are off; too long; blocked.
            TooMany: more searches of one's own than are allowed.
        """
        asked = self._listed() if query is None else await self._understood(query, voter)
        pairing = self._matchmaker.draw(
            self._rules,
            dataset=self.bundle.dataset,
            models=asked.models,
            queries=self.bundle.queries,
            voter=voter.id,
            query=asked.text,
            history=lambda: self._box.battles_of(
                voter.id, voted=True, dataset=self.bundle.dataset
            ),
        )
        left, right = await self._both(asked, pairing)
        battle = self._battle(voter, asked, pairing, left, right, session)
        await self._box.add_battle(battle)
        return battle_on_the_wire(battle, left, right)

    def _listed(self) -> _Asked:
        return _Asked(None, self.bundle.models)

    async def _understood(self, query: str, voter: Voter) -> _Asked:
        listed = query if query in self._own else self._open.listed(query)
        if listed is not None:
            return _Asked(listed, self.bundle.models)
        rules = self._rules
        if not rules.allow_open_queries and not self._predefined:
            raise _unknown()
        asked = self._open.normalised(query)
        if asked.key in self._predefined:
            return _Asked(asked.text, self._open.models, searched=True)
        if not rules.allow_open_queries:
            raise _unknown()
        self._limits.open_query(voter.id)
        if len(self._open.models) >= 2:
            state = await self._box.see_query(self.bundle.dataset, asked.key, asked.text)
            if state == "blocked":
                raise InputError("is not searched for here; use other words", where="query")
        return _Asked(asked.text, self._open.models, searched=True, typed=True)

    async def _both(self, asked: _Asked, pairing: Pairing) -> tuple[Side, Side]:
        models, query = (pairing.left, pairing.right), pairing.query
        rankings: Mapping[str, NDArray[Any]] = {}
        if asked.searched:
            most = self._rules.max_scroll_images
            rankings = await self._open.rank(query, list(dict.fromkeys(models)), most)
        left, right = (self._side(model, query, rankings) for model in models)
        return left, right

    def _side(self, model: str, query: str, rankings: Mapping[str, NDArray[Any]]) -> Side:
        side = self._sides.get((model, query))
        if side is None:
            ranking = rankings[model] if model in rankings else self.bundle.ranking(model, query)
            side = side_of(self.bundle, model, ranking, self._rules.max_scroll_images)
            self._sides[model, query] = side
            if len(self._sides) > SIDES_KEPT:
                self._sides.popitem(last=False)
        return side

    def _battle(
        self,
        voter: Voter,
        asked: _Asked,
        pairing: Pairing,
        left: Side,
        right: Side,
        session: Session | None,
    ) -> Battle:
        rules, now = self._rules, datetime.now(UTC)
        why_rate = rules.why_rate if rules.enable_why_tags else 0.0
        return Battle(
            id=self._rng.id(),
            voter=voter.id,
            query=pairing.query,
            dataset=self.bundle.dataset,
            bundle_version=self.bundle.version,
            left=left.panel,
            right=right.panel,
            kind=pairing.kind,
            repeat_of=pairing.repeat_of,
            open_query=asked.typed,
            asks_why=self._rng.random() < why_rate,
            why_rate=why_rate,
            session=session.id if session else None,
            created_at=now,
            expires_at=now + timedelta(seconds=rules.battle_lives_s),
        )


def _keys(open_queries: OpenQueries, queries: Iterable[str]) -> Iterator[str]:
    """What predefined queries are compared by; one that cannot be searched has no key."""
    for query in queries:
        with suppress(InputError):
            yield open_queries.normalised(query).key


def _unknown() -> InputError:
    return InputError(
        "only queries of the list are searched here; choose one of them", where="query"
    )
