"""The opinions of simulated voters, and the law by which they choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evenhand.errors import InputError, InvalidInputs

__all__ = ["Planted", "Tastes", "choose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What is true of simulated voters.

    A voter v prefers model m with s_m + t_vm logits, where t_vm is normal with mean 0 and standard
    deviation ``taste_sd``. Of two models, with u = s_right - s_left + ``side_bias``,

        P(left) : P(tie) : P(right) = exp(-u/2) : nu : exp(u/2)

    (Davidson 1970, JASA 65, equation 2.4, with a side effect). ``tie_rate`` r is the share of ties
    between equals, hence nu = 2 r / (1 - r). A tie is called both bad with probability
    ``both_bad`` where the arena offers that, and both good with ``both_good``.
    """

    strength: Mapping[str, float] = field(default_factory=dict)
    taste_sd: float = 0.3
    side_bias: float = 0.5
    tie_rate: float = 0.12
    both_bad: float = 0.0
    both_good: float = 0.0
    attribute: str | None = None
    """Judge by how evenly this attribute is shown: the side with the lower MaxSkew gains."""
    weight: float = 2.0
    """Logits per unit of MaxSkew."""
    share: float = 1.0
    """The share of voters who judge by ``attribute``; the others go by ``strength``."""

    def __post_init__(self) -> None:
        shares = ("tie_rate", "both_bad", "both_good", "share")
        problems = [
            InputError(f"a share lies between 0 and 1, got {getattr(self, name):g}", where=name)
            for name in shares
            if not 0 <= getattr(self, name) <= 1
        ]
        if self.tie_rate == 1:
            problems.append(InputError("voters who only tie say nothing", where="tie_rate"))
        if self.both_bad + self.both_good > 1:
            problems.append(InputError("both_bad and both_good add up to more than 1"))
        if not 0 <= self.taste_sd < float("inf"):
            problems.append(InputError(f"is 0 or more, got {self.taste_sd}", where="taste_sd"))
        if problems:
            raise InvalidInputs(problems)

    @property
    def nu(self) -> float:
        """Davidson's tie parameter."""
        return 2 * self.tie_rate / (1 - self.tie_rate)


@dataclass(slots=True)
class Tastes:
    """One voter: draws what they like of each model once, and keeps to it."""

    planted: Planted
    rng: np.random.Generator
    own: dict[str, float] = field(default_factory=dict)
    by_attribute: bool = False

    @classmethod
    def of(cls, planted: Planted, rng: np.random.Generator) -> Tastes:
        """A voter drawn from those that are planted."""
        judges = planted.attribute is not None and bool(rng.random() < planted.share)
        return cls(planted, rng, by_attribute=judges)

    def utility(self, models: Sequence[str], skew: float) -> float:
        """What a side is worth: ``models`` could be its source (several when they show the same)."""
        if self.by_attribute:
            return -self.planted.weight * skew
        if not models:
            return 0.0
        return sum(self._liking(model) for model in models) / len(models)

    def _liking(self, model: str) -> float:
        if model not in self.own:
            self.own[model] = float(self.rng.normal(0, self.planted.taste_sd))
        return self.planted.strength.get(model, 0.0) + self.own[model]


def choose(
    left: float,
    right: float,
    planted: Planted,
    *,
    offered: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """A choice between two utilities, by the law of ``Planted``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> choose(0.0, 50.0, Planted(), offered=("left", "right", "tie"), rng=rng)
        'right'
    """
    half = float(np.clip((right - left + planted.side_bias) / 2, -300, 300))
    weights = np.array([np.exp(-half), planted.nu, np.exp(half)])
    if "tie" not in offered:
        weights[1] = 0.0
    place = int(rng.choice(3, p=weights / weights.sum()))
    if place != 1:
        return "left" if place == 0 else "right"
    kind = rng.random()
    if kind < planted.both_bad and "both_bad" in offered:
        return "both_bad"
    if kind >= 1 - planted.both_good and "both_good" in offered:
        return "both_good"
    return "tie"
