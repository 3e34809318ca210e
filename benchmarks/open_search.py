"""The exact first 50 of a million images, beside one float32 matrix-vector product over them.

    python benchmarks/open_search.py [--images 1000000] [--dim 512] [--memory 0,128,256,512] [--repeats 9]

The embeddings lie in a file as float16, as in a bundle. For each memory: how long the index took,
what it takes, the median time of a search, and its ratio to the product, measured in turns so
that a neighbour's load falls on both. Every answer is held against a full stable sort.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evenhand.arena.config import Rules
from evenhand.arena.search.exact import exact_similarities
from evenhand.arena.search.index import Index

TOP = 50


def rows_in_a_file(path: Path, n: int, dim: int) -> np.ndarray:
    """Directions around a common one, as images' embeddings are, as float16."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal(dim, dtype=np.float32)
    common /= np.linalg.norm(common)
    out = np.lib.format.open_memmap(path, "w+", np.float16, (n, dim))
    for at in range(0, n, 50_000):
        block = rng.standard_normal((min(50_000, n - at), dim), dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        block = 0.6 * common + 0.8 * block
        out[at : at + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()
    return np.load(path, mmap_mode="r")


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--memory", default="0,128,256,512")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument(
        "--unchecked", action="store_true", help="Do not hold against a full sort."
    )
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        halves = rows_in_a_file(Path(folder) / "rows.npy", asked.images, asked.dim)
        wide = np.empty(halves.shape, np.float32)
        for at in range(0, len(wide), 50_000):
            wide[at : at + 50_000] = halves[at : at + 50_000]
        vectors = [rng.standard_normal(asked.dim).astype("f4") for _ in range(3)]
        vectors = [vector / np.linalg.norm(vector) for vector in vectors]
        vectors.append(wide[asked.images // 2].copy())
        truth = []
        for vector in [] if asked.unchecked else vectors:
            alike = exact_similarities(halves, vector)
            truth.append(np.argsort(-alike, kind="stable")[:TOP].tolist())
        for memory in map(float, asked.memory.split(",")):
            made: list[Index] = []
            built = seconds(lambda m=memory, k=made: k.append(Index.of(halves, memory_mb=m)))
            (index,) = made
            for vector, wanted in zip(vectors, truth, strict=False):
                assert index.top(vector, TOP)[0].tolist() == wanted
            searches, products = [], []
            for _ in range(asked.repeats):
                for vector in vectors:
                    products.append(seconds(lambda v=vector: wide @ v))
                    searches.append(seconds(lambda v=vector, i=index: i.top(v, TOP)))
            search, product = statistics.median(searches), statistics.median(products)
            print(
                f"memory {memory:5.0f} MiB given, {index.memory_bytes / 2**20:5.0f} taken, "
                f"made in {built:4.1f} s: search {1e3 * search:6.1f} ms (best "
                f"{1e3 * min(searches):.1f}), product {1e3 * product:6.1f} ms (best "
                f"{1e3 * min(products):.1f}), ratio {search / product:.2f} "
                f"(best {min(searches) / min(products):.2f})"
            )
            if memory == Rules().index_memory_mb:
                held = "held" if search <= 2 * product else "NOT HELD"
                print(f"  the default: limit twice the product's time: {held}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB, of which the float32 rows {wide.nbytes / 2**20:.0f}")


if __name__ == "__main__":
    main()
