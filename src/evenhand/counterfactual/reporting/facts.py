"""What a report on image pairs says beside the estimates: runs or files, and how to do it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from evenhand.counterfactual.analysis.results import Analysed
from evenhand.counterfactual.gather import is_submission
from evenhand.counterfactual.report import CounterfactualFacts, report
from evenhand.report.blocks import Report
from evenhand.report.provenance import Provenance, provenance
from evenhand.runs.ledger import Ledger
from evenhand.runs.records import RunRow
from evenhand.settings import Settings

__all__ = ["report_of"]


def report_of(
    names: Sequence[str], settings: Settings, analysed: Analysed, *, command: str, seed: int = 0
) -> Report:
    """The report of analysed sets of reports.

    Args:
        names: the submission files and runs, as they were given.
        settings: where the runs are.
        analysed: what was found.
        command: what makes this analysis again.
        seed: of the pairs that are shown side by side.
    """
    models = [one.readings.subject for one in analysed.sets]
    runs = [name for name in names if not is_submission(name)]
    if not runs:
        files = ", ".join(names)
        base = Provenance(
            run=files, models=tuple(dict.fromkeys(models)), version=version("evenhand"),
            commands=(command,),
        )  # fmt: skip
        return report(analysed, CounterfactualFacts(run=base, examples=seed))
    with Ledger(settings) as ledger:
        rows = [ledger.run(name) for name in runs]
        base = provenance(
            ledger,
            [row.id for row in rows],
            models=models,
            conditions={},
            commands=(*_commands(rows), command),
        )
    return report(analysed, CounterfactualFacts(run=base, examples=seed))


def _commands(rows: Sequence[RunRow]) -> Iterator[str]:
    for row in rows:
        asked, model = row.config["asked"], row.config["model"]
        words = ["evenhand", "counterfactual", "run", "--pairs", asked["pairs"]]
        words += ["--model", f"{model['backend']}/{model['name']}", "--seed", str(row.seed)]
        for key, value in model["options"].items():
            words += ["--model-option", f"{key}={value}"]
        for option, value in (
            ("--prompt", asked["prompt"]),
            ("--registry", asked["registry"]),
            ("--subject", asked["subject"]),
            ("--requery", asked["requery"] or None),
            ("--limit", asked["limit"]),
            ("--scope", asked["scope"]),
            ("--max-side", asked["max_side"]),
            ("--decoding-temperature", asked["temperature"]),
            ("--reply-tokens", asked["reply_tokens"]),
        ):
            if value is not None:
                words += [option, str(value)]
        yield shlex.join(words)
