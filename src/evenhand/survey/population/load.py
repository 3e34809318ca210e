"""Populations: shipped ones by name, a user's own by folder, stored ones by their texts."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from evenhand.errors import InputError, InvalidInputs, NotFound
from evenhand.runs.document import parse_document
from evenhand.survey.population.build import Builder
from evenhand.survey.population.fields import close_to
from evenhand.survey.population.layout import Layout, read_layout
from evenhand.survey.population.spec import Population

__all__ = ["POPULATIONS", "load_population", "population_from_files"]

POPULATIONS: tuple[str, ...] = ("de-2024",)
"""Names of the populations that ship with the package."""

_DOCUMENT = "population.yaml"
_MAX_BYTES = 20_000_000


def load_population(
    name_or_dir: str, *, settings: Mapping[str, float] | None = None
) -> Population:
    """A shipped population by name, or a user's from its folder.

    Args:
        name_or_dir: one of ``POPULATIONS``, or a folder with a ``population.yaml``. A folder of
            a shipped name is reached as ``./de-2024``.
        settings: numbers in place of the population's own defaults.

    Raises:
        NotFound: neither a shipped population nor a folder.
        InvalidInputs: everything that is wrong with its files, by file, line and column.
        InputError: an unknown setting or one out of its range.

    Example:
        >>> germany = load_population("de-2024")
        >>> [attribute.name for attribute in germany.attributes][:3]
        ['age', 'gender', 'marital_status']
    """
    folder: Traversable
    if name_or_dir in POPULATIONS:
        folder = resources.files("evenhand.survey") / "populations" / name_or_dir
    else:
        folder = Path(name_or_dir)
        if not os.path.isdir(folder):  # unlike is_dir, never an error of the system's
            hint = f"shipped: {', '.join(POPULATIONS)}; or give a folder with a {_DOCUMENT}"
            raise NotFound("population", name_or_dir, hint=hint)
    return _population(_reader(folder), settings or {})


def population_from_files(
    files: Mapping[str, str], *, settings: Mapping[str, float] | None = None
) -> Population:
    """A population from the texts of its files by name, as ``Population.files`` keeps them.

    Raises:
        InvalidInputs: everything that is wrong with the files.

    Example:
        >>> files = load_population("de-2024").files
        >>> population_from_files(files).digest == load_population("de-2024").digest
        True
    """

    def read(name: str) -> str:
        if name not in files:
            raise InputError("there is no such file", where=name)
        return files[name]

    return _population(read, settings or {})


def _reader(folder: Traversable) -> Callable[[str], str]:
    def read(name: str) -> str:
        if Path(name).name != name or name in ("", ".", ".."):
            raise InputError("must be the name of a file in the population's folder", where=name)
        file = folder / name
        try:
            with file.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=name) from None
        if len(raw) > _MAX_BYTES:
            raise InputError(f"is larger than {_MAX_BYTES:,} bytes", where=name)
        try:
            return raw.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise InputError(
                "is not UTF-8 text; save it as UTF-8", where=f"{name}:{line}"
            ) from None

    return read


def _population(read: Callable[[str], str], given: Mapping[str, float]) -> Population:
    problems: list[InputError] = []
    files: dict[str, str] = {}

    def kept(name: str) -> str | None:
        try:
            files[name] = read(name)
        except InputError as error:
            problems.append(error)
            return None
        return files[name]

    text = kept(_DOCUMENT)
    if text is None:
        raise InvalidInputs(problems)
    try:
        document = parse_document(text, source=_DOCUMENT)
    except InputError as error:
        raise InvalidInputs([error]) from None
    layout = read_layout(document, problems)
    settings = _settings(layout, given, problems)
    attributes, groupings = Builder(layout, kept, settings, problems).build()
    if problems:
        raise InvalidInputs(problems)
    return Population(
        name=layout.name,
        title=layout.title,
        year=layout.year,
        attributes=attributes,
        groupings=groupings,
        digest=_digest(files, settings),
        settings=settings,
        notes=layout.notes,
        files=files,
    )


def _settings(
    layout: Layout, given: Mapping[str, float], problems: list[InputError]
) -> dict[str, float]:
    settings = {setting.name: setting.default for setting in layout.settings}
    for name, value in given.items():
        if name in settings:
            settings[name] = float(value)
        else:
            hint = close_to(name, list(settings)) or f"; there are {', '.join(settings) or 'none'}"
            problems.append(InputError(f"no setting {name!r}{hint}", where="settings"))
    for setting in layout.settings:
        value = settings[setting.name]
        if not (math.isfinite(value) and setting.low <= value <= setting.high):
            message = f"must be from {setting.low:g} to {setting.high:g}, not {value:g}"
            problems.append(InputError(message, where=f"settings.{setting.name}"))
    return settings


def _digest(files: Mapping[str, str], settings: Mapping[str, float]) -> str:
    """SHA-256 over names and texts, each with its length before it, and the settings."""
    digest = hashlib.sha256()
    parts = [part for name in sorted(files) for part in (name, files[name])]
    parts += [f"{name}={settings[name]!r}" for name in sorted(settings)]
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
