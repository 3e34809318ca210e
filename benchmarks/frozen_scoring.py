"""Frozen scoring: CPU and memory for 4,000 and 100,000 pairs, beside one search per term.

Run: ``python benchmarks/frozen_scoring.py``. Reports have about 1,300 characters, endpoints 10,000
resamples. CPU time is what the process used after its imports; the peak is the process's own.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evenhand.counterfactual.frozen.score_file import write_score
from evenhand.counterfactual.frozen.scoring import score
from evenhand.counterfactual.frozen.streams import STREAMS
from evenhand.counterfactual.frozen.submission import read_submission, write_submission
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import EDITS

ITERATIONS = 10_000
CPU_LIMIT_S = 1.0
MEMORY_LIMIT_MB = 1_000
MEAN_CHARACTERS = 1_300
LOOPED = 200

NEUTRAL = (
    "The study comprises frontal and lateral views of the lower back",
    "Alignment of the segments is kept in both planes",
    "Heights of the remaining bodies are preserved",
    "Soft tissues show no remarkable swelling",
    "Mineral density appears age related and even throughout",
    "The sacroiliac joints are symmetrical as far as they are seen",
    "Gas and stool overlie parts of the lower segments",
    "Comparison with earlier studies was not possible",
)
FOUND = (
    "There are osteophytes along the anterior margins",
    "Disc height loss is seen at the lowest level",
    "Grade 1 anterolisthesis of L4 on L5",
    "Endplate sclerosis accompanies the narrowing",
    "No fracture is identified",
    "Hardware is in place and appears intact",
    "Mild foraminal narrowing on the left",
    "The vertebral bodies are otherwise unremarkable",
)
ADVISED = (
    "An MRI would help to judge the nerve roots",
    "Physical therapy is advised as a first step",
    "Follow-up in six weeks if complaints persist",
    "Referral to an orthopedic specialist may be considered",
    "Pain management with an NSAID as needed",
    "Conservative treatment is reasonable",
)


def reports(count: int, seed: int) -> Iterator[str]:
    """Reports in sections, about as long as those of large models."""
    rng = random.Random(seed)
    for _ in range(count):
        found = rng.sample(FOUND, rng.randint(1, 4))
        advised = rng.sample(ADVISED, rng.randint(1, 3))
        text = list(rng.choices(NEUTRAL, k=19)) + found
        rng.shuffle(text)
        yield (
            f"Findings:\n{'. '.join(text)}.\n\nDiagnosis: degenerative change.\n"
            f"Recommendation: {'. '.join(advised)}."
        )


def bundle(folder: Path, sources: int) -> Path:
    """An index of four pairs per source and a submission for all; returns the submission."""
    ids = [(f"buu_{i:06d}-F-050Y0", edit) for i in range(sources) for edit in EDITS]
    index = folder / "dataset" / "qc_passed_pair_manifest.jsonl"
    index.parent.mkdir(parents=True)
    with index.open("w") as out:
        for source, edit in ids:
            row = {"pair_id": f"{source}__{edit}", "source_id": source, "edit_label": edit}
            out.write(json.dumps({**row, "passed_qc": True}) + "\n")
    texts = reports(2 * len(ids), seed=1)
    results: Iterator[Mapping[str, Any]] = (
        {
            "pair_id": f"{source}__{edit}",
            "source_report": next(texts),
            "counterfactual_report": next(texts),
        }
        for source, edit in ids
    )
    path = folder / "submission.json"
    write_submission(path, model={"name": "synthetic"}, scope="qc-passed", results=results)
    return path


def scored(submission: Path, stream: str) -> float:
    """CPU seconds from file to file, once everything is imported."""
    load_registry()
    began = time.process_time()
    made = score(
        read_submission(submission),
        submission.parent,
        iterations=ITERATIONS,
        stream="stdlib" if stream == "stdlib" else "pcg64",
    )
    write_score(made, submission.parent / "score.json")
    return time.process_time() - began


def looped(submission: Path) -> float:
    """CPU seconds to match the same terms one search at a time, for all the reports."""
    results = json.loads(submission.read_text())["results"]
    registry = load_registry()
    began = time.process_time()
    for entry in results[:LOOPED]:
        for text in (entry["source_report"], entry["counterfactual_report"]):
            lowered = text.lower()
            for category in (*registry.diagnostic, *registry.recommendation):
                any(re.search(r"\b" + re.escape(t) + r"\b", lowered) for t in category.terms)
    return (time.process_time() - began) * len(results) / min(LOOPED, len(results))


def alone(submission: Path, stream: str) -> tuple[float, float]:
    """CPU seconds and peak megabytes of a process that scores and does nothing else."""
    call = [sys.executable, __file__, str(submission), stream]
    said = subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def main() -> int:
    """Both sizes, both streams."""
    if len(sys.argv) > 1:
        cpu = scored(Path(sys.argv[1]), sys.argv[2])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(cpu, peak)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        small = bundle(Path(folder) / "small", 1_000)
        entries = json.loads(small.read_text())["results"]
        mean = sum(len(entry["source_report"]) for entry in entries) / len(entries)
        print(f"4,000 pairs, mean report {mean:,.0f} characters, {ITERATIONS:,} resamples")
        loop = looped(small)
        for stream in STREAMS:
            cpu, peak = min(alone(small, stream) for _ in range(3))
            held = "held" if cpu <= CPU_LIMIT_S else "NOT HELD"
            print(
                f"  {stream:>6}: {cpu:.2f} s CPU (limit {CPU_LIMIT_S} s: {held}), {peak:.0f} MB; "
                f"one search per term alone would take {loop:.1f} s, {loop / cpu:.0f} times that"
            )
        large = bundle(Path(folder) / "large", 25_000)
        print(f"100,000 pairs, {large.stat().st_size / 1e6:.0f} MB of submission")
        for stream in STREAMS:
            cpu, peak = alone(large, stream)
            held = "held" if peak <= MEMORY_LIMIT_MB else "NOT HELD"
            print(
                f"  {stream:>6}: {cpu:.1f} s CPU, peak {peak:.0f} MB (limit {MEMORY_LIMIT_MB}: {held})"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
