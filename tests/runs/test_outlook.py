"""What is left of a run, and which of its units stand for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from evenhand.runs.outlook import FIRST_SHOWN, left_of, sampled_places
from evenhand.runs.work import Lane, Outcome, Unit, UnitSoFar


class Numbered:
    """A plan whose keys are its places."""

    instrument = "numbers"
    plan_hash = "0"

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def unit(self, ordinal: int, /) -> Unit:
        """The one at a place."""
        return Unit(ordinal, str(ordinal), "c", None)

    def lanes(self) -> Sequence[Lane]:
        """All of them wait for one model."""

        def places() -> Iterator[int]:
            return iter(range(self.n))

        return [Lane("one", ("m",), places)]

    async def perform(self, unit: Unit, so_far: UnitSoFar, /) -> Outcome:
        """Always done."""
        return Outcome("answered")


@given(st.lists(st.booleans(), max_size=40))
def test_what_is_left_is_what_is_not_done(done: list[bool]) -> None:
    """Counts add up, and the keys told are the first that are not done."""
    left = left_of(Numbered(len(done)), bytearray(done))
    missing = [str(at) for at, is_done in enumerate(done) if not is_done]
    assert (left.planned, left.done) == (len(done), sum(done))
    assert list(left.first) == missing[:FIRST_SHOWN]


@given(st.integers(0, 5_000), st.integers(1, 300))
def test_sampled_places_are_places(n: int, sample: int) -> None:
    """Places are in the plan, ascending, each once, and as many as there can be."""
    places = list(sampled_places(n, sample))
    assert places == sorted(set(places))
    assert len(places) == min(n, sample)
    assert all(0 <= place < n for place in places)
