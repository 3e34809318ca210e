"""``evenhand counterfactual score``: the frozen score of a submission."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import options

__all__ = ["register", "score"]

Artifacts = Annotated[
    Path,
    typer.Option("--artifacts", metavar="DIR", help="The bundle, or a manifest's root folder."),
]
SubmissionFile = Annotated[
    Path, typer.Option("--submission", metavar="FILE", help="The model's reports.")
]
Output = Annotated[Path, typer.Option("--output", metavar="FILE", help="Where the score goes.")]
Scope = Annotated[
    str | None,
    typer.Option("--scope", metavar="S", help="In place of the submission's.", show_default=False),
]
AllowPartial = Annotated[
    bool, typer.Option("--allow-partial", help="Let pairs of the scope be missing.")
]
Iterations = Annotated[
    int, typer.Option("--bootstrap-iterations", metavar="N", help="Replicates of the bootstrap.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the bootstrap, for both endpoints.")]
StreamName = Annotated[
    str,
    typer.Option(
        "--stream",
        metavar="pcg64|stdlib",
        help="The published version: its random numbers, checks and fields.",
    ),
]
BlankAsRefusal = Annotated[
    bool,
    typer.Option("--blank-as-refusal", help="Count a blank or missing report as a full refusal."),
]
RegistryName = Annotated[
    str,
    typer.Option("--registry", metavar="NAME|FILE", help="Categories and edits of your own."),
]


def register(app: typer.Typer) -> None:
    """Add the verb ``score``."""
    app.command("score")(score)


def score(
    artifacts: Artifacts,
    submission: SubmissionFile,
    output: Output,
    scope: Scope = None,
    allow_partial: AllowPartial = False,
    bootstrap_iterations: Iterations = 10_000,
    seed: Seed = 42,
    stream: StreamName = "pcg64",
    blank_as_refusal: BlankAsRefusal = False,
    registry: RegistryName = "spine",
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Score reports by the frozen definition: change of recommendations, consistency of labels."""
    from evenhand.counterfactual.frozen.score_file import check_output, write_score
    from evenhand.counterfactual.frozen.scoring import score as score_submission
    from evenhand.counterfactual.frozen.streams import check_draws
    from evenhand.counterfactual.frozen.submission import as_scope, read_submission
    from evenhand.counterfactual.frozen.summary import result_of, summary_lines
    from evenhand.counterfactual.reading.registry import load_registry

    as_json = options.wants_json(json)
    checked = check_draws(bootstrap_iterations, seed, stream)
    if scope is not None:
        as_scope(scope, where="--scope")
    check_output(output, inputs=(submission,))
    made = score_submission(
        read_submission(submission, blank_as_refusal=blank_as_refusal),
        artifacts,
        scope=scope,
        allow_partial=allow_partial,
        iterations=bootstrap_iterations,
        seed=seed,
        stream=checked,
        registry=load_registry(registry),
    )
    write_score(made, output)
    if as_json:
        options.print_json(result_of(made, stream=checked).as_json())
        return
    for line in summary_lines(made):
        print(line)
    for warning in made["warnings"]:
        options.note(f"note: {warning}")
    print(f"  written to {output}")
