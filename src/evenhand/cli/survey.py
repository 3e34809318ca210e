"""``evenhand survey …``: personas, datasets, traits, ratings and what they show."""

from __future__ import annotations

import typer

from evenhand.cli import (
    survey_analyse,
    survey_build,
    survey_datasets,
    survey_import,
    survey_run,
    survey_traits,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Synthetic personas rated on a Likert scale: does the rating depend on who they are?",
)

survey_datasets.register(app)
survey_build.register(app)
survey_run.register(app)
survey_analyse.register(app)
survey_traits.register(app)
survey_import.register(app)
