"""``evenhand counterfactual``: score, verify, run and analyse reports on image pairs."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Vision-language reports on image pairs: do they change?"
)
