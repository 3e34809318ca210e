"""Everything a running arena holds: configuration, ballot box, bundles, limits, the board.

One ``Hall`` per worker process. What several processes must agree on (votes, settings, sessions,
the dataset shown) is in the database; each hall looks there about once a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from starlette.requests import Request

from evenhand.arena.ballots.box import Box
from evenhand.arena.ballots.matchmaking import Matchmaker
from evenhand.arena.ballots.office import Session
from evenhand.arena.ballots.rows import Receipt
from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.shelf import Shelf
from evenhand.arena.config import ArenaConfig, Rules, changed, load_config
from evenhand.arena.search.open_queries import Kept, OpenQueries
from evenhand.arena.spec import Vote, Voter
from evenhand.errors import (
    Conflict,
    Denied,
    EvenhandError,
    Gone,
    InputError,
    NotFound,
    TooMany,
)
from evenhand.settings import Settings
from evenhand.web.admin_auth import AdminAuth
from evenhand.web.boards import Boards
from evenhand.web.bodies import RegisterIn
from evenhand.web.dealing import Dealer
from evenhand.web.dice import Dice
from evenhand.web.limits import Limits
from evenhand.web.metrics import Metrics
from evenhand.web.security import Proxies
from evenhand.web.shared import read_shared
from evenhand.web.showing import (
    choices_of,
    config_on_the_wire,
    consent_version,
)
from evenhand.web.standing import Standing, standing_of, with_bundle
from evenhand.web.upkeep import keep_up
from evenhand.web.visitors import checked_profile, is_admin, token_of

__all__ = ["Hall", "HallOptions"]

A_DAY_S = 86_400.0
# What the search keeps hold of; its index is built anew only when one of these changes.
SEARCH_RULES = (
    "max_query_length",
    "blocked_words",
    "open_query_cache",
    "index_memory_mb",
    "max_scroll_images",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HallOptions:
    """What ``arena serve`` was told. Can be sent to another process."""

    admin_token: str
    bundles_dir: Path | None = None
    bundle: Path | None = None
    config: Path | None = None
    durability: Literal["process", "full"] = "process"
    proxies: tuple[str, ...] = ()
    behind_https: bool = False
    limits: bool = True


class Hall:
    """The running arena. Open with ``Hall.open``; a context manager."""

    def __init__(
        self,
        settings: Settings,
        options: HallOptions,
        file: ArenaConfig | None,
        box: Box,
        shelf: Shelf,
    ) -> None:
        self.settings, self.options, self.box, self.shelf = settings, options, box, shelf
        self.admin = AdminAuth(options.admin_token)
        self.proxies = Proxies(options.proxies)
        self.metrics = Metrics()
        self.limits = Limits(lambda: self.rules, enabled=options.limits)
        self.boards = Boards(self._make_board)
        self._base = with_bundle(file, shelf.current().config)
        self._began = time.monotonic()
        self._upkeep: asyncio.Task[None] | None = None
        self.troubles: dict[str, str] = {}
        self._public_config: bytes | None = None
        self._shared = read_shared(box)
        self.standing = self._stand()
        self._kept = Kept()
        self.matchmaker = Matchmaker(rng=Dice())
        self._searching: tuple[Any, ...] = ()
        self._set_up_for: Bundle | None = None
        # What was read before a change must not be acted on after it.
        self._changing = asyncio.Lock()
        self._set_up(self._choose_bundle())

    @classmethod
    def open(cls, settings: Settings, options: HallOptions) -> Self:
        """Open the database and the bundles.

        Raises:
            InputError: a configuration or bundle that cannot be used, or none at all.
            StorageError: the database cannot be reached.
        """
        file = load_config(options.config) if options.config else None
        active = file.arena.active_dataset_id if file else None
        box = Box.open(settings, durability=options.durability)
        try:
            shelf = Shelf.of(
                options.bundles_dir,
                options.bundle,
                active,
                configured=file.datasets if file else (),
            )
            return cls(settings, options, file, box, shelf)
        except BaseException:
            box.close()
            raise

    def close(self) -> None:
        """Let the writer finish and close the database."""
        self.box.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    async def start(self) -> None:
        """Begin what is done by the clock."""
        self._upkeep = asyncio.create_task(keep_up(self))

    async def stop(self) -> None:
        """End it."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await self._upkeep

    # ------------------------------------------------------------------ what holds now

    @property
    def config(self) -> ArenaConfig:
        """The configuration in force."""
        return self.standing.config

    @property
    def rules(self) -> Rules:
        """Its part ``arena``."""
        return self.standing.config.arena

    @property
    def bundle(self) -> Bundle:
        """The bundle shown now."""
        return self.shelf.current()

    @property
    def session(self) -> Session | None:
        """The named recording that is open."""
        return self._shared.session

    def notes(self) -> tuple[str, ...]:
        """What whoever runs this should know: changes beside the file, and what went wrong."""
        return (
            *self.standing.notes,
            *self.shelf.notes,
            *self.bundle.notes,
            *self.troubles.values(),
        )

    def public_config(self) -> bytes:
        """``GET /api/config``."""
        if self._public_config is None:
            session = self.session
            self._public_config = config_on_the_wire(
                self.config,
                self.bundle,
                more=(*self._searchable(), *self._shared.shown.get(self.bundle.dataset, ())),
                session={"id": session.id, "name": session.name} if session else None,
            )
        return self._public_config

    def _searchable(self) -> tuple[str, ...]:
        """Queries that the configuration adds, where this bundle's models can answer them."""
        return self.rules.predefined_queries if len(self.open_queries.models) >= 2 else ()

    # ------------------------------------------------------------------ who asks

    def voter(self, request: Request) -> Voter:
        """The voter who asks. Raises ``Denied``."""
        voter = self._voter_of(request)
        if voter is None:
            raise Denied("not registered as a voter; register first")
        return voter

    def let_look(self, request: Request) -> None:
        """Pictures are for voters and the admin. Raises ``Denied``."""
        if self._voter_of(request) is None and not is_admin(self.admin, request):
            raise Denied("pictures are shown to voters only; register first")

    def _voter_of(self, request: Request) -> Voter | None:
        token = token_of(request)
        return self.box.voter(token) if token else None

    # ------------------------------------------------------------------ voters and votes

    async def register(self, body: RegisterIn, *, address: str) -> tuple[Voter, str]:
        """A new voter and the secret token.

        Raises:
            InputError: consent or invite are missing, or a profile field is not asked for.
            TooMany: too many registrations from this address.
        """
        self.limits.registration(address)
        rules = self.rules
        if rules.require_consent and not body.consent:
            raise InputError("voting here needs your consent to the text shown", where="consent")
        if rules.invite_required and not body.invite:
            raise InputError("voting here needs an invite code", where="invite")
        return await self.box.register(
            nickname=body.nickname,
            profile=checked_profile(body.profile, rules),
            consent=(consent_version(rules.consent_text) or "") if body.consent else None,
            invite=body.invite if rules.invite_required else None,
        )

    async def kept_of(self, voter: Voter) -> dict[str, Any]:
        """Everything that is kept of a voter, as ``GET /api/me`` tells it."""
        votes, battles = await asyncio.to_thread(self.box.counts_of, voter.id)
        return {
            "participant_id": voter.id,
            "nickname": voter.nickname,
            "profile": dict(voter.profile),
            "consent": voter.consent,
            "created_at": voter.created_at.isoformat(),
            "votes": votes,
            "battles": battles,
        }

    async def withdraw(self, voter: Voter) -> int:
        """Delete a voter; returns how many votes went."""
        deleted = await self.box.withdraw(voter)
        self.boards.forget()
        return deleted

    async def make_battle(
        self, voter: Voter, query: str | None, *, previous: str | None
    ) -> dict[str, Any]:
        """A battle for a voter, on record before it is shown; as it goes over the wire."""
        self.limits.battle(voter.id)
        await self._check_share(voter)
        if previous is not None:
            # What was left without a vote was passed over; all else about it is no matter here.
            with suppress(NotFound, Conflict, Gone):
                await self.box.skip(previous, voter)
        return await self.dealer.deal(voter, query, self.session)

    async def cast(self, vote: Vote, voter: Voter) -> Receipt:
        """Enter a vote; returns once it is durable."""
        self.limits.vote(voter.id)
        await self._check_share(voter)
        return await self.box.cast(
            vote,
            voter=voter,
            choices=self._choices,
            why_tags=self._tags,
            undo_s=self.rules.undo_s,
        )

    async def _check_share(self, voter: Voter) -> None:
        most = self.rules.votes_per_voter
        if most is None or not self.options.limits:
            return
        votes, _ = await asyncio.to_thread(self.box.counts_of, voter.id)
        if votes >= most:
            raise TooMany(
                f"one voter has {most} votes here, and you have given yours; thank you",
                retry_after_s=A_DAY_S,
            )

    async def undo(self, vote: str, voter: Voter) -> str:
        """Take a vote back; returns the battle that may be voted again."""
        self.limits.vote(voter.id)
        return await self.box.undo(vote, voter, undo_s=self.rules.undo_s)

    async def skip(self, battle: str, voter: Voter) -> None:
        """Pass a battle over."""
        await self.box.skip(battle, voter)

    # ------------------------------------------------------------------ the board

    async def public_board(self, dataset: str | None, session: str | None) -> bytes:
        """The board for everybody.

        Raises:
            Denied: the admin keeps it to themselves.
            NotFound: no such dataset or session.
        """
        if not self.rules.public_leaderboard:
            raise Denied("the board of this arena is not public", signed_in=True)
        return await self.board(dataset, session)

    async def board(self, dataset: str | None = None, session: str | None = None) -> bytes:
        """The board as JSON: of the dataset shown now, where none is named."""
        chosen = dataset or self.bundle.dataset
        if not _is_name(chosen) or (session is not None and not _is_name(session)):
            raise NotFound("board", f"{chosen[:40]} {(session or '')[:40]}".strip())
        return await self.boards.get(chosen, session, every_s=self.rules.leaderboard_every_s)

    def _make_board(self, dataset: str | None, session: str | None) -> bytes:
        columns = self.box.votes(dataset, session)
        if dataset != self.bundle.dataset and not len(columns) and dataset not in self._datasets():
            raise NotFound("dataset", dataset or "")
        from evenhand.arena.ratings.board import board

        epochs = self.box.epochs()
        made = board(
            columns,
            rules=self.rules,
            titles=self.titles(),
            epoch_at=epochs[-1].at.timestamp() if epochs else None,
        )
        return orjson.dumps({**made.as_json(), "dataset": dataset, "session": session})

    def _datasets(self) -> set[str]:
        return {shown.id for shown in self.shelf.datasets()}

    def titles(self) -> dict[str, str]:
        """Models' names for people: the configuration's, else the bundle's."""
        return {**self.bundle.titles, **{m.id: m.title for m in self.config.models}}

    # ------------------------------------------------------------------ what admins change

    async def change_rules(self, changes: Mapping[str, Any], *, by: str) -> None:
        """Set keys of ``arena``; they hold at once, in every worker within a second.

        Raises ``InvalidInputs`` with every problem; nothing is changed then.
        """
        async with self._changing:
            await self._change_rules(changes, by)

    async def _change_rules(self, changes: Mapping[str, Any], by: str) -> None:
        checked = changed(self.config, dict(changes), where="arena").arena.model_dump(mode="json")
        said = self._base.arena.model_dump(mode="json")
        for key in changes:
            await self.box.set_setting(key, checked[key], file_value=said[key], by=by)
        await self._refresh()

    async def drop_rule(self, key: str, *, by: str) -> None:
        """Let the file speak again. Raises ``NotFound`` where nothing was set."""
        await self.box.drop_setting(key, by=by)
        await self.refresh()

    async def switch(self, dataset: str, *, by: str) -> Bundle:
        """Show another dataset. Its bundle is opened first; a failure changes nothing.

        Battles made before can still be voted, and their pictures are still served.

        Raises ``NotFound`` or ``InputError`` of the shelf.
        """
        async with self._changing:
            before = self.bundle.dataset
            await asyncio.to_thread(self.shelf.switch, dataset)
            try:
                await self._change_rules({"active_dataset_id": dataset}, by)
            except EvenhandError:
                await asyncio.to_thread(self.shelf.switch, before)
                raise
        return self.bundle

    async def precompute(self, *, by: str) -> dict[str, Any]:
        """Rank ``predefined_queries`` by every model that can; what is known already is left.

        Raises ``Conflict`` where there is nothing to do it with, and says what is missing.
        """
        queries, models = self.rules.predefined_queries, self.open_queries.models
        if not queries:
            raise Conflict("arena.predefined_queries is empty; add some", id="predefined_queries")
        if not models:
            raise Conflict(
                "this bundle brings no text encoder, so it ranks no other queries than its own",
                id=self.bundle.dataset,
            )
        before = self.open_queries.stats()["searches"]
        for query in queries:
            await self.open_queries.rank(query, models, self.rules.max_scroll_images)
        made = self.open_queries.stats()["searches"] - before
        await self.box.note(by, "queries.precompute", {"newly_computed": made})
        return {
            "status": "ok",
            "newly_computed": made,
            "total_pairs": len(queries) * len(models),
        }

    # ------------------------------------------------------------------ what others change

    async def refresh(self) -> None:
        """Take in what the database says now: settings, session, queries that may be shown."""
        async with self._changing:
            await self._refresh()

    async def _refresh(self) -> None:
        shared = await asyncio.to_thread(read_shared, self.box)
        if shared == self._shared and self._set_up_for is self.bundle:
            return
        self._shared = shared
        self.standing = self._stand()
        self._set_up(await asyncio.to_thread(self._choose_bundle))

    def _stand(self) -> Standing:
        return standing_of(self._base, self._shared.changes)

    def _choose_bundle(self) -> Iterable[tuple[str, str, str, int]]:
        """Show the dataset that the rules name. Where that fails the one shown stays.

        Returns how often each pair was shown of it, for the matchmaker.
        """
        wanted = self.rules.active_dataset_id
        self.troubles.pop("bundle", None)
        if wanted is not None and not self.options.bundle and wanted != self.bundle.dataset:
            try:
                self.shelf.switch(wanted)
            except EvenhandError as error:
                self.troubles["bundle"] = f"{self.bundle.dataset} is shown: {error}"
        return self.box.shown(self.bundle.dataset) if self.bundle is not self._set_up_for else ()

    def _set_up(self, before: Iterable[tuple[str, str, str, int]]) -> None:
        """What follows from the rules and the bundle."""
        shown, rules = self.bundle, self.rules
        if shown is not self._set_up_for:
            self._set_up_for = shown
            self.matchmaker.load(shown.dataset, before)
        searching = (shown.version, shown.dataset, *(getattr(rules, key) for key in SEARCH_RULES))
        if searching != self._searching:
            self._searching = searching
            self.open_queries = OpenQueries(shown, rules=rules, kept=self._kept)
        self.dealer = Dealer(self.box, rules, self.open_queries, self.matchmaker, self.limits)
        self._choices = frozenset(choices_of(self.config))
        self._tags = frozenset(self.rules.why_tags)
        self._public_config = None

    # ------------------------------------------------------------------ machines

    async def health(self) -> dict[str, Any]:
        """``GET /healthz``."""
        try:
            await asyncio.to_thread(self.box.ping)
        except EvenhandError:
            well = False
        else:
            well = True
        return {
            "status": "ok" if well else "failing",
            "version": version("evenhand"),
            "dataset": self.bundle.dataset,
            "database": "ok" if well else "failing",
            "uptime_s": round(time.monotonic() - self._began, 1),
        }

    async def gauges(self) -> dict[str, tuple[str, float]]:
        """Numbers for ``/metrics`` that are no counts of requests."""
        return {
            "evenhand_uptime_seconds": (
                "Since this worker began.",
                time.monotonic() - self._began,
            ),
            "evenhand_writer_queue": ("Rows that wait to be written.", self.box.depth),
        }


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 100 and text.isascii() and text.isprintable()
