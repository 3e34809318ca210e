"""The command ``evenhand``: parse, call one function, render."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib import import_module
from typing import Annotated, Any

import typer

from evenhand.cli import options
from evenhand.errors import EvenhandError, InvalidInputs, StorageError

__all__ = ["add_nouns", "app", "main"]

app = typer.Typer(
    name="evenhand",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=True,
    help="Measure whether AI systems treat people even-handedly.",
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"evenhand {version('evenhand')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
    ),
]


@app.callback()
def _root(
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
    version: Version = False,
) -> None:
    """Measure whether AI systems treat people even-handedly."""
    options.early.workspace = workspace
    options.early.db = db
    options.early.json = json


# Each noun's module and what it is about. A module is imported when its noun is asked for, so that
# --help stays quick however many there are.
NOUNS = {
    "conversation": (
        "evenhand.cli.conversation",
        "Multi-agent conversations over bias benchmarks.",
    ),
    "survey": (
        "evenhand.cli.survey",
        "Synthetic personas, rated: does it depend on who they are?",
    ),
    "counterfactual": (
        "evenhand.cli.counterfactual",
        "Vision-language reports on image pairs: do they change?",
    ),
    "arena": (
        "evenhand.cli.arena",
        "People vote, blind, on whose results represent people better.",
    ),
    "models": ("evenhand.cli.models", "List, check and simulate models."),
    "runs": ("evenhand.cli.runs_more", "List, show, export and delete runs."),
}


def add_nouns(words: Collection[str] | None = None) -> None:
    """Attach every noun to the app, once.

    ``words`` are those of the command line: a noun that is not among them is attached by its name
    alone. None attaches all of them whole.
    """
    if app.registered_groups:
        return
    from evenhand.cli import demo

    app.command("demo")(demo.demo)
    for noun, (module, about) in NOUNS.items():
        if words is None or noun in words:
            app.add_typer(import_module(module).app, name=noun, help=about)
        else:
            app.add_typer(typer.Typer(help=about), name=noun)


def _words() -> Collection[str] | None:
    """The words of the command line; None where a shell asks what could come next."""
    return None if "_EVENHAND_COMPLETE" in os.environ else sys.argv[1:]


def _explain(error: EvenhandError) -> int:
    if _as_json():
        said: dict[str, object] = {
            "error": type(error).__name__,
            "detail": str(error),
            "where": error.where,
        }
        if isinstance(error, InvalidInputs):
            said["problems"] = [{"where": p.where, "detail": p.detail} for p in error.problems]
        options.print_json(said)
    else:
        options.note(f"evenhand: {error}")
    return error.exit_code


# Typer's errors about the command line itself, wherever this version of Typer keeps the class.
UsageError: Any = typer.BadParameter.__mro__[1]


def _explain_usage(error: Any) -> int:
    """A wrong option, verb or value."""
    if _as_json():
        parameter = getattr(error, "param", None)
        where = parameter.opts[0] if parameter is not None else None
        options.print_json(
            {"error": "UsageError", "detail": error.format_message(), "where": where}
        )
    else:
        error.show()
    return int(error.exit_code)


def _as_json() -> bool:
    return options.early.json or "--json" in sys.argv


def main() -> None:
    """Entry point: a user's mistake is one sentence and exit code 2, never a traceback."""
    try:
        add_nouns(_words())
        sys.exit(app(standalone_mode=False))
    except EvenhandError as error:
        sys.exit(_explain(error))
    except UsageError as error:
        sys.exit(_explain_usage(error))
    except (typer.Abort, KeyboardInterrupt):
        options.note("evenhand: interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; the flush at exit must not complain either.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
        sys.exit(0)
    except OSError as error:
        if error.filename is None:
            raise
        reason = error.strerror or type(error).__name__
        sys.exit(_explain(StorageError(f"cannot be used ({reason})", where=str(error.filename))))
