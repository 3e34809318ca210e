"""The shelf: what is here, what is shown, and showing another."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.shelf import Shelf
from evenhand.arena.config import DatasetEntry
from evenhand.errors import InputError, NotFound, StorageError
from support.bundles import small_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two datasets of different sizes."""
    small_bundle(tmp_path, dataset="birds", n_images=20, models=2)
    small_bundle(tmp_path, dataset="faces", n_images=30, models=2, seed=1)
    return tmp_path


def put(path: Path, content: bytes) -> None:
    """Give a file its name when it is whole, as everybody should."""
    half = path.with_name("half")
    half.write_bytes(content)
    half.replace(path)


def test_datasets_are_listed_with_their_problems(folder: Path) -> None:
    """Sound, broken, misnamed and missing bundles are all there, each with its sentence."""
    (folder / "arena_bundle_cut.npz").write_bytes((folder / file_name("birds")).read_bytes()[:900])
    shutil.copy(folder / file_name("birds"), folder / file_name("cats"))
    wanted = (DatasetEntry(id="dogs", name="Dogs"), DatasetEntry(id="faces", name="My faces"))
    shelf = Shelf.of(folder, configured=wanted)
    found = {shown.id: shown for shown in shelf.datasets()}
    assert list(found) == ["birds", "cats", "cut", "dogs", "faces"]
    assert [id for id, shown in found.items() if shown.available] == ["birds", "faces"]
    assert [id for id, shown in found.items() if shown.active] == ["faces"]
    assert (found["birds"].title, found["birds"].n_images) == ("Dataset birds", 20)
    assert "holds dataset 'birds'" in (found["cats"].problem or "")
    assert "cut off" in (found["cut"].problem or "")
    assert "evenhand arena precompute --dataset-id dogs" in (found["dogs"].problem or "")


def test_a_switch_shows_the_other_dataset(folder: Path) -> None:
    """After a switch the other bundle is current, and the first one is still to be had."""
    shelf = Shelf.of(folder, active="birds")
    before = shelf.current()
    shelf.switch("faces")
    assert (shelf.current().dataset, shelf.current().n_images) == ("faces", 30)
    assert shelf.get("birds", before.version) is before
    assert bytes(before.thumbnail(3))[:2] == b"\xff\xd8"
    assert shelf.get("birds", "0" * 16) is None


@pytest.mark.parametrize("size", [0, 10, 700, 20_000])
def test_a_failed_switch_changes_nothing(folder: Path, size: int) -> None:
    """A truncated bundle is refused and the old one goes on (the reference lost everything until
    the next switch: B5)."""
    shelf = Shelf.of(folder, active="birds")
    before = shelf.current()
    put(folder / file_name("faces"), (folder / file_name("faces")).read_bytes()[:size])
    with pytest.raises(InputError, match="arena_bundle_faces.npz"):
        shelf.switch("faces")
    assert shelf.current() is before
    assert before.ranking("m0", "doctor").shape == (20,)
    assert len(before.thumbnail(19))


def test_the_dataset_is_the_bundles_own(folder: Path) -> None:
    """A single bundle is shown under the id it holds, whatever the configuration says; a switch to
    another is refused in words (the reference reported the wrong dataset and always 404s: B6)."""
    shelf = Shelf.of(bundle=folder / file_name("faces"), active="birds")
    assert shelf.current().dataset == "faces"
    assert "active_dataset_id 'birds' is not shown" in shelf.notes[0]
    assert [shown.id for shown in shelf.datasets() if shown.active] == ["faces"]
    with pytest.raises(NotFound, match="only arena_bundle_faces.npz was given"):
        shelf.switch("birds")
    assert shelf.switch("faces").dataset == "faces"


def test_a_misnamed_bundle_is_not_shown(folder: Path) -> None:
    """A file named after one dataset that holds another is refused on a switch (B6)."""
    shelf = Shelf.of(folder, active="birds")
    put(folder / file_name("faces"), (folder / file_name("birds")).read_bytes())
    with pytest.raises(InputError, match="holds dataset 'birds'; it belongs into"):
        shelf.switch("faces")
    assert shelf.current().dataset == "birds"


def test_an_active_dataset_without_a_bundle_is_said_so(folder: Path) -> None:
    """Nothing is downloaded or guessed: the sentence names the file and what is here (B7)."""
    with pytest.raises(InputError, match=r"no dataset 'cats'.*here are: birds, faces"):
        Shelf.of(folder, active="cats")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no bundle to show .*evenhand arena precompute"):
        Shelf.of(folder / "empty")


@pytest.mark.parametrize(
    "bad", ["../faces", "..", "/etc/passwd", "a/b", "", "x" * 200, "a\0b", "*"]
)
def test_ids_that_are_paths_find_nothing(folder: Path, bad: str) -> None:
    """An id with '../' opens no file, wherever it points (S9)."""
    outside = folder / "inside"
    outside.mkdir()
    shutil.copy(folder / file_name("birds"), outside / file_name("birds"))
    shelf = Shelf.of(outside, active="birds")
    with pytest.raises(NotFound):
        shelf.switch(bad)
    assert shelf.get(bad, shelf.current().version) is None


def test_a_rebuilt_bundle_is_taken_up_by_a_switch(folder: Path) -> None:
    """Switching to the dataset that is shown opens its file as it is now; the old one lives on."""
    shelf = Shelf.of(folder, active="birds")
    before = shelf.current()
    assert shelf.switch("birds") is before  # the same contents: encoders stay loaded
    small_bundle(folder, dataset="birds", n_images=25, models=2, seed=9)
    after = shelf.switch("birds")
    assert (after.n_images, before.n_images) == (25, 20)
    assert shelf.get("birds", before.version) is before
    assert bytes(before.thumbnail(19))[:2] == b"\xff\xd8"


def test_a_version_that_is_here_is_opened_for_old_battles(folder: Path) -> None:
    """After a restart, images of battles of another dataset still load."""
    version = Shelf.of(folder, active="faces").current().version
    shelf = Shelf.of(folder, active="birds")
    found = shelf.get("faces", version)
    assert found is not None
    assert found.dataset == "faces"
    assert shelf.get("faces", version) is found
    assert shelf.current().dataset == "birds"


def test_only_recent_bundles_stay_open(folder: Path) -> None:
    """Rebuilding again and again does not keep every version open; the shown one stays."""
    shelf = Shelf.of(folder, active="faces")
    shown = shelf.current()
    versions = []
    for seed in range(10):
        small_bundle(folder, dataset="birds", n_images=3, models=1, seed=seed)
        version = next(s.version for s in shelf.datasets() if s.id == "birds")
        assert version is not None
        versions.append(version)
        assert shelf.get("birds", version) is not None
    assert shelf.get("birds", versions[0]) is None
    assert shelf.get("faces", shown.version) is shown


def test_a_bundle_written_over_in_place_is_noticed(folder: Path) -> None:
    """Copying over an open file gives an error, not a crash or another picture."""
    shelf = Shelf.of(folder, active="birds")
    bundle = shelf.current()
    path = folder / file_name("birds")
    with path.open("r+b") as file:
        file.truncate(1000)
    os.utime(path, (1, 1))
    with pytest.raises(StorageError, match="written over"):
        bundle.thumbnail(0)
    with pytest.raises(StorageError, match="written over"):
        bundle.embeddings("m0")
    with pytest.raises(StorageError, match="written over"):
        (bundle.captions or ())[3]
    assert len(bundle.ranking("m0", "doctor")) == 20


def test_readers_never_see_a_mixture(folder: Path) -> None:
    """While datasets are switched back and forth, every reader's bundle is one whole bundle."""
    shelf = Shelf.of(folder, active="birds")
    sizes = {"birds": 20, "faces": 30}
    wrong: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            bundle = shelf.current()
            last = bundle.thumbnail(sizes[bundle.dataset] - 1)
            if bundle.n_images != sizes[bundle.dataset] or last[:2] != b"\xff\xd8":
                wrong.append(bundle.dataset)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for at in range(12):
        shelf.switch("faces" if at % 2 == 0 else "birds")
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong


def test_neither_or_both_is_a_mistake(folder: Path) -> None:
    """A shelf is a folder or a single bundle."""
    for given in ({}, {"bundles_dir": folder, "bundle": folder / file_name("birds")}):
        with pytest.raises(InputError, match="either a folder of bundles or a single bundle"):
            Shelf.of(**given)
