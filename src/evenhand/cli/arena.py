"""``evenhand arena``: people vote, side by side and blind, on whose results represent people better."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import typer

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="People vote, blind, on whose results represent people better."
)

# In the order in which an arena needs them.
for name in (
    "arena_precompute",
    "arena_bundle",
    "arena_parity",
    "arena_serve",
    "arena_voters",
    "arena_rate",
    "arena_export",
    "arena_import",
    "arena_demo",
):
    if find_spec(f"evenhand.cli.{name}"):
        import_module(f"evenhand.cli.{name}").register(app)
