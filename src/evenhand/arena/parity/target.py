"""Whom the first places should show: a target is stated, never assumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from evenhand.errors import InputError
from evenhand.stats.parity import target_shares
from evenhand.stats.totals import Floats

__all__ = ["Target", "read_target"]


@dataclass(frozen=True, slots=True)
class Target:
    """``dataset``: the shares among all its images; ``uniform``: every value alike; else shares
    by attribute and value, as stated."""

    kind: str = "dataset"
    stated: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(
        self, attribute: str, values: Sequence[str], codes: NDArray[np.int32]
    ) -> tuple[tuple[str, ...], Floats]:
        """The values and their target shares, shape (V,); those of ``values`` come first, in order.

        Raises:
            InputError: the stated shares leave out a value that the dataset has.
            StatsError: no image has a known value.
        """
        if self.kind == "uniform":
            return tuple(values), np.full(len(values), 1 / len(values))
        if self.kind == "dataset":
            return tuple(values), target_shares(codes, n_values=len(values))
        where = f"target.{attribute}"
        said = self.stated.get(attribute)
        if said is None:
            raise InputError(
                f"nothing is stated; there is {', '.join(self.stated) or 'nothing'}", where=where
            )
        absent = [value for value in values if said.get(value, 0) <= 0]
        if absent:
            raise InputError(
                f"no share above 0 for {', '.join(absent)}, which the dataset has; a share of 0 "
                "would make any image of them infinitely too many",
                where=where,
            )
        names = (*values, *(value for value in said if value not in values))
        shares = np.array([said[name] for name in names], dtype=np.float64)
        if abs(shares.sum() - 1) > 1e-6:
            raise InputError(f"shares sum to {shares.sum():.4g}, not 1", where=where)
        return names, shares


def read_target(text: str) -> Target:
    """``dataset``, ``uniform``, or a file of shares (JSON or YAML: attribute, value, share).

    Raises:
        InputError: neither, or the file says no shares.

    Example:
        >>> read_target("uniform").kind
        'uniform'
    """
    if text in ("dataset", "uniform"):
        return Target(text)
    path = Path(text)
    if not path.is_file():
        raise InputError(f"{text!r} is neither dataset nor uniform nor a file", where="--target")
    try:
        content = path.read_text(encoding="utf-8")
        found = json.loads(content) if path.suffix == ".json" else yaml.safe_load(content)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"not readable as JSON or YAML: {first}", where=str(path)) from None
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise InputError("not a mapping of attributes to values to shares", where=str(path))
    stated: dict[str, dict[str, float]] = {}
    for attribute, shares in found.items():
        for value, share in shares.items():
            if (
                not isinstance(share, int | float)
                or isinstance(share, bool)
                or not 0 <= share <= 1
            ):
                raise InputError(
                    f"{share!r} is no share from 0 to 1", where=f"{path}: {attribute}.{value}"
                )
        stated[str(attribute)] = {str(v): float(share) for v, share in shares.items() if share > 0}
    return Target(str(path.name), stated)
