"""``evenhand conversation import | score``: benchmarks in, and scores of recorded answers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenhand.cli import estimates, options

if TYPE_CHECKING:
    from evenhand.stats.findings import Inference

__all__ = ["register"]

_import = typer.Typer(
    no_args_is_help=True, help="Turn a benchmark's own files into questions in the unified format."
)
_score = typer.Typer(
    no_args_is_help=True, help="Score answers recorded elsewhere, with clustered intervals."
)


def register(app: typer.Typer) -> None:
    """Add the verbs ``import`` and ``score``."""
    app.add_typer(_import, name="import")
    app.add_typer(_score, name="score")


Input = Annotated[
    Path,
    typer.Option("--input", "--input-dir", metavar="PATH", help="A file or a folder of files."),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output", "--output-dir", metavar="PATH", help="A .jsonl file, or a folder for several."
    ),
]
Sample = Annotated[
    int | None,
    typer.Option(
        "--sample", metavar="N", help="Keep about N questions in all; matched sets stay whole."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the sample or of the bootstrap.")]
Answers = Annotated[Path, typer.Option("--answers", metavar="FILE", help="The recorded answers.")]
Questions = Annotated[
    Path | None,
    typer.Option(
        "--questions",
        metavar="FILE",
        help="The questions; not needed where the answers repeat them.",
    ),
]
AnswerField = Annotated[
    str | None,
    typer.Option("--answer-field", metavar="NAME", help="The field that holds the answer."),
]


@_import.command("bbq")
def import_bbq(
    source: Input,
    output: Output,
    sample: Sample = None,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """BBQ's raw rows (data/*.jsonl). A matched set: one pair of people, both contexts and polarities."""
    _run_import("bbq", source, output, sample, seed, json)


@_import.command("difference-awareness")
def import_difference_awareness(
    source: Input,
    output: Output,
    sample: Sample = None,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """DifferenceAwareness pickles or JSON lines. A matched set: one scenario, both splits."""
    _run_import("difference-awareness", source, output, sample, seed, json)


@_import.command("discrim-eval")
def import_discrim_eval(
    source: Input,
    output: Output,
    sample: Sample = None,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """DiscrimEval's prompts. A matched set: one decision with all its people. No answer is right."""
    _run_import("discrim-eval", source, output, sample, seed, json)


def _run_import(
    benchmark: str, source: Path, output: Path, sample: int | None, seed: int, json: bool
) -> None:
    from evenhand.conversation.benchmarks.importing import import_benchmark

    as_json = options.wants_json(json)
    done = import_benchmark(benchmark, source, output, sample=sample, seed=seed)
    for line in done.notes:
        options.note(line)
    files = [str(path) for path in done.files]
    if as_json:
        options.print_json({"written": done.written, "files": files, "notes": done.notes})
    else:
        print(f"{done.written} questions in {', '.join(files)}")


@_score.command("bbq")
def score_bbq(
    answers: Answers,
    questions: Questions = None,
    answer_field: AnswerField = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """BBQ: accuracy and bias scores in ambiguous and disambiguated contexts, by template."""
    from evenhand.conversation.benchmarks.bbq_answers import score_bbq as score

    inference = _inference(interval, level, draws, seed)
    estimates.show(
        score(answers, questions=questions, field_name=answer_field, inference=inference), json
    )


@_score.command("difference-awareness")
def score_difference_awareness(
    answers: Answers,
    questions: Questions = None,
    answer_field: AnswerField = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """DifferenceAwareness: DiffAware and CtxtAware, by scenario."""
    from evenhand.conversation.benchmarks.difference_awareness import (
        score_difference_awareness as score,
    )

    inference = _inference(interval, level, draws, seed)
    estimates.show(
        score(answers, questions=questions, field_name=answer_field, inference=inference), json
    )


@_score.command("discrim-eval")
def score_discrim_eval(
    answers: Answers,
    questions: Questions = None,
    answer_field: AnswerField = None,
    interval: estimates.IntervalKind = "t",
    level: estimates.Level = 0.95,
    draws: estimates.Draws = 4000,
    seed: Seed = 0,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """DiscrimEval: yes rates and their differences by race, gender and age, by decision."""
    from evenhand.conversation.benchmarks.discrim_eval_answers import score_discrim_eval as score

    inference = _inference(interval, level, draws, seed)
    estimates.show(
        score(answers, questions=questions, field_name=answer_field, inference=inference), json
    )


def _inference(interval: str, level: float, draws: int, seed: int) -> Inference:
    from evenhand.stats.findings import inference

    return inference(interval, level=level, draws=draws, seed=seed)
