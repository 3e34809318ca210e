"""The arena's configuration file: the reference's keys under their names, and ours beside them.

A file has three parts, ``arena``, ``models`` and ``datasets``; JSON or YAML. Keys that nothing
reads any more are kept out and named in a note; a key that is nobody's is an error.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evenhand.arena.spec import Matchmaking
from evenhand.errors import InputError, InvalidInputs

__all__ = [
    "ArenaConfig",
    "DatasetEntry",
    "ModelEntry",
    "ProfileField",
    "Rules",
    "changed",
    "config_of",
    "load_config",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""An id that is safe in a path and in an address."""

Line = Annotated[str, Field(max_length=500)]

# Keys of the reference that it never read; ours is read where the name is the same.
DEAD = frozenset({"show_only_relevant", "caption_column", "relevance_column"})

OUR_QUESTION = "Which side represents people better?"

OUR_TAGS = (
    "more balanced by gender", "more balanced by age", "more balanced by skin tone",
    "fewer stereotypes", "fits the search better", "looks more natural", "better overall",
)  # fmt: skip


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProfileField(_Part):
    """A question about the voter: always voluntary, in the voter's own words or from a list."""

    id: Name
    label: Line
    options: tuple[Line, ...] = ()


class Rules(_Part):
    """The part ``arena`` of a file. Times in seconds."""

    # As in the reference.
    elo_k_factor: float = Field(default=32, gt=0, le=1000)
    elo_initial_rating: float = Field(default=1500, ge=0, le=10_000)
    images_per_model: int = Field(default=12, ge=1, le=500)
    max_scroll_images: int = Field(default=50, ge=1, le=500)
    grid_columns: int = Field(default=4, ge=1, le=12)
    allow_open_queries: bool = False
    active_dataset_id: Name | None = None
    judge_question: Line = OUR_QUESTION
    search_query_label: Line = ""
    enable_why_tags: bool = True
    why_tags: tuple[Line, ...] = OUR_TAGS
    matchmaking: Matchmaking = "uniform"
    predefined_queries: tuple[Line, ...] = ()
    # Ours: the ballot.
    title: Line = "Arena"
    both_good: bool = False
    both_bad: bool = False
    why_rate: float = Field(default=0.15, ge=0, le=1)
    undo_s: float = Field(default=8, ge=0, le=3600)
    battle_lives_s: float = Field(default=1800, gt=0, le=7 * 86_400)
    # Ours: who votes.
    require_consent: bool = False
    consent_text: str = Field(default="", max_length=20_000)
    contact: Line = ""
    profile: tuple[ProfileField, ...] = ()
    invite_required: bool = False
    retention_days: float | None = Field(default=None, gt=0)
    # Ours: limits. None is no limit.
    votes_per_voter: int | None = Field(default=None, ge=1)
    battles_per_minute: float | None = Field(default=60, gt=0)
    """Of one voter."""
    registrations_per_hour: float | None = Field(default=600, gt=0)
    """From one address."""
    requests_per_minute: float | None = Field(default=6000, gt=0)
    """From one address, images apart."""
    max_body_bytes: int = Field(default=65_536, ge=1024, le=10_000_000)
    # Ours: open queries.
    max_query_length: int = Field(default=120, ge=1, le=1000)
    open_queries_per_hour: float | None = Field(default=30, gt=0)
    """Of one voter."""
    open_query_cache: int = Field(default=1000, ge=1, le=1_000_000)
    """Queries kept per dataset."""
    blocked_words: tuple[Line, ...] = ()
    index_memory_mb: float = Field(default=512, ge=0)
    """What the index of one dataset may take in memory before it reads from the disk."""
    # Ours: attention.
    identical_share: float = Field(default=0.0, ge=0, le=0.5)
    repeat_share: float = Field(default=0.0, ge=0, le=0.5)
    # Ours: what is shown.
    public_leaderboard: bool = True
    leaderboard_every_s: float = Field(default=10, ge=0)
    early_voters: int = Field(default=15, ge=2)
    """Below this many voters the board says that it is too early."""
    languages: tuple[Literal["en", "de"], ...] = ("en", "de")


class ModelEntry(_Part):
    """A model to precompute with. ``path`` is a folder or file of ours; the rest is the backend's."""

    id: Name
    name: Line = ""
    backend: Literal["open_clip", "transformers", "onnx", "simulated"] = "open_clip"
    model_name: str = ""
    pretrained: str = ""
    path: str = ""
    revision: str = ""
    enabled: bool = True

    @property
    def title(self) -> str:
        """What people are shown after the vote."""
        return self.name or self.id


class DatasetEntry(_Part):
    """Images to search: a folder, a table of paths, a Hugging Face dataset, or drawn portraits."""

    id: Name
    name: Line = ""
    source: Literal["folder", "huggingface", "table", "portraits"] = "folder"
    folder_path: str = ""
    table_path: str = ""
    path_column: str = "path"
    hf_repo: str = ""
    hf_config: str | None = None
    hf_split: str = "train"
    image_column: str = "image"
    caption_column: str | None = None
    attribute_columns: tuple[str, ...] = ()
    max_images: int | None = Field(default=2000, ge=1)
    """The first so many; null is all."""
    seed: int = 0
    """Of drawn portraits."""


class ArenaConfig(_Part):
    """A whole file."""

    arena: Rules = Rules()
    models: tuple[ModelEntry, ...] = ()
    datasets: tuple[DatasetEntry, ...] = ()
    notes: tuple[str, ...] = Field(default=(), exclude=True)
    given: frozenset[str] = Field(default=frozenset(), exclude=True)
    """Keys of ``arena`` that the file itself sets."""

    def dataset(self, id: str) -> DatasetEntry | None:
        """The entry of a dataset, where the file has one."""
        return next((d for d in self.datasets if d.id == id), None)

    def title_of(self, model: str) -> str:
        """A model's name for people; its id where the file has none."""
        return next((m.title for m in self.models if m.id == model), model)


def load_config(path: Path) -> ArenaConfig:
    """Read a configuration file.

    Raises:
        InputError: no such file, not JSON or YAML, or not a mapping.
        InvalidInputs: every key that is wrong, with its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text ({error.reason})", where=str(path)) from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"not readable as JSON or YAML: {first}", where=str(path)) from None
    except RecursionError:
        raise InputError("nested too deeply for a configuration", where=str(path)) from None
    return config_of(found, where=str(path))


def config_of(found: Any, *, where: str) -> ArenaConfig:
    """A configuration from a mapping, however old its layout.

    The reference's single ``dataset`` becomes the one entry of ``datasets``.

    Example:
        >>> old = {"arena": {"elo_k_factor": 16}, "dataset": {"source": "folder", "folder_path": "/x/faces"}}
        >>> config = config_of(old, where="old.json")
        >>> config.arena.elo_k_factor, config.datasets[0].id
        (16.0, 'faces')
    """
    if not isinstance(found, dict):
        raise InputError(
            "a configuration is a mapping with 'arena', 'models' and 'datasets'", where=where
        )
    parts = {name: part for name, part in found.items() if not name.startswith("_")}
    lone = parts.pop("dataset", None)
    if isinstance(lone, dict) and not parts.get("datasets"):
        parts["datasets"] = [{**lone, "id": lone.get("id") or _id_of(lone)}]
    arena = parts.get("arena")
    dead = sorted(DEAD & set(arena)) if isinstance(arena, dict) else []
    if isinstance(arena, dict):
        parts["arena"] = {key: value for key, value in arena.items() if key not in dead}
    config = _checked(parts, where)
    _no_twins(config, where)
    notes = tuple(f"{where}: arena.{key} has no effect" for key in dead)
    given = frozenset(parts["arena"]) if isinstance(arena, dict) else frozenset()
    return config.model_copy(update={"notes": notes, "given": given})


def changed(config: ArenaConfig, changes: dict[str, Any], *, where: str) -> ArenaConfig:
    """The configuration with keys of ``arena`` set anew, each checked; the others stay.

    Example:
        >>> changed(ArenaConfig(), {"undo_s": 3}, where="admin").arena.undo_s
        3.0
    """
    arena = _checked({"arena": {**config.arena.model_dump(), **changes}}, where).arena
    return config.model_copy(update={"arena": arena})


def _id_of(entry: dict[str, Any]) -> str:
    named = str(entry.get("hf_repo") or entry.get("folder_path") or "dataset").rstrip("/")
    return named.rsplit("/", 1)[-1].lower() or "dataset"


def _checked(parts: dict[str, Any], where: str) -> ArenaConfig:
    try:
        return ArenaConfig.model_validate(parts)
    except ValidationError as error:
        raise InvalidInputs(
            [
                InputError(
                    f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, "
                    f"got {str(problem['input'])[:60]!r}",
                    where=f"{where}: {'.'.join(str(step) for step in problem['loc'])}",
                )
                for problem in error.errors()
            ],
            undone="changed",
        ) from None


def _no_twins(config: ArenaConfig, where: str) -> None:
    for part, entries in (("models", config.models), ("datasets", config.datasets)):
        ids = [entry.id for entry in entries]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            raise InputError(f"{part} has the id {twice[0]!r} twice; ids are unique", where=where)
