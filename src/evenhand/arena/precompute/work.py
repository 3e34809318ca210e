"""What precompute has done so far, on disk, so that a run that is killed goes on where it was.

Beside the bundles lies a folder ``.work-DATASET-KEY``; the key is a hash of the images and of
how thumbnails are made. In it ``look`` holds the thumbnails, and one folder per model the rows
that are done, batch after batch. It goes when the bundle is written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import Conflict
from evenhand.store.database import speak_storage

__all__ = ["ModelWork", "Work", "key_of"]

KEY_LENGTH = 16
_HALF = np.dtype(np.float16)


def key_of(parts: Mapping[str, Any]) -> str:
    """A short hash of what something was made from.

    Example:
        >>> key_of({"a": 1}) == key_of({"a": 1}), len(key_of({}))
        (True, 16)
    """
    said = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class Work:
    """The folder of one dataset."""

    folder: Path

    @classmethod
    @contextmanager
    def held(cls, bundles_dir: Path, dataset: str, key: str) -> Iterator[Work]:
        """The folder, for this process alone until the block ends; older states of the same
        dataset are removed.

        Raises:
            Conflict: another process works on the dataset.
            StorageError: the disk refuses.
        """
        folder = bundles_dir / f".work-{dataset}-{key}"
        with speak_storage(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder)
        if lock is None:
            raise Conflict(
                f"another process precomputes {dataset!r} in {bundles_dir}; wait for it",
                id=dataset,
            )
        try:
            _remove_older(bundles_dir, dataset, folder)
            yield cls(folder)
        finally:
            os.close(lock)

    def model(self, id: str, key: str) -> ModelWork:
        """The folder of one model; ``key`` says what the rows depend on."""
        return ModelWork(self.folder / f"{id}-{key}")

    def remove(self) -> None:
        """All of it: the bundle is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class ModelWork:
    """One model on one dataset: rows of float16 appended batch by batch, and what was said."""

    folder: Path

    @property
    def _rows(self) -> Path:
        return self.folder / "rows.f16"

    def begin(self, about: Mapping[str, str], dim: int, batch: int) -> int:
        """Make ready to append; returns how many rows are there and stay.

        Rows of another state of the model are dropped, and so is a batch that was cut off: the
        same batches give the same bytes.
        """
        said = {"about": dict(about), "dim": dim, "batch": batch}
        with speak_storage(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.read_json("begun.json") != said:
                self._rows.unlink(missing_ok=True)
                self.write_json("begun.json", said)
            self._rows.touch()
            width = dim * _HALF.itemsize
            whole = self._rows.stat().st_size // width // batch * batch
            os.truncate(self._rows, whole * width)
        return whole

    def append(self, rows: NDArray[np.float32]) -> None:
        """Add rows to the end."""
        with speak_storage(str(self._rows)), self._rows.open("ab") as file:
            file.write(rows.astype(_HALF).tobytes())

    def embeddings(self, n: int, dim: int) -> NDArray[np.float16]:
        """The rows, mapped from the file: shape (n, dim)."""
        return np.memmap(self._rows, dtype=_HALF, mode="r", shape=(n, dim))

    def write_json(self, name: str, value: Any) -> None:
        """A small file, whole or not at all."""
        self.write(name, json.dumps(value, indent=1, sort_keys=True).encode())

    def read_json(self, name: str) -> Any:
        """What ``write_json`` wrote; None where there is nothing whole."""
        try:
            return json.loads((self.folder / name).read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """A file, whole or not at all."""
        with speak_storage(str(self.folder / name)):
            part = self.folder / f"{name}.part"
            part.write_bytes(content)
            part.replace(self.folder / name)

    def read_files(self, names: Sequence[str]) -> dict[str, bytes]:
        """Those files."""
        return {name: (self.folder / name).read_bytes() for name in names}


def _locked(folder: Path) -> int | None:
    """The open folder, locked until it is closed; None where another process has it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove_older(bundles_dir: Path, dataset: str, kept: Path) -> None:
    """States of the dataset whose images have changed since, unless somebody works on them."""
    prefix = f".work-{dataset}-"
    for other in bundles_dir.glob(f"{prefix}*"):
        tail = other.name.removeprefix(prefix)
        if other == kept or len(tail) != KEY_LENGTH or not other.is_dir():
            continue
        lock = _locked(other)
        if lock is not None:
            shutil.rmtree(other, ignore_errors=True)
            os.close(lock)
