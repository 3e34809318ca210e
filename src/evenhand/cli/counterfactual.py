"""``evenhand counterfactual``: score, verify, run and analyse reports on image pairs."""

from __future__ import annotations

import typer

from evenhand.cli import (
    counterfactual_analyse,
    counterfactual_generator,
    counterfactual_labels,
    counterfactual_mitigation,
    counterfactual_pairs,
    counterfactual_run,
    counterfactual_score,
    counterfactual_verify,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Vision-language reports on image pairs: do they change?"
)

# In the order in which an audit needs them.
for module in (
    counterfactual_pairs,
    counterfactual_run,
    counterfactual_analyse,
    counterfactual_score,
    counterfactual_labels,
    counterfactual_verify,
    counterfactual_mitigation,
    counterfactual_generator,
):
    module.register(app)
