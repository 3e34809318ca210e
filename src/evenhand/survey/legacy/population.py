"""The shipped population of Germany with one more level, for what an imported person does not say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import yaml

from evenhand.survey.population.load import load_population, population_from_files
from evenhand.survey.population.spec import AGE, Population

__all__ = ["NOT_STATED", "germany", "population_for"]

# Those written in C are eight times as fast, where there are any.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

NOT_STATED = "not_stated"
"""The level of somebody of whom an attribute is not known: in no prompt, and no group."""

_LEVEL: Mapping[str, Any] = {
    "code": NOT_STATED, "en": "not stated", "de": "keine Angabe", "stated": False
}  # fmt: skip


@lru_cache(maxsize=1)
def germany() -> Population:
    """The shipped population, read once."""
    return load_population("de-2024")


def population_for(unsaid: Collection[str]) -> Population:
    """``de-2024``, its attributes in ``unsaid`` with the further level ``not_stated``.

    Nobody is ever drawn with that level: its weight is 0.

    Example:
        >>> population_for(()).name, population_for(["religion"]).name
        ('de-2024', 'de-2024-imported')
        >>> population_for(["religion"]).attribute("religion").levels[-1].code
        'not_stated'
    """
    return _population(tuple(sorted(set(unsaid) - {AGE})))


@lru_cache(maxsize=4)
def _population(unsaid: tuple[str, ...]) -> Population:
    base = germany()
    if not unsaid:
        return base
    files = dict(base.files)
    document = yaml.load(files["population.yaml"], Loader=_Loader)  # noqa: S506 - a safe one
    document["name"] += "-imported"
    document["title"] += " (imported people)"
    for attribute in document["attributes"]:
        if attribute["name"] in unsaid:
            _add_level(attribute, files)
    for grouping in document["groupings"]:
        if grouping["of"] in unsaid:
            grouping["levels"].append(dict(_LEVEL))
    files["population.yaml"] = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True
    )
    return population_from_files(files, settings=base.settings)


def _add_level(attribute: dict[str, Any], files: dict[str, str]) -> None:
    if isinstance(attribute["levels"], str):
        files[attribute["levels"]] = _with_row(files[attribute["levels"]])
    else:
        attribute["levels"].append(dict(_LEVEL))
    tables = [attribute["table"]]
    if "rake" in attribute:
        tables.append(attribute["rake"]["total"])
    if "profile" in attribute:
        tables.append(attribute["profile"])
    for name in tables:
        if "level" not in _header(files[name]):
            files[name] = _widened(files[name], NOT_STATED, "0")


def _with_row(text: str) -> str:
    """A file of levels with one more; what else it says of a level is said to be not stated too."""
    if "stated" not in _header(text):
        text = _widened(text, "stated", "true")
    row = {**_LEVEL, "stated": "false"}
    cells = [str(row.get(column, NOT_STATED)) for column in _header(text)]
    return text.rstrip("\n") + "\n" + ",".join(cells) + "\n"


def _header(text: str) -> list[str]:
    return next(line for line in text.splitlines() if line and line[0] != "#").split(",")


def _widened(text: str, column: str, value: str) -> str:
    """A CSV text with one more column, the same in every row."""
    lines: list[str] = []
    cell = column
    for line in text.splitlines():
        if line and not (cell == column and line[0] == "#"):
            line, cell = f"{line},{cell}", value
        lines.append(line)
    return "\n".join(lines) + "\n"
