"""What opening, reading and switching cost."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.bundles.shelf import Shelf
from evenhand.arena.bundles.write import write_bundle
from support.bundles import small_bundle, small_contents, unit_rows

PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb() -> float:
    """Memory of this process now, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def pictures(n: int) -> Iterator[bytes]:
    """Twenty thousand bytes each, which do not shrink."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield b"\xff\xd8\xff" + rng.bytes(20_000) + b"\xff\xd9"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 20 MB."""
    n, rng = 900, np.random.default_rng(0)
    made = small_contents(dataset="large", n_images=2, models=2)
    models = [replace(model, embeddings=unit_rows(rng, n, 1024),
                      query_embeddings=unit_rows(rng, 3, 1024)) for model in made.models]  # fmt: skip
    path = tmp_path_factory.mktemp("large") / file_name("large")
    contents = replace(
        made, models=models, thumbnails=pictures(n), image_ids=None, captions=None, attributes={}
    )
    write_bundle(path, contents)
    return path


def test_opening_takes_neither_time_nor_memory(large: Path) -> None:
    """Opening 20 MB takes milliseconds and a fraction of its size in memory (the reference
    inflated everything: 3 s and 506 MiB for 230 MB, W4)."""
    assert large.stat().st_size > 20e6
    open_bundle(large)
    before = resident_mb()
    times, kept = [], []
    for _ in range(10):
        begun = time.perf_counter()
        kept.append(open_bundle(large))
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.05
    assert resident_mb() - before < 5


def test_reading_pictures_keeps_nothing(large: Path) -> None:
    """Every picture read once leaves no more memory behind than a few pictures weigh."""
    bundle = open_bundle(large)
    bundle.thumbnail(0)
    before = resident_mb()
    assert sum(len(bundle.thumbnail(at)) for at in range(bundle.n_images)) == 900 * 20_005
    assert resident_mb() - before < 5


def slow_to_open(path: Path, large: Path) -> None:
    """The large bundle as Fairness Arena would have written it: deflated, rankings as JSON."""
    bundle = open_bundle(large)
    rankings = {
        model: {
            query: {"indices": bundle.ranking(model, query).tolist(),
                    "similarities": bundle.similarities(model, query).tolist()}
            for query in bundle.queries
        }
        for model in bundle.models
    }  # fmt: skip
    with np.load(large) as found:
        arrays = {
            name: found[name]
            for name in ("config_json", "queries_json", "model_ids_json", "dataset_id",
                         "n_images", "thumbnail_offsets", "thumbnail_bytes")
        }  # fmt: skip
    arrays["retrievals_json"] = np.array([json.dumps(rankings)])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in arrays.items():
            content = io.BytesIO()
            np.save(content, values)
            archive.writestr(f"{name}.npy", content.getvalue())


def test_a_switch_stalls_nobody(large: Path, tmp_path: Path) -> None:
    """While a bundle that has to be inflated is opened, pictures of the shown one come as ever
    (the reference stood still for 4.4 s: W5)."""
    small_bundle(tmp_path, dataset="birds")
    slow_to_open(tmp_path / file_name("large"), large)
    shelf = Shelf.of(tmp_path, active="birds")
    switching = threading.Thread(target=shelf.switch, args=("large",))
    switching.start()
    served = 0
    while switching.is_alive():
        served += len(shelf.current().thumbnail(served % 60)) > 0
    switching.join()
    assert served > 20
    assert shelf.current().dataset == "large"
    assert len(shelf.current().thumbnail(899)) == 20_005
