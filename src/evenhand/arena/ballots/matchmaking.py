"""Which two models meet on which query, and on which sides.

``uniform`` draws any pair. ``balanced`` takes the pair that this query showed least, on the sides it
showed less. ``informative`` draws pairs where one more vote tells most. In all of them nobody is
shown the same battle twice in a row.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.arena.config import Rules
from evenhand.arena.spec import Battle, Kind
from evenhand.errors import Conflict

__all__ = ["Matchmaker", "Pairing", "information"]

# In ``informative``, this share of the draws is as in ``balanced``, so that no pair is given up.
EXPLORATION = 0.1
QUERIES_KEPT = 2_000
VOTERS_KEPT = 50_000
HISTORY_MIN = 2
"""So many voted battles ago at least was what is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What to show. ``repeat_of`` is the battle that is shown again."""

    query: str
    left: str
    right: str
    kind: Kind = "plain"
    repeat_of: str | None = None


class _Coverage:
    """How often each ordered pair was shown, per query of one dataset."""

    def __init__(self, models: Sequence[str]) -> None:
        self.models = tuple(models)
        self.place = {model: at for at, model in enumerate(self.models)}
        # Made once: numpy lets other threads run meanwhile, and they are slow to hand back.
        self.first, self.second = np.triu_indices(len(self.models), 1)
        self.total = self._nothing()
        self.of_query: OrderedDict[str, NDArray[np.int64]] = OrderedDict()
        self.query_total: dict[str, int] = {}
        self.information: NDArray[np.float64] | None = None

    def _nothing(self) -> NDArray[np.int64]:
        return np.zeros((len(self.models), len(self.models)), dtype=np.int64)

    def counts(self, query: str) -> NDArray[np.int64]:
        """Shape (K, K): left, right. The queries asked longest ago are forgotten."""
        found = self.of_query.get(query)
        if found is None:
            found = self.of_query[query] = self._nothing()
            while len(self.of_query) > QUERIES_KEPT:
                self.of_query.popitem(last=False)
        self.of_query.move_to_end(query)
        return found

    def add(self, query: str, left: str, right: str, n: int = 1) -> None:
        at = self.place.get(left), self.place.get(right)
        if at[0] is None or at[1] is None:
            return
        self.counts(query)[at] += n
        self.total[at] += n
        self.query_total[query] = self.query_total.get(query, 0) + n


class Matchmaker:
    """Draws pairings for all voters of one process. Not for several threads at once.

    Args:
        rng: where chance comes from; the system's randomness where it is not given.

    Example:
        >>> made = Matchmaker(rng=random.Random(1))
        >>> rules = Rules(matchmaking="balanced")
        >>> pairs = [
        ...     made.draw(rules, dataset="d", models=("a", "b"), queries=("q",), voter=f"v{n}")
        ...     for n in range(4)
        ... ]
        >>> sorted(pair.left for pair in pairs)
        ['a', 'a', 'b', 'b']
    """

    def __init__(self, *, rng: random.Random | None = None) -> None:
        self._random = rng or random.SystemRandom()
        self._coverage: dict[tuple[str, tuple[str, ...]], _Coverage] = {}
        self._shown: dict[str, list[tuple[str, str, str, int]]] = {}
        self._last: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()

    def load(self, dataset: str, shown: Iterable[tuple[str, str, str, int]]) -> None:
        """Take what was shown before this process began: query, left, right, how often."""
        self._shown[dataset] = list(shown)
        for key in [key for key in self._coverage if key[0] == dataset]:
            del self._coverage[key]

    def learn(
        self,
        dataset: str,
        models: Sequence[str],
        strength: NDArray[np.float64],
        covariance: NDArray[np.float64],
    ) -> None:
        """Take the strengths as the votes have them now, for ``informative``.

        Args:
            dataset: whose.
            models: shape (K,), their ids.
            strength: shape (K,), logits.
            covariance: shape (K, K), of the strengths.
        """
        known = {model: at for at, model in enumerate(models)}
        told = information(strength, covariance)
        for (name, _), coverage in self._coverage.items():
            if name != dataset:
                continue
            at = np.array([known.get(model, -1) for model in coverage.models])
            # A model without votes: nothing is known of it, so nothing tells more.
            most = float(told.max(initial=1.0))
            full = np.full((len(told) + 1, len(told) + 1), most)
            full[:-1, :-1] = told
            coverage.information = full[np.ix_(at, at)]

    def draw(
        self,
        rules: Rules,
        *,
        dataset: str,
        models: Sequence[str],
        queries: Sequence[str],
        voter: str,
        query: str | None = None,
        history: Callable[[], Sequence[Battle]] = tuple,
    ) -> Pairing:
        """Draw what to show to a voter next, and count it as shown.

        Args:
            rules: how: ``matchmaking``, ``identical_share``, ``repeat_share``.
            dataset: what is searched.
            models: those that can be shown.
            queries: those to choose from where the voter chose none.
            voter: who.
            query: what the voter chose.
            history: gives what the voter voted on, newest first; called where a repeat is due.

        Raises:
            Conflict: fewer than two models, or nothing to ask.
        """
        if len(models) < 2:
            raise Conflict("a battle needs two models, and the bundle has fewer", id=dataset)
        if query is None and not queries:
            raise Conflict("the bundle has no queries", id=dataset)
        chance = self._random.random()
        if chance < rules.repeat_share:
            again = self._repeat(history(), dataset, models, query)
            if again is not None:
                return again
        coverage = self._covered(dataset, tuple(models))
        asked = query if query is not None else self._query(rules, coverage, queries, voter)
        if rules.repeat_share <= chance < rules.repeat_share + rules.identical_share:
            model = self._random.choice(list(models))
            return Pairing(query=asked, left=model, right=model, kind="identical")
        left, right = self._pair(rules, coverage, asked, voter)
        coverage.add(asked, left, right)
        self._remember(voter, asked, left, right)
        return Pairing(query=asked, left=left, right=right)

    # ------------------------------------------------------------------ private

    def _covered(self, dataset: str, models: tuple[str, ...]) -> _Coverage:
        key = (dataset, models)
        if key not in self._coverage:
            coverage = self._coverage[key] = _Coverage(models)
            for query, left, right, n in self._shown.get(dataset, ()):
                coverage.add(query, left, right, n)
        return self._coverage[key]

    def _query(self, rules: Rules, coverage: _Coverage, queries: Sequence[str], voter: str) -> str:
        if rules.matchmaking == "uniform":
            return self._random.choice(queries)
        last = self._last.get(voter)
        counts = [coverage.query_total.get(query, 0) for query in queries]
        others = [
            at for at, query in enumerate(queries) if last is None or query != last[0]
        ] or list(range(len(queries)))
        least = min(counts[at] for at in others)
        return queries[self._random.choice([at for at in others if counts[at] == least])]

    def _pair(self, rules: Rules, coverage: _Coverage, query: str, voter: str) -> tuple[str, str]:
        """An unordered pair by the rules, then its sides."""
        first, second = coverage.first, coverage.second
        allowed = np.ones(len(first), dtype=bool)
        last = self._last.get(voter)
        if last is not None and last[0] == query and len(first) > 1:
            a, b = sorted(coverage.place.get(model, -1) for model in last[1])
            allowed &= (first != a) | (second != b)
        places = np.flatnonzero(allowed)
        chosen = self._chosen(rules, coverage, query, first[places], second[places])
        at = places[chosen]
        return self._sides(rules, coverage, query, int(first[at]), int(second[at]))

    def _chosen(
        self,
        rules: Rules,
        coverage: _Coverage,
        query: str,
        first: NDArray[np.intp],
        second: NDArray[np.intp],
    ) -> int:
        if rules.matchmaking == "uniform":
            return self._random.randrange(len(first))
        weights = coverage.information
        explores = self._random.random() < EXPLORATION
        if rules.matchmaking == "informative" and weights is not None and not explores:
            reach = np.cumsum(weights[first, second])
            if reach[-1] > 0:
                drawn = np.searchsorted(reach, self._random.random() * reach[-1], side="right")
                return min(int(drawn), len(first) - 1)
        here, all_over = coverage.counts(query), coverage.total
        # Least shown with this query; among equals least shown at all; among equals any.
        shown = here[first, second] + here[second, first]
        tied = np.flatnonzero(shown == shown.min())
        at_all = (all_over[first, second] + all_over[second, first])[tied]
        return int(self._random.choice(tied[at_all == at_all.min()].tolist()))

    def _sides(
        self, rules: Rules, coverage: _Coverage, query: str, a: int, b: int
    ) -> tuple[str, str]:
        """A fair coin; where coverage counts, the order that was shown less."""
        swapped = self._random.random() < 0.5
        if rules.matchmaking != "uniform":
            here, all_over = coverage.counts(query), coverage.total
            ahead = int(here[a, b] - here[b, a]) or int(all_over[a, b] - all_over[b, a])
            if ahead:
                swapped = ahead > 0
        left, right = (b, a) if swapped else (a, b)
        return coverage.models[left], coverage.models[right]

    def _repeat(
        self, history: Sequence[Battle], dataset: str, models: Sequence[str], query: str | None
    ) -> Pairing | None:
        """A battle of this voter again, as it was, where one is long enough ago."""
        repeated = {battle.repeat_of for battle in history}
        found = [
            battle
            for battle in history[HISTORY_MIN:]
            if battle.dataset == dataset
            and battle.kind == "plain"
            and query in (None, battle.query)
            and not battle.open_query
            and battle.id not in repeated
            and {battle.left.model, battle.right.model} <= set(models)
        ]
        if not found:
            return None
        battle = self._random.choice(found)
        return Pairing(
            query=battle.query,
            left=battle.left.model,
            right=battle.right.model,
            kind="repeat",
            repeat_of=battle.id,
        )

    def _remember(self, voter: str, query: str, left: str, right: str) -> None:
        self._last[voter] = (query, frozenset((left, right)))
        self._last.move_to_end(voter)
        while len(self._last) > VOTERS_KEPT:
            self._last.popitem(last=False)


def information(
    strength: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By how much one more vote shrinks the variance of each difference, shape (K, K).

    With variance ``v`` of a difference and ``w = p (1 - p)``, the information of one vote between
    the two, the variance becomes ``v / (1 + v w)``: less by ``v² w / (1 + v w)``.

    Example:
        >>> information(np.zeros(2), np.diag([0.5, 0.5])).round(3)
        array([[0. , 0.2],
               [0.2, 0. ]])
    """
    own = np.diag(covariance)
    variance = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0)
    p = 1 / (1 + np.exp(-np.clip(strength[:, None] - strength[None, :], -30, 30)))
    told = p * (1 - p)
    shrinks: NDArray[np.float64] = variance**2 * told / (1 + variance * told)
    np.fill_diagonal(shrinks, 0.0)
    return shrinks
