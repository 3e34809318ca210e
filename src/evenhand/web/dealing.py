"""Making battles: which query, which two models, which side, and what of each is shown."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from numpy.typing import NDArray

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.office import Session
from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.config import Rules
from evenhand.arena.spec import Battle, Voter
from evenhand.errors import Conflict, InputError
from evenhand.web.showing import panel_of

__all__ = ["Dealer"]


class Dealer:
    """Deals battles of one bundle under one set of rules; another is made when either changes."""

    def __init__(self, box: Box, bundle: Bundle, rules: Rules) -> None:
        self.bundle = bundle
        self._box = box
        self._rules = rules
        self._queries = frozenset(bundle.queries)
        self._rng = secrets.SystemRandom()

    async def deal(self, voter: Voter, query: str | None, session: Session | None) -> Battle:
        """A battle, on record before anybody sees it.

        Raises:
            Conflict: fewer than two models, or no query.
            InputError: an unknown query while open queries are off; too long; blocked.
        """
        if len(self.bundle.models) < 2:
            raise Conflict(
                "this dataset has fewer than two models to compare", id=self.bundle.dataset
            )
        asked = self._picked() if query is None else query
        if asked not in self._queries:
            raise InputError(
                "only queries of the list are searched here; choose one of them", where="query"
            )
        left, right = self._rng.sample(self.bundle.models, 2)
        rankings = {model: self.bundle.ranking(model, asked) for model in (left, right)}
        battle = self._battle(voter, asked, (left, right), rankings, session)
        await self._box.add_battle(battle)
        return battle

    def _picked(self) -> str:
        if not self.bundle.queries:
            raise Conflict("this dataset has no queries; type one", id=self.bundle.dataset)
        return self._rng.choice(self.bundle.queries)

    def _battle(
        self,
        voter: Voter,
        query: str,
        sides: tuple[str, str],
        rankings: Mapping[str, NDArray[Any]],
        session: Session | None,
    ) -> Battle:
        rules, now = self._rules, datetime.now(UTC)
        left, right = (
            panel_of(model, rankings[model], rules.max_scroll_images) for model in sides
        )
        why_rate = rules.why_rate if rules.enable_why_tags else 0.0
        return Battle(
            id=secrets.token_urlsafe(16),
            voter=voter.id,
            query=query,
            dataset=self.bundle.dataset,
            bundle_version=self.bundle.version,
            left=left,
            right=right,
            asks_why=self._rng.random() < why_rate,
            why_rate=why_rate,
            session=session.id if session else None,
            created_at=now,
            expires_at=now + timedelta(seconds=rules.battle_lives_s),
        )
