"""``evenhand arena``: people vote, side by side and blind, on whose results represent people better."""

from __future__ import annotations

import typer

from evenhand.cli import (
    arena_bundle,
    arena_demo,
    arena_export,
    arena_import,
    arena_parity,
    arena_precompute,
    arena_rate,
    arena_serve,
    arena_voters,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="People vote, blind, on whose results represent people better."
)

# In the order in which an arena needs them.
for module in (
    arena_demo,
    arena_precompute,
    arena_bundle,
    arena_serve,
    arena_voters,
    arena_rate,
    arena_parity,
    arena_export,
    arena_import,
):
    module.register(app)
