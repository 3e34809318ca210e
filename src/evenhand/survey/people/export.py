"""A dataset's people as a table with a row each: CSV, JSON lines, Parquet.

The table holds level codes, in English, as the population documents them. Rows stand in the order
of the personas' ids and are the same on every database.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.runs.export import whole_file
from evenhand.runs.table_files import write_csv, write_parquet
from evenhand.survey.people.datasets import Datasets, Links
from evenhand.survey.people.people import People
from evenhand.survey.population.spec import AGE, Population

__all__ = ["FIELDS", "FORMATS", "TEXTS", "export_people"]

FORMATS = ("csv", "jsonl", "parquet")
FIELDS = (
    "id", "role", "pair_id", "changed_attribute", "age", "gender", "education", "occupation",
    "marital_status", "migration_status", "origin", "religion", "sexuality",
)  # fmt: skip
"""The columns of every export; what a population has beyond them follows."""

TEXTS = ("name", "appearance", "biography")
"""The columns that an enrichment adds."""

CHUNK = 20_000
_ATTRIBUTES = FIELDS[5:]

Row = tuple[Any, ...]


def export_people(
    datasets: Datasets,
    id_or_name: int | str,
    *,
    format: str,
    output: Path | None,
    texts: Mapping[int, Mapping[str, str]] | None = None,
) -> int:
    """Write a row per person; returns how many.

    Both partners of a counterfactual pair have the source's id as ``pair_id`` and name the
    attribute that differs; others have neither. Numbers are numbers; in CSV a text that a
    spreadsheet would run as a formula is led by an apostrophe.

    Args:
        output: a file, or None for standard output (JSON lines only).
        texts: name, appearance and biography by persona id; adds those columns.

    Raises:
        NotFound: no such dataset.
        InputError: no such format, it needs a file, or the extra ``frames`` is not installed.
    """
    if format not in FORMATS:
        raise InputError(
            f"there is no format {format!r}; give one of {', '.join(FORMATS)}", where="--format"
        )
    if output is None and format != "jsonl":
        raise InputError(f"the format {format} needs a file", where="--output")
    row = datasets.get(id_or_name)
    population, people = datasets.population(row.id), datasets.people(row.id)
    columns = _columns(population, with_texts=texts is not None)
    groups = _groups(
        population, people, datasets.roles(row.id), _pairs(datasets.links(row.id)), columns, texts
    )
    if format == "csv" and output is not None:
        write_csv(columns, groups, output)
    elif format == "parquet" and output is not None:
        write_parquet(columns, groups, output)
    elif output is None:
        _write_lines(columns, groups, sys.stdout.buffer)
    else:
        with whole_file(output) as file:
            _write_lines(columns, groups, file)
    return len(people)


def _columns(population: Population, *, with_texts: bool) -> dict[str, type]:
    further = [a.name for a in population.attributes if a.name not in FIELDS]
    names = (*FIELDS, *further, *(TEXTS if with_texts else ()))
    return {name: int if name in {"id", "pair_id", AGE} else str for name in names}


def _pairs(links: Links) -> dict[int, tuple[int, str]]:
    """Per person in a pair, the source's id and what differs; a source may have several."""
    found: dict[int, tuple[int, str]] = {}
    of_source: defaultdict[int, list[str]] = defaultdict(list)
    sources, variants = links.source.tolist(), links.variant.tolist()
    for source, variant, attribute in zip(sources, variants, links.attribute, strict=True):
        found[variant] = (source, attribute)
        of_source[source].append(attribute)
    for source, attributes in of_source.items():
        found[source] = (source, " ".join(dict.fromkeys(attributes)))
    return found


def _groups(
    population: Population,
    people: People,
    roles: NDArray[np.str_],
    pairs: Mapping[int, tuple[int, str]],
    columns: Mapping[str, type],
    texts: Mapping[int, Mapping[str, str]] | None,
) -> Iterator[list[Row]]:
    words = {
        a.name: np.array([level.code for level in a.levels], dtype=object)
        for a in population.attributes
    }
    further = [name for name in columns if name in words and name not in FIELDS]
    for start in range(0, len(people), CHUNK):
        some = people.take(np.arange(start, min(start + CHUNK, len(people))))
        ids = some.ids.tolist()
        partners = [pairs.get(id, (None, None)) for id in ids]
        levels = [
            words[name][some.codes[name]].tolist() if name in words else [None] * len(ids)
            for name in (*_ATTRIBUTES, *further)
        ]
        told = (
            []
            if texts is None
            else [[texts.get(id, {}).get(name) for id in ids] for name in TEXTS]
        )
        yield list(
            zip(
                ids,
                roles[start : start + CHUNK].tolist(),
                [pair for pair, _ in partners],
                [changed for _, changed in partners],
                some.codes[AGE].tolist(),
                *levels,
                *told,
                strict=True,
            )
        )


def _write_lines(
    columns: Mapping[str, type], groups: Iterator[list[Row]], file: IO[bytes]
) -> None:
    for row in chain.from_iterable(groups):
        file.write(
            orjson.dumps(dict(zip(columns, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
        )
