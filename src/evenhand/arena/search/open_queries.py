"""Queries that no bundle foresaw: normalised, encoded, searched, and kept for who asks next.

Encoding and searching run in threads of their own; whoever awaits an answer leaves the event loop
free. Two who ask the same at once wait for one search.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.layout import image_embeddings
from evenhand.arena.config import Rules
from evenhand.arena.search.index import Index
from evenhand.arena.search.queries import Normalised, normalise
from evenhand.errors import Conflict, InputError, TooMany

__all__ = ["Kept", "OpenQueries"]

# Searches at once; each uses the processors by itself.
AT_ONCE = 2
# Searches waiting, beyond which a query is turned away.
WAITING = 64

Ranking = NDArray[np.int32]
Job = tuple[str, str, int]
"""A model, a query's key, and how many images."""


class Kept:
    """What outlives a change of rules or dataset.

    Answers by dataset, bundle version, model and query, the least lately used leaving first; and
    the indices of the bundle that was searched last.
    """

    def __init__(self) -> None:
        self._answers: dict[str, OrderedDict[tuple[str, str], dict[str, Ranking]]] = {}
        self._lock = threading.Lock()
        self._searched: tuple[Bundle, float] | None = None
        self._indices: dict[str, Index] = {}
        self._making: dict[str, threading.Lock] = {}

    def index(
        self, bundle: Bundle, model: str, share_mb: float, make: Callable[[], Index]
    ) -> Index:
        """A model's index, made when it is first needed; another bundle's are let go of."""
        with self._lock:
            if self._searched != (bundle, share_mb):
                self._searched, self._indices, self._making = (bundle, share_mb), {}, {}
            mine, making = self._indices, self._making.setdefault(model, threading.Lock())
        with making:
            if model not in mine:
                mine[model] = make()
            return mine[model]

    def index_bytes(self) -> int:
        """What the indices take."""
        with self._lock:
            return sum(index.memory_bytes for index in self._indices.values())

    def get(self, bundle: Bundle, model: str, key: str) -> Ranking | None:
        """A kept answer."""
        with self._lock:
            mine = self._answers.get(bundle.dataset, OrderedDict())
            by_model = mine.get((bundle.version, key))
            if by_model is None:
                return None
            mine.move_to_end((bundle.version, key))
            return by_model.get(model)

    def put(self, bundle: Bundle, model: str, key: str, ranking: Ranking, *, most: int) -> None:
        """Keep an answer, and of this dataset the latest ``most`` queries."""
        with self._lock:
            mine = self._answers.setdefault(bundle.dataset, OrderedDict())
            mine.setdefault((bundle.version, key), {})[model] = ranking
            mine.move_to_end((bundle.version, key))
            while len(mine) > most:
                mine.popitem(last=False)

    def count(self, dataset: str) -> int:
        """How many queries of a dataset are kept."""
        with self._lock:
            return len(self._answers.get(dataset, ()))


class OpenQueries:
    """Open queries on one bundle.

    Args:
        bundle: what is searched.
        rules: lengths, blocked words, how much is kept and how much memory the index may take.
        kept: answers and indices; hand the same on when rules or bundle change.
    """

    def __init__(self, bundle: Bundle, *, rules: Rules, kept: Kept | None = None) -> None:
        self.bundle = bundle
        self.kept = Kept() if kept is None else kept
        self._rules = rules
        self._listed = {_key(query): query for query in reversed(bundle.queries)}
        self._listed.pop("", None)
        self._lock = threading.Lock()
        self._running: dict[Job, Future[Ranking]] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="open-queries")
        self._hits = self._searches = 0

    @property
    def models(self) -> tuple[str, ...]:
        """The models that can answer: the bundle holds their text encoder and embeddings."""
        return self.bundle.text_models

    def normalised(self, query: str) -> Normalised:
        """The query by these rules.

        Raises:
            InputError: empty, too long, or blocked.
        """
        rules = self._rules
        return normalise(query, most=rules.max_query_length, blocked=rules.blocked_words)

    def listed(self, query: str) -> str | None:
        """The bundle's own query that this one is, in whatever case it was typed."""
        return self._listed.get(_key(query))

    async def rank(
        self, query: str, models: Sequence[str], n: int
    ) -> Mapping[str, NDArray[np.int32]]:
        """The first ``n`` images by each model, without holding up the event loop.

        Raises:
            InputError: a query that is refused.
            Conflict: a model that cannot answer open queries; names it.
            NotFound: no such model.
            TooMany: too many searches are waiting.
        """
        key = self._allowed(query, models)
        found = {model: self._known(model, key, n) for model in models}
        waited_for = {
            model: asyncio.wrap_future(self._begun(model, key, n))
            for model, ranking in found.items()
            if ranking is None
        }
        if waited_for:
            # One voter's leaving must not take the answer from the others.
            answers = await asyncio.gather(*map(asyncio.shield, waited_for.values()))
            found |= dict(zip(waited_for, answers, strict=True))
        return {model: ranking[:n] for model, ranking in found.items() if ranking is not None}

    def rank_now(
        self, query: str, models: Sequence[str], n: int
    ) -> Mapping[str, NDArray[np.int32]]:
        """The same, in this thread."""
        key = self._allowed(query, models)
        found = {}
        for model in models:
            known = self._known(model, key, n)
            found[model] = (self._search(model, key, n) if known is None else known)[:n]
        return found

    def stats(self) -> Mapping[str, int]:
        """For the admin: queries kept, answers given from them, searches made and waiting, memory."""
        with self._lock:
            return {
                "kept": self.kept.count(self.bundle.dataset),
                "hits": self._hits,
                "searches": self._searches,
                "waiting": len(self._running),
                "index_bytes": self.kept.index_bytes(),
            }

    def _allowed(self, query: str, models: Iterable[str]) -> str:
        """The query's key, when every model can answer it."""
        key = self.normalised(query).key
        able = self.models
        unable = [m for m in models if m not in able and self._own(m, key) is None]
        if unable:
            raise Conflict(
                f"the bundle of {self.bundle.dataset!r} has no text encoder of "
                f"{', '.join(map(repr, unable))}, which so ranks no query but the bundle's own",
                id=self.bundle.dataset,
            )
        return key

    def _own(self, model: str, key: str) -> Ranking | None:
        """The bundle's ranking, where the query is one of the bundle's."""
        listed = self._listed.get(key)
        return None if listed is None else self.bundle.ranking(model, listed)

    def _known(self, model: str, key: str, n: int) -> Ranking | None:
        """An answer that needs no search."""
        wanted = min(n, self.bundle.n_images)
        own = self._own(model, key)
        if own is not None and (len(own) >= wanted or model not in self.models):
            return own
        kept = self.kept.get(self.bundle, model, key)
        if kept is None or len(kept) < wanted:
            return None
        with self._lock:
            self._hits += 1
        return kept

    def _begun(self, model: str, key: str, n: int) -> Future[Ranking]:
        """The search that is under way for this, or a new one."""
        job = (model, key, max(n, self._rules.max_scroll_images))
        with self._lock:
            running = self._running.get(job)
            if running is not None:
                return running
            if len(self._running) >= WAITING:
                raise TooMany("too many searches are waiting; try again soon", retry_after_s=2)
            begun = self._running[job] = self._pool.submit(self._search, *job)
        begun.add_done_callback(lambda _: self._ended(job))
        return begun

    def _ended(self, job: Job) -> None:
        with self._lock:
            self._running.pop(job, None)

    def _search(self, model: str, key: str, n: int) -> Ranking:
        encoder = self.bundle.text_encoder(model)
        if encoder is None:
            raise Conflict(f"{model!r} brings no text encoder", id=self.bundle.dataset)
        (vector,) = encoder.encode_texts([key])
        # Looks whether the file is whole before the index reads its map.
        self.bundle.embeddings(model)
        ranking, _ = self._index(model).top(vector, max(n, self._rules.max_scroll_images))
        self.kept.put(self.bundle, model, key, ranking, most=self._rules.open_query_cache)
        with self._lock:
            self._searches += 1
        return ranking

    def _index(self, model: str) -> Index:
        """The models that can answer share the memory."""
        share = self._rules.index_memory_mb / len(self.models)
        return self.kept.index(self.bundle, model, share, lambda: self._made(model, share))

    def _made(self, model: str, share_mb: float) -> Index:
        rows = self.bundle.embeddings(model)
        if rows is None:
            raise Conflict(f"{model!r} keeps no embeddings", id=self.bundle.dataset)
        where = f"{self.bundle.path}: {image_embeddings(model)}"
        return Index.of(rows, memory_mb=share_mb, where=where)


def _key(query: str) -> str:
    """A bundle's own query, whatever its length; one that could not be typed has no key."""
    try:
        return normalise(query, most=max(1, len(query)) * 20).key
    except InputError:
        return ""
