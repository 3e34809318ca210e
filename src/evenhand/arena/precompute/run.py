"""Precompute: every model on every image and query, once, into one bundle per dataset.

All that can be checked is checked before any work: the datasets are opened, the models are looked
up, every image is opened once. Then each model is loaded once and goes over every dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePath

from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.config import ArenaConfig, DatasetEntry, ModelEntry
from evenhand.arena.encoders.shipped import SHIPPED, shipped
from evenhand.arena.precompute.embed import Embedded, embed, embedded, model_key
from evenhand.arena.precompute.look import Looked, look
from evenhand.arena.precompute.progress import Silent
from evenhand.arena.precompute.sources import Source, open_source
from evenhand.arena.precompute.work import ModelWork, Work, key_of
from evenhand.errors import InputError, InvalidInputs, NotFound
from evenhand.models.encoder import DualEncoder
from evenhand.models.encoders import check_encoder, open_encoder
from evenhand.models.text_export import shared_name

__all__ = ["Made", "Options", "chosen_datasets", "precompute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to precompute. ``base`` is the folder that relative paths of the configuration are
    looked for in first."""

    bundles_dir: Path
    output: Path | None = None
    base: Path | None = None
    device: str = "auto"
    thumbnail_size: int = 400
    batch_size: int = 64
    threads: int = 0
    allow_broken: bool = False
    progress: Silent = field(default_factory=Silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle that was written."""

    dataset: str
    path: Path
    version: str
    n_images: int
    models: tuple[str, ...]
    queries: int
    broken: tuple[tuple[str, str], ...]
    """Images left out: id and reason."""


def chosen_datasets(
    config: ArenaConfig, *, id: str | None = None, every: bool = False
) -> tuple[DatasetEntry, ...]:
    """The dataset of that id; all; or the active one, else the first.

    Raises:
        InputError: the configuration has no dataset.
        NotFound: none of that id; the message lists those there are.
    """
    if not config.datasets:
        raise InputError("the configuration has no datasets; add one", where="datasets")
    if every:
        return config.datasets
    wanted = id or config.arena.active_dataset_id or config.datasets[0].id
    entry = config.dataset(wanted)
    if entry is None:
        known = ", ".join(d.id for d in config.datasets)
        raise NotFound("dataset", wanted, hint=f"the configuration has {known}")
    return (entry,)


def precompute(
    config: ArenaConfig,
    queries: Sequence[str],
    datasets: Sequence[DatasetEntry],
    options: Options,
) -> tuple[Made, ...]:
    """Write one bundle per dataset.

    What was computed is kept in the bundles' folder until its bundle is written: killed and
    started again, it goes on, and the bundle has the same bytes.

    Args:
        config: the rules and the models; those enabled are used.
        queries: checked, none twice (``read_queries``).
        datasets: entries of the configuration.
        options: where to and how.

    Raises:
        InputError, InvalidInputs: anything about models, images or options; before any encoding.
        SubjectError: a model's weights cannot be loaded, or it fails on an input.
        Conflict: another process works on one of the datasets.
        StorageError: the disk refuses.
    """
    models = _checked_models(config, options)
    _check(options, datasets, queries)
    sources = [open_source(entry, base=options.base) for entry in datasets]
    with ExitStack() as held:
        desks = []
        for entry, source in zip(datasets, sources, strict=True):
            key = key_of({"stamp": source.stamp(), "thumbnail": options.thumbnail_size})
            work = held.enter_context(Work.held(options.bundles_dir, entry.id, key))
            desks.append(_Desk(entry, source, work, _looked(entry, source, work, options)))
        for model in models:
            _one_model(model, desks, tuple(queries), options)
        return tuple(_written(desk, config, models, queries, options) for desk in desks)


@dataclass(slots=True)
class _Desk:
    """One dataset while it is worked on."""

    entry: DatasetEntry
    source: Source
    work: Work
    looked: Looked
    found: dict[str, Embedded] = field(default_factory=dict)


def _checked_models(config: ArenaConfig, options: Options) -> tuple[ModelEntry, ...]:
    models = tuple(model for model in config.models if model.enabled)
    if not models:
        raise InputError("the configuration has no enabled model; add one", where="models")
    problems: list[InputError] = []
    for model in models:
        try:
            check_encoder(
                model.backend, model_name=model.model_name, pretrained=model.pretrained,
                path=str(_place(model, options.base) or ""), revision=model.revision,
                device=options.device,
            )  # fmt: skip
        except InputError as error:
            where = ".".join(part for part in ("models", model.id, error.where) if part)
            problems.append(InputError(error.detail, where=where))
    if problems:
        raise InvalidInputs(problems, undone="computed")
    return models


def _check(options: Options, datasets: Sequence[DatasetEntry], queries: Sequence[str]) -> None:
    if not queries:
        raise InputError("no queries; give at least one")
    if options.output is not None and len(datasets) > 1:
        raise InputError(
            f"one file for {len(datasets)} datasets; use --bundles-dir", where="--output"
        )
    for value, name, low, high in (
        (options.thumbnail_size, "--thumbnail-size", 16, 4096),
        (options.batch_size, "--batch-size", 1, 65_536),
        (options.threads, "--threads", 0, 1024),
    ):
        if not low <= value <= high:
            raise InputError(f"{value} is not {low} to {high}", where=name)


def _place(model: ModelEntry, base: Path | None) -> Path | None:
    """The folder that an entry's ``path`` means: beside the configuration, from here, or one of
    those that come with the package. None without a path."""
    if not model.path:
        return None
    path = Path(model.path).expanduser()
    tried = [path] if path.is_absolute() or base is None else [base / path, path]
    if model.path in SHIPPED:
        tried.append(shipped(model.path))
    return next((one for one in tried if one.exists()), tried[0])


def _looked(entry: DatasetEntry, source: Source, work: Work, options: Options) -> Looked:
    with options.progress.stage(f"{entry.id}: images", len(source.facts)) as advance:
        return look(
            source, work.folder / "look", size=options.thumbnail_size,
            allow_broken=options.allow_broken, where=entry.id, advance=advance,
        )  # fmt: skip


def _one_model(
    model: ModelEntry, desks: Sequence[_Desk], queries: tuple[str, ...], options: Options
) -> None:
    """One model over all datasets; it is loaded at the first that still needs it."""
    place = _place(model, options.base)
    key = model_key(model, folder=place, device=options.device, batch=options.batch_size)
    load = _Once(
        lambda: open_encoder(
            model.backend, model_name=model.model_name, pretrained=model.pretrained,
            path=str(place or ""), revision=model.revision, device=options.device,
            threads=options.threads,
        )
    )  # fmt: skip
    for desk in desks:
        work: ModelWork = desk.work.model(model.id, key)
        name = f"{desk.entry.id}: {model.id}"
        with options.progress.stage(name, len(desk.looked)) as advance:
            found = embedded(work, queries, len(desk.looked))
            if found is not None:
                advance(len(desk.looked))
            else:
                found = embed(
                    load(), desk.source, desk.looked, work, queries,
                    batch=options.batch_size, advance=advance,
                )  # fmt: skip
            desk.found[model.id] = found


class _Once:
    """Loads when it is first asked."""

    def __init__(self, load: Callable[[], DualEncoder]) -> None:
        self._load = load
        self._encoder: DualEncoder | None = None

    def __call__(self) -> DualEncoder:
        if self._encoder is None:
            self._encoder = self._load()
        return self._encoder


def _written(
    desk: _Desk,
    config: ArenaConfig,
    models: Sequence[ModelEntry],
    queries: Sequence[str],
    options: Options,
) -> Made:
    path = options.output or options.bundles_dir / file_name(desk.entry.id)
    facts = desk.source.facts.only(desk.looked.kept)
    contents = BundleContents(
        dataset=desk.entry.id,
        models=[_contents(model.id, desk.found[model.id]) for model in models],
        queries=list(queries),
        thumbnails=desk.looked.thumbnails(),
        top=max(config.arena.max_scroll_images, config.arena.images_per_model),
        image_ids=facts.ids,
        captions=facts.captions,
        attributes=facts.attributes,
        config=_shareable(config, models, desk.entry, queries),
        provenance=_provenance(desk, options),
    )
    made = write_bundle(path, contents)
    desk.work.remove()
    return Made(
        dataset=desk.entry.id, path=path, version=made, n_images=len(desk.looked),
        models=tuple(model.id for model in models), queries=len(queries),
        broken=tuple(desk.looked.broken),
    )  # fmt: skip


def _contents(id: str, found: Embedded) -> ModelContents:
    return ModelContents(
        id=id, embeddings=found.embeddings, query_embeddings=found.query_embeddings,
        about=found.about, text_encoder=found.text_files,
    )  # fmt: skip


def _shareable(
    config: ArenaConfig,
    models: Sequence[ModelEntry],
    entry: DatasetEntry,
    queries: Sequence[str],
) -> ArenaConfig:
    """The configuration as a bundle carries it to other machines: this dataset, the models used,
    and of paths only the last part, for the rest tells of people and machines."""
    lean = {
        "folder_path": _last(entry.folder_path),
        "table_path": _last(entry.table_path),
        "hf_repo": shared_name(entry.hf_repo),
    }
    return config.model_copy(
        update={
            "arena": config.arena.model_copy(
                update={"predefined_queries": tuple(queries), "active_dataset_id": entry.id}
            ),
            "models": tuple(_shareable_model(model) for model in models),
            "datasets": (entry.model_copy(update=lean),),
        }
    )


def _shareable_model(model: ModelEntry) -> ModelEntry:
    lean = {"path": _last(model.path)}
    if model.backend != "simulated":
        lean |= {
            "model_name": shared_name(model.model_name),
            "pretrained": shared_name(model.pretrained),
        }
    return model.model_copy(update=lean)


def _last(path: str) -> str:
    return PurePath(path).name if path else ""


def _provenance(desk: _Desk, options: Options) -> Mapping[str, object]:
    return {
        "evenhand": version("evenhand"),
        "pillow": version("pillow"),
        "dataset": {
            **desk.source.about(),
            "images": len(desk.looked),
            "left_out": [list(one) for one in desk.looked.broken],
            "sha256": desk.looked.digest,
        },
        "thumbnails": {"size": options.thumbnail_size, "format": "JPEG", "quality": 85},
        "device": options.device,
        "batch_size": options.batch_size,
    }
