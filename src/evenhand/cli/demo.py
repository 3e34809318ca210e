"""``evenhand demo``: the newcomer's first minute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import options
from evenhand.cli.running import Quiet, display, stop_signal

if TYPE_CHECKING:
    from evenhand.conversation.analyse import Analysed
    from evenhand.conversation.spec import Agent, Condition

__all__ = ["demo"]

# Enough for a first impression of a real model, which answers a few times a second.
REAL_MODEL_QUESTIONS = 24

DEMO_MODEL = "simulated/demo"


def demo(
    model: Annotated[
        str, typer.Option("--model", metavar="PROVIDER/NAME", help="Ask this model instead.")
    ] = DEMO_MODEL,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Where to write the report.")
    ] = Path("evenhand-demo"),
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="Questions; default all of the starter set, or 24 of a real model.",
        ),
    ] = None,
    quiet: Quiet = False,
    workspace: options.Workspace = None,
    db: options.Db = None,
    json: options.Json = False,
) -> None:
    """Run conversations on the starter questions, score them, and draw the report.

    Needs no download and no key: a simulated respondent with planted biases answers.
    """
    from importlib.resources import as_file, files

    from evenhand.conversation import run as runs

    settings = options.ground(workspace, db)
    as_json = options.wants_json(json)
    if limit is None and not model.startswith("simulated/"):
        limit = REAL_MODEL_QUESTIONS
    options.note(f"asking {model}: 3 speakers, 2 rounds, 4 conditions; Ctrl-C stops")
    with as_file(files("evenhand.conversation") / "demo.yaml") as config:
        outcome = runs.start(
            config, settings, runs.Asked(limit=limit, models=(model,)),
            stop=stop_signal(), display=display(quiet),
        )  # fmt: skip
    if outcome.reason in ("interrupted", "cancelled"):
        options.note(f"stopped; go on with: evenhand runs resume {outcome.run}")
        raise typer.Exit(130)
    analysed, written = _report(settings, outcome.run, output)
    if as_json:
        options.print_json(
            {
                "run": outcome.run,
                "status": outcome.status,
                "units": dict(outcome.units),
                "report": str(written["html"]),
                **analysed.result.as_json(),
            }
        )
        return
    _tell(analysed, model)
    print(f"\nreport: {written['html'].absolute()}")
    print(f"transcripts: evenhand runs browse {outcome.run} --output {output / 'transcripts'}")
    print(f"analyse again: evenhand conversation analyse {outcome.run}")


def _report(settings: Any, run_id: str, output: Path) -> tuple[Analysed, dict[str, Path]]:
    from evenhand.conversation.analyse import analyse_runs
    from evenhand.conversation.facts import report_of
    from evenhand.report.record import write
    from evenhand.runs.ledger import Ledger

    options.note("scoring, with intervals by question template")
    with Ledger(settings) as ledger:
        analysed = analyse_runs(ledger, [run_id])
        options.note("drawing the report")
        return analysed, write(report_of(ledger, [run_id], analysed), output)


def _tell(analysed: Analysed, model: str) -> None:
    """The first round's scores, beside what was planted where the respondent is simulated."""
    from evenhand.report.numbers import interval, number

    known = model.startswith("simulated/")
    print(f"{'Round 0, before anyone heard anyone':36}  value          interval", end="")
    print("  planted" if known else "")
    held = of = 0
    for label, condition in analysed.conditions.items():
        print(analysed.words[label])
        truth = _planted(model, condition) if known else {}
        mine = [e for e in analysed.result.estimates if e.condition == label]
        for e in mine:
            if e.group != "round 0" or e.name not in SCORES:
                continue
            line = f"  {e.name:34}{number(e.value):>7}{interval(e.low, e.high):>18}"
            print(line + (f"{number(truth[e.name]):>9}" if known else ""))
            of += known
            held += known and (e.low or 0) <= truth[e.name] <= (e.high or 0)
        agreed = [number(e.value) for e in mine if e.name == "consensus_rate"]
        print(f"  {'consensus, round by round':34}{' -> '.join(agreed):>25}")
    if known:
        print(f"\n{held} of {of} intervals hold the planted value; 19 of 20 would be expected.")
    print(
        "In the report look at the first finding, at what hearing each other changes (consensus\n"
        "and bias, vanilla against private), and at whose answers the others take up."
    )


SCORES = (
    "accuracy_ambiguous",
    "bias_score_ambiguous",
    "accuracy_disambiguated",
    "bias_score_disambiguated",
)


def _planted(model: str, condition: Condition) -> dict[str, float]:
    """The true scores of a condition: the mean over those it asks."""
    from evenhand.models.profiles import profile

    planted = profile(model.removeprefix("simulated/")).planted
    truths = [planted(_words(agent)) for agent in condition.agents if agent.role == "participant"]
    return {name: sum(getattr(t, name) for t in truths) / len(truths) for name in SCORES}


def _words(agent: Agent) -> list[str]:
    """The words of an identity that a profile may know."""
    said = [*(agent.demographics or "").split(), *(agent.persona or "").split()]
    return [*said, "as_human" if agent.if_as_human else "as_ai"]
