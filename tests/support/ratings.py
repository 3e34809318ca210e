"""Ratings with planted effects, made as columns: the analysis is tried without an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evenhand.stats.findings import ANSWERED
from evenhand.survey.analysis.ratings import PairedPeople, Ratings, with_counts
from evenhand.survey.people.people import People, axis_codes
from evenhand.survey.population.spec import Population
from evenhand.survey.results import ConditionFacts
from evenhand.survey.spec import AskSpec, Trait

__all__ = ["facts", "planted", "rated", "shifted", "some_traits"]

CATEGORIES = ("warmth", "competence", "morality", "social")


def some_traits(n: int, *, good: float = 0.5) -> tuple[Trait, ...]:
    """Traits of four categories; the first share of each is good, the others are bad."""
    traits = []
    for i in range(n):
        category = CATEGORIES[i % len(CATEGORIES)]
        valence = 1 if (i // len(CATEGORIES)) % 10 < 10 * good else -1
        traits.append(Trait(f"t{i + 1:02d}", {"en": f"trait {i + 1}"}, category, valence))
    return tuple(traits)


def facts(
    label: str | None = None, *, kind: str = "pool", scale_order: str = "random"
) -> ConditionFacts:
    """Facts of a run that nobody ran."""
    return ConditionFacts(
        label=label, run=label or "r-planted", model="simulated/planted", dataset=1,
        dataset_name="made", dataset_kind=kind, population="Made by hand",
        ask=AskSpec(dataset=1, scale_order=scale_order, rated_from=0),  # type: ignore[arg-type]
    )  # fmt: skip


def shifted(
    population: Population, people: People, shifts: Mapping[str, Mapping[str, float]]
) -> NDArray[np.float64]:
    """Each person's planted shift in rating points, shape (P,): ``{"gender": {"female": 0.3}}``."""
    total = np.zeros(len(people))
    for axis, levels in shifts.items():
        places = {level.code: i for i, level in enumerate(population.axis(axis).levels)}
        by_level = np.zeros(len(places))
        for code, shift in levels.items():
            by_level[places[code]] = shift
        total += by_level[axis_codes(population, people, axis)]
    return total


def rated(
    population: Population,
    people: People,
    traits: Sequence[Trait],
    favourable: NDArray[np.float64],
    *,
    reversed: NDArray[np.bool_] | None = None,
    dual: NDArray[np.bool_] | None = None,
    pairs: PairedPeople | None = None,
    in_groups: NDArray[np.bool_] | None = None,
    order_effect: float = 0.0,
    label: str | None = None,
) -> Ratings:
    """Ratings from a table of favourable values.

    Args:
        favourable: shape (P, T), 5 is best, whatever the trait's side.
        reversed: shape (P, T), which cells are asked on the reversed scale; default none.
        dual: shape (P, T), which are asked the other way, too.
        order_effect: what is added to every value as it is shown.
    """
    side = np.array([t.valence if t.valence in (1, -1) else 1 for t in traits])
    own = 3 + side * (favourable - 3)
    turned = np.zeros(own.shape, dtype=bool) if reversed is None else reversed
    person = np.repeat(np.arange(len(own)), own.shape[1])
    trait = np.tile(np.arange(own.shape[1]), len(own))
    again = np.zeros(own.shape, dtype=bool) if dual is None else dual
    backwards = np.concatenate([turned.ravel(), ~turned[again]])
    value = np.concatenate([own.ravel(), own[again]])
    shown = np.where(backwards, 6 - value, value) + order_effect
    return with_counts(
        Ratings(
            facts=facts(label, kind="pool" if pairs is None else "counterfactual"),
            population=population,
            people=people,
            in_groups=np.ones(len(people), dtype=bool) if in_groups is None else in_groups,
            pairs=pairs or PairedPeople.none(),
            traits=tuple(traits),
            person=np.concatenate([person, person[again.ravel()]]).astype(np.int32),
            trait=np.concatenate([trait, trait[again.ravel()]]).astype(np.int16),
            reversed=backwards,
            value=np.clip(shown, 1, 5),
            outcome=np.full(len(value), ANSWERED, dtype=np.int8),
        )
    )


def planted(
    population: Population,
    people: People,
    traits: Sequence[Trait],
    *,
    seed: int,
    shifts: Mapping[str, Mapping[str, float]] | None = None,
    persona_sd: float = 0.6,
    noise_sd: float = 0.6,
    dual: float = 0.0,
    whole: bool = False,
    order_effect: float = 0.0,
    label: str | None = None,
) -> Ratings:
    """Ratings about 3 with persona effects, planted shifts and noise, in random scale order.

    ``whole`` rounds to the five points, with chance so that the mean stays what was planted.
    """
    rng = np.random.default_rng(seed)
    shape = (len(people), len(traits))
    value = 3 + rng.normal(0, persona_sd, (shape[0], 1)) + rng.normal(0, noise_sd, shape)
    value += shifted(population, people, shifts or {})[:, None]
    if whole:
        value = np.floor(value + rng.random(shape))
    return rated(
        population, people, traits, np.clip(value, 1, 5), reversed=rng.random(shape) < 0.5,
        dual=rng.random(shape) < dual, order_effect=order_effect, label=label,
    )  # fmt: skip
