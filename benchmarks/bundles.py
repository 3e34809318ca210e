"""Opening, writing and switching bundles, beside a deflated npz of the same contents.

    python benchmarks/bundles.py [--images 10000] [--models 4] [--dim 512] [--picture-kb 23]

Writes a bundle of so many images, then in a child process each: opens it five times and says the
best and the worst time, and by how much the peak memory grew; reads the same arrays from a
deflated npz as Fairness Arena does; and switches datasets while another thread reads pictures as
fast as it can, with the longest that a picture took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evenhand.arena.bundles.contents import BundleContents, ModelContents
from evenhand.arena.bundles.layout import file_name
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.bundles.shelf import Shelf
from evenhand.arena.bundles.write import write_bundle


def unit_rows(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    """Random directions."""
    rows = rng.standard_normal((n, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pictures(n: int, size: int) -> Iterator[bytes]:
    """What begins and ends as JPEG, and shrinks as little."""
    rng = np.random.default_rng(1)
    for _ in range(n):
        yield b"\xff\xd8\xff\xe0" + rng.bytes(size - 6) + b"\xff\xd9"


def contents(dataset: str, asked: argparse.Namespace, seed: int) -> BundleContents:
    """A dataset as large as asked for."""
    rng = np.random.default_rng(seed)
    return BundleContents(
        dataset=dataset,
        models=[
            ModelContents(
                id=f"m{at}",
                embeddings=unit_rows(rng, asked.images, asked.dim),
                query_embeddings=unit_rows(rng, 20, asked.dim),
            )
            for at in range(asked.models)
        ],
        queries=[f"query {at}" for at in range(20)],
        thumbnails=pictures(asked.images, asked.picture_kb * 1000),
        captions=[f"caption of {at}" for at in range(asked.images)],
    )


def peak_mb() -> float:
    """Peak resident memory of this program, MiB; what was mapped and read counts, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def opening(path: Path) -> dict[str, float]:
    """Time and memory of opening, and of showing one battle."""
    before = peak_mb()
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        bundle = open_bundle(path)
        times.append(time.perf_counter() - begun)
    opened = peak_mb()
    for model in bundle.models[:2]:
        for at in bundle.ranking(model, "query 3")[:12]:
            bundle.thumbnail(int(at))
    return {
        "best_ms": 1e3 * min(times),
        "worst_ms": 1e3 * max(times),
        "opening_grew_mb": opened - before,
        "a_battle_grew_mb": peak_mb() - opened,
    }


def inflating(path: Path) -> dict[str, float]:
    """The same arrays from a deflated npz, all read."""
    before, begun = peak_mb(), time.perf_counter()
    with np.load(path, allow_pickle=False) as found:
        kept = {name: found[name] for name in found.files}
    took = time.perf_counter() - begun
    return {"ms": 1e3 * took, "grew_mb": peak_mb() - before, "arrays": len(kept)}


def switching(folder: Path) -> dict[str, float]:
    """Switches while pictures are read."""
    shelf, stop, waits = Shelf.of(folder, active="one"), threading.Event(), [0.0]

    def read() -> None:
        at = 0
        while not stop.is_set():
            begun = time.perf_counter()
            bundle = shelf.current()
            bundle.thumbnail(at % bundle.n_images)
            waits.append(time.perf_counter() - begun)
            at += 7

    reader = threading.Thread(target=read)
    reader.start()
    times = []
    for at in range(20):
        begun = time.perf_counter()
        shelf.switch("two" if at % 2 == 0 else "one")
        times.append(time.perf_counter() - begun)
    stop.set()
    reader.join()
    return {
        "switch_ms": 1e3 * statistics.median(times),
        "worst_switch_ms": 1e3 * max(times),
        "pictures": len(waits),
        "worst_picture_ms": 1e3 * max(waits),
    }


def in_a_child(what: str, path: Path) -> dict[str, float]:
    """Run one measurement in a fresh process."""
    words = [sys.executable, __file__, "--child", what, str(path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--picture-kb", type=int, default=23)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        work = {"open": opening, "inflate": inflating, "switch": switching}[asked.child[0]]
        print(json.dumps(work(Path(asked.child[1]))))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for dataset, seed in (("one", 0), ("two", 1)):
            made = contents(dataset, asked, seed)
            before, begun = peak_mb(), time.perf_counter()
            write_bundle(folder / file_name(dataset), made)
            took = time.perf_counter() - begun
            size = (folder / file_name(dataset)).stat().st_size / 1e6
            print(f"wrote {size:.0f} MB in {took:.1f} s, {peak_mb() - before:.0f} MB more memory")
        with np.load(folder / file_name("one")) as found:
            np.savez_compressed(folder / "deflated.npz", **{k: found[k] for k in found.files})
        for what, path in (
            ("open", folder / file_name("one")),
            ("inflate", folder / "deflated.npz"),
            ("switch", folder),
        ):
            told = in_a_child(what, path)
            print(what, ", ".join(f"{key} {value:.1f}" for key, value in told.items()))


if __name__ == "__main__":
    main()
