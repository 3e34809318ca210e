"""What the arena's estimates mean, in words for a reader of the report."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from evenhand.report.numbers import Measure

__all__ = ["MEASURES"]

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "strength": Measure(
            "Strength",
            "how strongly voters prefer the model, in logits against the mean of all models rated "
            "here. Two models one logit apart: the stronger is chosen in 73 of 100 battles that "
            "are decided.",
        ),
        "strength_difference": Measure(
            "Strength, difference",
            "by how many logits the one model is preferred to the other.",
            null=0.0,
            harm="Voters find that the weaker model represents people worse.",
        ),
        "strength_group_difference": Measure(
            "Strength, difference between voter groups",
            "how much more strongly the one group of voters prefers the model than the other does.",
            null=0.0,
            harm="What one group of voters finds fair another does not; one order for all hides that.",
        ),
        "groups_differ": Measure(
            "Groups of voters differ",
            "whether the groups rate the models differently at all: the statistic of one test for "
            "all models and groups together.",
        ),
        "side_effect": Measure(
            "Side effect",
            "in logits: above 0, whatever stands right is chosen more often for standing there. "
            "Strengths are freed of it.",
            null=0.0,
            harm="Voters choose by place, not by what they see; the battles say less than they seem to.",
        ),
        "tie_parameter": Measure(
            "Ties",
            "nu: two equally strong models tie with probability nu / (nu + 2). Both good and both "
            "bad count as ties here.",
        ),
        "rank": Measure(
            "Place",
            "1 is the strongest. The range holds every place that the votes leave open, for all models "
            "at once.",
        ),
        "elo": Measure(
            "Elo", "points, replayed vote by vote. It depends on the order of the votes."
        ),
        "order_sd": Measure(
            "Elo, spread over orders",
            "points: how far the rating moves when the same votes come in another order.",
        ),
        "both_good_rate": Measure(
            "Both good", "the share of the model's battles in which both sides were called good."
        ),
        "both_bad_rate": Measure(
            "Both bad", "the share of the model's battles in which both sides were called bad."
        ),
        "preference_anytime": Measure(
            "Preference at any time",
            "the share of voters who preferred the one model at their first vote on the pair, minus "
            "the share who preferred the other. It holds however often somebody looked before.",
            null=0.0,
        ),
        "agreement_between_voters": Measure(
            "Agreement between voters",
            "Krippendorff's alpha over queries and pairs of models: 1 is full agreement, 0 is "
            "chance. Low agreement is no fault of the voters; it says that there is no one order.",
        ),
        "agreement_within_voter": Measure(
            "Same answer twice", "the share of repeated battles that got the same answer."
        ),
        "attention_failure_rate": Measure(
            "Attention checks failed",
            "the share of battles between two identical panels in which one was preferred.",
        ),
        "voters_to_overturn": Measure(
            "Voters who carry the order",
            "the fewest voters found without whom the first two models would change places.",
        ),
        "votes_needed": Measure(
            "Votes still needed",
            "how many more votes would tell the two models apart (power 0.8), if voters go on as "
            "they began and the difference is the one estimated.",
        ),
    }
)
"""Measures by the name of the estimate."""
