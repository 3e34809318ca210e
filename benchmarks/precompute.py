"""How fast precompute goes, and that its memory does not grow with the dataset.

    python benchmarks/precompute.py [IMAGES ...]

Draws JPEG photographs of 640 x 480 random blotches, precomputes each number of them with a shipped
encoder in a process of its own, and prints images per second, processor time and
peak resident memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WORK = """
import json, resource, sys, time
from pathlib import Path
from evenhand.arena.config import config_of
from evenhand.arena.precompute.run import Options, precompute
folder, n = Path(sys.argv[1]), int(sys.argv[2])
config = config_of({
    "models": [{"id": "shipped", "backend": "onnx", "path": "portraits-balanced"}],
    "datasets": [{"id": "photos", "folder_path": str(folder / "photos"), "max_images": n}],
}, where="benchmark")
began = time.perf_counter()
made = precompute(config, ["a doctor", "a nurse"], config.datasets, Options(bundles_dir=folder / "out"))
took = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"images": made[0].n_images, "s": took, "cpu_s": time.process_time(), "peak_mib": peak,
                  "bundle_mb": made[0].path.stat().st_size / 1e6}))
"""


def draw(folder: Path, n: int) -> None:
    """``n`` JPEGs of 640 x 480."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for at in range(n):
        blotches = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(blotches).resize((640, 480), Image.Resampling.BICUBIC)
        image.save(folder / f"{at:06}.jpg", quality=85)


def main() -> None:
    """Print one line per size."""
    sizes = [int(word) for word in sys.argv[1:]] or [1000, 10_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        draw(folder / "photos", max(sizes))
        print(f"drew {max(sizes):,} photographs in {time.perf_counter() - began:.0f} s")
        for n in sizes:
            done = subprocess.run(
                [sys.executable, "-c", WORK, name, str(n)],
                capture_output=True,
                text=True,
                check=True,
            )
            found = json.loads(done.stdout)
            print(
                f"{found['images']:>7,} images: {found['s']:7.1f} s, "
                f"{found['images'] / found['s']:6.0f}/s ({found['cpu_s']:.1f} s of processor), peak {found['peak_mib']:.0f} MiB, "
                f"bundle {found['bundle_mb']:.0f} MB"
            )


if __name__ == "__main__":
    main()
