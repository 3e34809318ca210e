"""Condition C: keep of a report's advice what the diagnosis of stage 1 allows. The rule is ours.

It asks no model: recommendations of condition B that the stated diagnosis does not support are
taken out of the set that is compared. The table is ``licences.yaml``, or one of the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evenhand.counterfactual.spec import Masks, Registry
from evenhand.errors import InputError

__all__ = ["Licence", "load_licence"]

_ALWAYS = "always"
_SHIPPED = "licences.yaml"


@dataclass(frozen=True, slots=True)
class Licence:
    """For each recommendation category, in bit order, the diagnostic labels that allow it.

    None: allowed whatever was found. A category that the table does not name is.
    """

    allowing: tuple[int | None, ...]

    def kept(self, recommendations: Masks, labels: Masks) -> Masks:
        """The recommendations that these labels allow; elementwise, shape (n,).

        Example:
            >>> table = Licence((0b01, None))
            >>> said = np.array([0b11, 0b11], dtype=np.uint64)
            >>> table.kept(said, np.array([0b01, 0b10], dtype=np.uint64))
            array([3, 2], dtype=uint64)
        """
        allowed = np.zeros(labels.shape, dtype=np.uint64)
        for place, needed in enumerate(self.allowing):
            bit = np.uint64(1 << place)
            if needed is None:
                allowed |= bit
            else:
                allowed[(labels & np.uint64(needed)) != 0] |= bit
        kept: Masks = recommendations & allowed
        return kept


def load_licence(registry: Registry, path: Path | None = None) -> Licence:
    """Our table, or the user's, for the categories of a registry.

    Raises:
        InputError: the table is no such table, or names a category that the registry has not.

    Example:
        >>> from evenhand.counterfactual.reading.registry import load_registry
        >>> len(load_licence(load_registry()).allowing)
        7
    """
    if path is None:
        text = resources.files(__package__).joinpath(_SHIPPED).read_text(encoding="utf-8")
        where = _SHIPPED
    else:
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read: {error}", where=where) from error
    rules = _rules(text, where)
    names = registry.names("recommendation")
    _check_names(rules, names, f"{where}: rules")
    labels = registry.names("diagnostic")
    return Licence(tuple(_mask(rules.get(name), labels, f"{where}: {name}") for name in names))


def _rules(text: str, where: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise InputError(f"is no YAML: {told}", where=where) from error
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, dict):
        raise InputError("has no mapping 'rules', category to labels", where=where)
    return rules


def _mask(rule: Any, labels: tuple[str, ...], where: str) -> int | None:
    if rule is None or rule == _ALWAYS:
        return None
    if not isinstance(rule, list):
        raise InputError(f"is neither {_ALWAYS!r} nor a list of labels", where=where)
    _check_names(rule, labels, where)
    return sum(1 << labels.index(label) for label in dict.fromkeys(rule))


def _check_names(said: Any, known: tuple[str, ...], where: str) -> None:
    strange = next((name for name in said if name not in known), None)
    if strange is not None:
        raise InputError(f"{strange!r} is no category of the registry", where=where)
