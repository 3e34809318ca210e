"""Starting and resuming runs of conversations, and telling beforehand what one would take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from evenhand.conversation.check import check
from evenhand.conversation.configs import load as config
from evenhand.conversation.plan import ConversationWork, model_name
from evenhand.conversation.questions import QuestionFile, open_all
from evenhand.conversation.read import PARSER_VERSION
from evenhand.conversation.spec import Condition, ModelDefinition, Spec
from evenhand.errors import InputError, InvalidInputs
from evenhand.models import registry
from evenhand.models.chat import ChatModel
from evenhand.runs.budget import Budget
from evenhand.runs.engine import StopSignal
from evenhand.runs.ledger import Ledger
from evenhand.runs.outlook import CHARACTERS_PER_TOKEN, FIRST_SHOWN, Expected, sampled_places
from evenhand.runs.progress import Meter
from evenhand.runs.records import RunRow
from evenhand.runs.scheduler import MAX_ATTEMPTS
from evenhand.runs.session import Ended, Subjects, conduct
from evenhand.runs.snapshot import first_difference, sha256
from evenhand.runs.subjects import rates_of
from evenhand.settings import Settings

__all__ = [
    "Asked",
    "Left",
    "Planned",
    "create",
    "expect",
    "left",
    "prepare",
    "requests_of",
    "resume",
    "start",
    "work_of",
]

# The reference's variables: where question files are looked for last, and "keep everything".
REFERENCE_ROOT = "MAC_FAIRNESS_WORKSPACE"
REFERENCE_DEBUG = "MAC_FAIRNESS_DEBUG_FLAG"
# One speaker's line in the history: name, choice and three sentences.
TYPICAL_HISTORY = 300

Display = Callable[[Meter], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for on top of the config; stored with the run."""

    repeat: int = 1
    limit: int | None = None
    models: tuple[str, ...] = ()
    seed: int | None = None
    template: str | None = None
    keep_prompts: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that could start: its work, the spec it comes from, and what is stored of both."""

    spec: Spec
    work: ConversationWork
    stored: Mapping[str, Any]

    @property
    def notes(self) -> list[str]:
        """What a person should read before the run: the config's warnings, and notes."""
        lines = [f"note: {line}" for line in (*self.spec.warnings, *self.spec.notes)]
        retrying = {c.retry_on_generation_error for c in self.spec.conditions}
        if len(retrying) > 1:
            lines.append(
                "note: retry_on_generation_error differs between conditions that share servers; "
                "it counts as true for all of them"
            )
        return lines

    @property
    def models(self) -> dict[str, ModelDefinition]:
        """Every model of the plan, under the name the plan asks for it by."""
        return {
            model_name(condition, agent.model): condition.models[agent.model]
            for condition in self.spec.conditions
            for agent in condition.agents
        }


def prepare(
    path: Path, settings: Settings, asked: Asked, *, timestamp: str | None = None
) -> Planned:
    """Read a config and its question files and check all of it, before anything is asked.

    ``timestamp`` is what ``{runtime.timestamp}`` stands for; now, when not given.

    Raises:
        InvalidInputs: everything that is wrong, together.
    """
    asked = _here(asked)
    timestamp = timestamp or config.runtime_timestamp()
    checked = check(
        path,
        workspace=settings.workspace,
        environ=os.environ,
        repeat=asked.repeat,
        limit=asked.limit,
        models=asked.models,
        template=asked.template,
        timestamp=timestamp,
    )
    origin = _Origin(
        path.absolute().parent, settings.workspace, os.environ.get(REFERENCE_ROOT), timestamp
    )
    return _planned(checked.require(), checked.files, asked, origin)


def _here(asked: Asked) -> Asked:
    """What was asked for with nothing left that depends on the current folder or environment."""
    template = asked.template
    if template is not None and template.endswith((".yaml", ".yml")) and Path(template).is_file():
        template = str(Path(template).absolute())
    keep_prompts = asked.keep_prompts or os.environ.get(REFERENCE_DEBUG) == "1"
    return replace(asked, template=template, keep_prompts=keep_prompts)


def start(
    path: Path,
    settings: Settings,
    asked: Asked,
    *,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
    on_created: Callable[[str], None] = lambda run_id: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Ended:
    """Run a config from the beginning.

    ``on_created`` is told the run's id before anything is asked, ``on_note`` each line that a
    person should read.
    """
    planned = prepare(path, settings, asked)
    for note in planned.notes:
        on_note(note)
    with Ledger(settings) as ledger:
        run_id = create(ledger, planned)
        on_created(run_id)
        subjects = _subjects(planned, settings.run_folder(run_id))
        _check_budget(budget, planned)
        return conduct(
            planned.work, ledger, run_id, subjects, budget=budget, stop=stop, display=display
        )


def resume(
    run_id: str,
    settings: Settings,
    *,
    path: Path | None = None,
    redo_failed: bool = False,
    budget: Budget | None = None,
    stop: StopSignal | None = None,
    display: Display | None = None,
) -> Ended:
    """Go on with a run where it stopped; with ``redo_failed`` also what had failed.

    Raises:
        InputError: ``path`` is a config that differs from the run's; the message names where.
    """
    with Ledger(settings) as ledger:
        row = ledger.run(run_id)
        planned = work_of(ledger, row.id)
        _same_template(planned, row)
        if path is not None:
            _same_config(path, settings, planned, row.id)
        _check_budget(budget, planned)
        subjects = _subjects(planned, settings.run_folder(row.id))
        return conduct(
            planned.work,
            ledger,
            row.id,
            subjects,
            budget=budget,
            redo_failed=redo_failed,
            stop=stop,
            display=display,
        )


@dataclass(frozen=True, slots=True)
class Left:
    """What a condition of a run still has to do; ``first`` are the first few keys of that."""

    condition: str
    planned: int
    done: int
    first: tuple[str, ...]


def left(
    run_id: str, settings: Settings, *, path: Path | None = None, redo_failed: bool = False
) -> list[Left]:
    """What resuming a run would do, by condition; asks nothing. Arguments as for ``resume``."""
    with Ledger(settings) as ledger:
        row = ledger.run(run_id)
        planned = work_of(ledger, row.id)
        _same_template(planned, row)
        if path is not None:
            _same_config(path, settings, planned, row.id)
        done = ledger.done(row.id, redo_failed=redo_failed)
    counts = {c.id: [0, 0] for c in planned.spec.conditions}
    first: dict[str, list[str]] = {c.id: [] for c in planned.spec.conditions}
    for ordinal, is_done in enumerate(done):
        unit = planned.work.condition_of(ordinal)
        counts[unit][0] += 1
        counts[unit][1] += is_done
        if not is_done and len(first[unit]) < FIRST_SHOWN:
            first[unit].append(planned.work.unit(ordinal).key)
    return [Left(id, total, ready, tuple(first[id])) for id, (total, ready) in counts.items()]


def create(ledger: Ledger, planned: Planned) -> str:
    """Enter a planned run in the ledger and return its id."""
    return ledger.create(
        instrument=planned.work.instrument,
        name=planned.spec.name,
        config=planned.stored,
        config_hash=sha256(planned.spec.document),
        plan_hash=planned.work.plan_hash,
        n_planned=len(planned.work),
        seed=planned.work.seed,
        template=planned.work.template,
        models={name: _described(planned, name, d) for name, d in planned.models.items()},
        conditions={c.id: _condition_facts(c) for c in planned.spec.conditions},
        source=planned.spec.source,
    )


def work_of(ledger: Ledger, run_id: str) -> Planned:
    """The plan of a stored run, made again from its snapshot.

    Raises:
        InputError: the run is of another instrument, or a question file has changed since.
    """
    row = ledger.run(run_id)
    if row.instrument != ConversationWork.instrument:
        raise InputError(f"run {row.id} is of instrument {row.instrument}, not conversation")
    stored = row.config
    asked = Asked(**{**stored["asked"], "models": tuple(stored["asked"]["models"])})
    origin = _Origin(*(stored[name] for name in _Origin._fields))
    # The run's own place for files, not that of whoever resumes it.
    environ = {REFERENCE_ROOT: origin.reference_root} if origin.reference_root else {}
    spec = config.from_document(
        stored["document"],
        source=row.source,
        base=Path(origin.base),
        workspace=Path(origin.workspace),
        environ=environ,
        repeat=asked.repeat,
        limit=asked.limit,
        models=asked.models,
        template=asked.template,
    )
    digests = {Path(name): digest for name, digest in stored["questions"].items()}
    files, problems = open_all((c.questions_file for c in spec.conditions), digests=digests)
    if problems:
        raise InvalidInputs(problems)
    return _planned(spec, files, asked, origin, seed=row.seed)


class _Origin(NamedTuple):
    """Where relative question files are looked for, the config's folder first; and when."""

    base: str | Path
    workspace: str | Path
    reference_root: str | None
    timestamp: str


def _planned(
    spec: Spec,
    files: Mapping[Path, QuestionFile],
    asked: Asked,
    origin: _Origin,
    *,
    seed: int | None = None,
) -> Planned:
    if seed is None:
        seed = asked.seed if asked.seed is not None else (spec.seed or 0)
    work = ConversationWork(spec, files, seed=seed, keep_prompts=asked.keep_prompts)
    stored = {
        "document": spec.document,
        "parser": PARSER_VERSION,
        "base": str(origin.base),
        "workspace": str(origin.workspace),
        "reference_root": origin.reference_root,
        "timestamp": origin.timestamp,
        "questions": {str(path): file.digest for path, file in files.items()},
        "asked": {
            "repeat": asked.repeat,
            "limit": asked.limit,
            # As the config reader gives them: a file named from the current folder is absolute.
            "models": list(spec.models),
            "seed": asked.seed,
            "template": asked.template,
            "keep_prompts": asked.keep_prompts,
        },
    }
    return Planned(spec, work, stored)


def _same_template(planned: Planned, row: RunRow) -> None:
    """The rest of a run is asked in the words of its beginning."""
    if planned.work.template != row.template:
        raise InputError(
            f"the prompt template has changed since the run began: it was {row.template}, and is "
            f"{planned.work.template} now; put the old file back, or start a new run",
            where=row.id,
        )


def _same_config(path: Path, settings: Settings, planned: Planned, run_id: str) -> None:
    stored = planned.stored["asked"]
    asked = Asked(**{**stored, "models": tuple(stored["models"])})
    given = prepare(path, settings, asked, timestamp=planned.stored["timestamp"])
    differs = first_difference(planned.spec.document, given.spec.document)
    if differs is not None:
        raise InputError(
            f"differs from the config of run {run_id} at {differs!r}; "
            "resume without a config, or start a new run",
            where=str(path),
        )


def _described(planned: Planned, name: str, definition: ModelDefinition) -> dict[str, Any]:
    """What is stored of a model: its address, its options, and how agents decode with it."""
    decodings = {
        agent.agent_id: {
            key: getattr(agent.decoding, key)
            for key in agent.decoding.__dataclass_fields__
            if getattr(agent.decoding, key) is not None
        }
        for condition in planned.spec.conditions
        for agent in condition.agents
        if model_name(condition, agent.model) == name
    }
    return {
        "address": definition.address,
        "options": dict(definition.options),
        "decoding": decodings,
    }


def _condition_facts(condition: Condition) -> dict[str, Any]:
    return {"sweep": dict(condition.sweep), "experiment_name": condition.experiment_name}


def _subjects(planned: Planned, folder: Path) -> Subjects:
    models = planned.models

    def make(name: str) -> Sequence[ChatModel]:
        return registry.build_all(models[name], run_folder=folder)

    for name in models:  # a missing key or extra is told before the run begins
        registry.build_all(models[name], run_folder=folder)
    retried = any(c.retry_on_generation_error for c in planned.spec.conditions)
    return Subjects(
        tuple(models),
        make,
        {name: rates_of(definition) for name, definition in models.items()},
        max_attempts=MAX_ATTEMPTS if retried else 1,
    )


def _check_budget(budget: Budget | None, planned: Planned) -> None:
    if budget is not None:
        budget.check_prices([definition.address for definition in planned.models.values()])


def expect(planned: Planned, *, sample: int = 200) -> Expected:
    """Requests (exact but for re-asks and early consensus) and prompt tokens (four characters each).

    Later rounds are counted with a history of typical length, since it is not known yet.
    """
    n = len(planned.work)
    places = sampled_places(n, sample)
    requests = characters = 0
    for place in places:
        unit = planned.work.unit(place)
        opening = planned.work.opening(unit)
        sizes = [sum(len(m.text) for m in messages) for messages in opening.values()]
        typical = sum(sizes) // len(sizes)
        for number, agents in enumerate(planned.work.speakers(unit)):
            requests += len(agents)
            heard = TYPICAL_HISTORY * len(agents) if number else 0
            characters += len(agents) * (typical + heard)
    scale = n / max(1, len(places))
    tokens = round(characters * scale / CHARACTERS_PER_TOKEN)
    return Expected(n, round(requests * scale), tokens)


def requests_of(planned: Planned) -> Iterator[dict[str, Any]]:
    """Every request of a run, for asking elsewhere: key, step, agent, and what opens the talk.

    Messages that depend on what others will have said are ``None``.
    """
    for ordinal in range(len(planned.work)):
        unit = planned.work.unit(ordinal)
        opening = planned.work.opening(unit)
        for number, agents in enumerate(planned.work.speakers(unit)):
            for agent in agents:
                messages = opening.get(agent) if number == 0 else None
                yield {
                    "key": unit.key,
                    "step": number,
                    "agent": agent,
                    "messages": messages
                    and [{"role": m.role, "content": m.text} for m in messages],
                }
