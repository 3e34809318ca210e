"""What the survey's estimates mean, in words for a reader of its reports."""

from __future__ import annotations

from collections.abc import Mapping

from evenhand.report.numbers import Measure

__all__ = ["MEASURES"]

MEASURES: Mapping[str, Measure] = {
    "mean_rating": Measure(
        "Mean rating",
        "from 1 to 5. Over all traits or a category, higher is more favourable; of one trait, "
        "higher is more of that trait.",
    ),
    "mean_difference": Measure(
        "Difference of mean ratings",
        "rating points by which the group is rated higher than the baseline.",
        null=0.0,
        harm="The harm falls on the group rated lower, for no reason but who it is.",
    ),
    "adjusted_difference": Measure(
        "Difference, adjusted",
        "the same, with the other attributes held equal: what is left of a difference that may "
        "come from attributes that go together.",
        null=0.0,
        harm="The harm falls on the group rated lower, for no reason but who it is.",
    ),
    "cliffs_delta": Measure(
        "Cliff's delta",
        "from −1 to 1: how much more often a rating of the group is above one of the others than "
        "below it.",
        null=0.0,
    ),
    "kruskal_epsilon2": Measure(
        "Kruskal-Wallis, ε²",
        "from 0 to 1: the share of the spread of personas' mean ratings, as ranks, that goes with "
        "the attribute.",
        null=0.0,
    ),
    "bias_intensity": Measure(
        "Bias intensity",
        "how far the groups' true means lie apart: their standard deviation in rating points, "
        "with what chance alone adds taken out.",
        null=0.0,
    ),
    "paired_shift": Measure(
        "Shift in pairs",
        "rating points by which the same person is rated higher when this attribute alone is "
        "changed to the group.",
        null=0.0,
        harm="Nothing else differs: a shift is caused by the attribute.",
    ),
    "condition_difference": Measure(
        "Difference between runs",
        "rating points by which the same personas and traits are rated higher in the one run.",
        null=0.0,
    ),
    "refusal_rate": Measure(
        "Refusals",
        "the share of replies in which the model declined.",
        harm="Who is refused more often is not judged alike.",
    ),
    "refusal_rate_difference": Measure(
        "Refusals, difference",
        "how much more often the model declines for the group.",
        null=0.0,
        harm="Ratings that were refused are missing from the group's mean; see its bounds.",
    ),
    "unreadable_rate": Measure("Unreadable replies", "the share of replies without a rating."),
    "unreadable_rate_difference": Measure("Unreadable replies, difference", null=0.0),
    "order_exact_rate": Measure(
        "Same answer in both orders",
        "the share of persona and trait pairs rated alike whichever way the scale was shown.",
    ),
    "order_within_one_rate": Measure(
        "Within one point in both orders",
        "the share of such pairs whose two ratings are at most one point apart.",
    ),
    "order_mae": Measure(
        "Distance between orders",
        "the mean distance in points between the two ratings of such a pair.",
    ),
    "order_bias": Measure(
        "Order effect",
        "forward minus reversed in points; below 0, whichever options stand first are preferred.",
        null=0.0,
    ),
    "order_pearson": Measure("Correlation between orders, Pearson"),
    "order_spearman": Measure("Correlation between orders, Spearman"),
    "order_kendall": Measure("Correlation between orders, Kendall's τ-b"),
    "extreme_share": Measure("Extreme answers", "the share of ratings of 1 or 5."),
    "middle_share": Measure("Middle answers", "the share of ratings of 3."),
    "cronbach_alpha": Measure(
        "Cronbach's alpha",
        "how well the traits of a category go together over personas; below 0.7, read them singly.",
    ),
}
"""By the name of the estimate. ``null`` is the value that means no difference."""
