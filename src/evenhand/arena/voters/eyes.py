"""What a simulated voter can tell of a side that is shown: whose it may be, and how even it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import InputError, NotFound
from evenhand.stats.parity import max_skew, target_shares

__all__ = ["Eyes", "Known"]


class Known(Protocol):
    """The part of a bundle that voters look into."""

    @property
    def dataset(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def models(self) -> tuple[str, ...]: ...
    @property
    def queries(self) -> tuple[str, ...]: ...
    @property
    def attributes(self) -> Mapping[str, NDArray[np.str_]]: ...
    def ranking(self, model: str, query: str) -> NDArray[np.int32]: ...


class Eyes:
    """Sees through the blindness of the ballot with the bundle in hand.

    Nothing over HTTP tells which model ranked a side; but a side's images in their order are the
    beginning of one model's ranking in the bundle, and so tell it.

    Args:
        bundle: the file that the arena shows.
        attribute: whose evenness is judged; None judges none.
        k: how many images of a side are judged: what is on the first screen.

    Raises:
        NotFound: the bundle does not know the attribute.
    """

    def __init__(self, bundle: Known, *, attribute: str | None = None, k: int = 12) -> None:
        self._bundle = bundle
        self._k = k
        self._queries = frozenset(bundle.queries)
        self._sources: dict[tuple[str, tuple[int, ...]], tuple[str, ...]] = {}
        self._values: NDArray[np.intp] | None = None
        if attribute is not None:
            if attribute not in bundle.attributes:
                known = ", ".join(sorted(bundle.attributes)) or "none"
                raise NotFound("attribute", attribute, hint=f"the bundle has {known}")
            self._values = _codes(bundle.attributes[attribute])
            self._target = target_shares(self._values, n_values=int(self._values.max()) + 1)

    def check(self, dataset: str, version: str) -> None:
        """That the arena shows this bundle.

        Raises:
            InputError: it shows another dataset, or another version of it.
        """
        if (dataset, version) != (self._bundle.dataset, self._bundle.version):
            raise InputError(
                f"the arena shows {dataset} {version}, the bundle is {self._bundle.dataset} "
                f"{self._bundle.version}; give the file that it serves",
                where="--bundle",
            )

    def sources(self, query: str, images: tuple[int, ...]) -> tuple[str, ...]:
        """The models that may have ranked a side; none for an open query."""
        if query not in self._queries:
            return ()
        key = (query, images)
        if key not in self._sources:
            self._sources[key] = tuple(
                model
                for model in self._bundle.models
                if tuple(self._bundle.ranking(model, query)[: len(images)].tolist()) == images
            )
        return self._sources[key]

    def max_skew(self, images: Sequence[int]) -> float:
        """How much the most favoured value is: max over values of ln(share shown / share in all).

        0 is even. Over the first ``k``, those left out whose value is not known; the same measure
        as in ``evenhand.stats.parity``.
        """
        if self._values is None or not len(images):
            return 0.0
        shown = self._values[list(images[: self._k])]
        found = max_skew(shown[None, :], self._target, k=len(shown))[0]
        return float(found) if np.isfinite(found) else 0.0


def _codes(values: NDArray[np.str_]) -> NDArray[np.intp]:
    """A number for each value, -1 where it is not known."""
    known = np.unique(values[values != ""])
    return np.where(values == "", -1, np.searchsorted(known, values)).astype(np.intp)
