"""Which datasets are here, which one is shown, and how to show another without a stall.

Readers take one reference and keep it for as long as they need it; a switch opens and checks the
new bundle first and then puts another reference in its place. So a reader never waits, a failed
switch changes nothing, and a bundle that is no longer shown lives until its last reader is done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.layout import NAME, file_name
from evenhand.arena.bundles.reading import Glance, glance, open_bundle
from evenhand.arena.config import DatasetEntry
from evenhand.errors import EvenhandError, InputError, NotFound

__all__ = ["Shelf", "Shown"]

# Bundles that stay open though they are not shown: images of battles that began before a switch.
RECENT = 8

# Device, inode, size and time of a file: another file, or other contents, has others.
Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A dataset as the admin sees it. ``problem`` says in a sentence why it is not available."""

    id: str
    title: str
    path: Path
    available: bool
    active: bool
    problem: str | None = None
    version: str | None = None
    n_images: int | None = None
    models: tuple[str, ...] = ()


class Shelf:
    """The bundles of a folder, or a single one; see :meth:`of`.

    Attributes:
        notes: what a person should know of how the dataset was chosen.
    """

    def __init__(
        self,
        bundles_dir: Path | None,
        bundle: Path | None,
        configured: Iterable[DatasetEntry] = (),
    ) -> None:
        self._dir, self._file = bundles_dir, bundle
        self._configured = {entry.id: entry for entry in configured}
        self._writing = threading.Lock()
        self._current: Bundle | None = None
        # Never changed, only replaced, so that readers need no lock.
        self._recent: Mapping[tuple[str, str], Bundle] = {}
        self._looked: dict[Path, tuple[Stamp, Glance | EvenhandError]] = {}
        self.notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        bundles_dir: Path | None = None,
        bundle: Path | None = None,
        active: str | None = None,
        *,
        configured: Iterable[DatasetEntry] = (),
    ) -> Shelf:
        """Open what is to be shown.

        Args:
            bundles_dir: a folder with ``arena_bundle_ID.npz``; or
            bundle: a single file. It is shown whatever ``active`` says, under its own id.
            active: the dataset to show; None is the first configured one that is here, else the
                first by name.
            configured: the datasets of the configuration; those without a bundle are listed, too.

        Raises:
            InputError: neither or both given, nothing to show, or the active one cannot be.
        """
        if (bundles_dir is None) == (bundle is None):
            raise InputError("either a folder of bundles or a single bundle is needed")
        shelf = cls(bundles_dir, bundle, configured)
        if bundle is not None:
            shelf._show(open_bundle(bundle))
            own = shelf.current().dataset
            if active not in (None, own):
                shelf.notes = (
                    f"{bundle} holds dataset {own!r}; active_dataset_id {active!r} is not shown",
                )
        else:
            shelf._begin(shelf._first() if active is None else active)
        return shelf

    def current(self) -> Bundle:
        """The bundle that is shown. Hold on to it for as long as one answer takes."""
        if self._current is None:
            raise NotFound("dataset", "", hint="nothing is shown")
        return self._current

    def get(self, dataset: str, version: str) -> Bundle | None:
        """A bundle that battles may still speak of: shown, lately shown, or here in this version."""
        found = self._recent.get((dataset, version))
        if found is not None or not NAME.fullmatch(dataset):
            return found
        path = self._path(dataset)
        seen = self._look(path)
        if isinstance(seen, EvenhandError) or (seen.dataset, seen.version) != (dataset, version):
            return None
        return self._kept(open_bundle(path))

    def switch(self, dataset_id: str) -> Bundle:
        """Show another dataset, or the same one as its file is now.

        Opening takes milliseconds, but a bundle of Fairness Arena has to be inflated first: call
        this from a worker thread.

        Raises:
            NotFound: no such dataset here; names those that are.
            InputError: its bundle is broken, or holds another dataset. What was shown stays.
        """
        if not NAME.fullmatch(dataset_id):
            raise NotFound(
                "dataset", dataset_id[:100], hint="an id has letters, digits, '.', '_' and '-'"
            )
        path = self._path(dataset_id)
        if not path.is_file():
            raise NotFound("dataset", dataset_id, hint=self._where_to_look(path))
        opened = open_bundle(path)
        if opened.dataset != dataset_id:
            if self._file is not None:
                raise NotFound("dataset", dataset_id, hint=self._where_to_look(path))
            raise InputError(_other(opened.dataset), where=str(path))
        return self._show(opened)

    def datasets(self) -> list[Shown]:
        """Everything that is here or should be, in the order of ids."""
        found = {shown.id: shown for shown in map(self._seen, self._files())}
        for id, entry in self._configured.items():
            if id not in found and self._dir is not None:
                found[id] = Shown(
                    id=id, title=entry.name or id, path=self._path(id), available=False,
                    active=False, problem=f"no bundle here; make one with: evenhand arena precompute --dataset-id {id}",
                )  # fmt: skip
        return [found[id] for id in sorted(found)]

    def _begin(self, active: str) -> None:
        try:
            self.switch(active)
        except NotFound as error:
            raise InputError(f"{error}", where="active_dataset_id") from None

    def _first(self) -> str:
        here = {shown.id: shown for shown in self.datasets()}
        for id in (*self._configured, *here):
            if id in here and here[id].available:
                return id
        problems = "; ".join(f"{s.path.name}: {s.problem}" for s in here.values())
        raise InputError(
            f"no bundle to show ({problems or 'the folder has none'}); make one with: "
            "evenhand arena precompute",
            where=str(self._dir),
        )

    def _show(self, opened: Bundle) -> Bundle:
        with self._writing:
            self._current = self._keep(opened)
        return self._current

    def _kept(self, opened: Bundle) -> Bundle:
        with self._writing:
            return self._keep(opened)

    def _keep(self, opened: Bundle) -> Bundle:
        """Put it last among the recent ones; the first leave, never the one that is shown.

        Where the same bundle is open already, that one stays, as its encoders are loaded.
        """
        key = (opened.dataset, opened.version)
        held = self._recent.get(key)
        kept = {k: b for k, b in self._recent.items() if k != key}
        kept[key] = held if held is not None and held.fresh() else opened
        for old in list(kept)[: max(0, len(kept) - RECENT)]:
            if kept[old] is not self._current:
                del kept[old]
        self._recent = kept
        return kept[key]

    def _look(self, path: Path) -> Glance | EvenhandError:
        """What a file holds, or what is wrong with it; looked at again when the file changes."""
        try:
            stat = path.stat()
        except OSError:
            return NotFound("bundle", str(path))
        stamp = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        held = self._looked.get(path)
        if held is not None and held[0] == stamp:
            return held[1]
        try:
            seen: Glance | EvenhandError = glance(path)
        except EvenhandError as error:
            seen = error
        self._looked[path] = (stamp, seen)
        return seen

    def _seen(self, path: Path) -> Shown:
        looked = self._look(path)
        id = _id_of(path)
        if isinstance(looked, EvenhandError):
            return Shown(
                id=id, title=id, path=path, available=False, active=False, problem=str(looked)
            )
        id = looked.dataset if path == self._file else id
        fits = looked.dataset == id
        return Shown(
            id=id, title=looked.title, path=path, available=fits,
            active=fits and self._current is not None and self._current.dataset == id,
            problem=None if fits else _other(looked.dataset), version=looked.version,
            n_images=looked.n_images, models=looked.models,
        )  # fmt: skip

    def _files(self) -> Iterator[Path]:
        if self._file is not None:
            yield self._file
        elif self._dir is not None:
            yield from sorted(self._dir.glob(file_name("*")))

    def _path(self, dataset_id: str) -> Path:
        return self._file or (self._dir or Path()) / file_name(dataset_id)

    def _where_to_look(self, path: Path) -> str:
        if self._file is not None:
            return f"only {self._file.name} was given, which holds {self.current().dataset!r}"
        here = ", ".join(sorted(map(_id_of, self._files())))
        return f"there is no {path}; here are: {here or 'none'}"


def _id_of(path: Path) -> str:
    return path.name.removeprefix("arena_bundle_").removesuffix(".npz")


def _other(dataset: str) -> str:
    return f"holds dataset {dataset!r}; it belongs into {file_name(dataset)}"
