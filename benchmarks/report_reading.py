"""How well reports are read, by the frozen rule and in context, and how fast.

Run: ``python benchmarks/report_reading.py [--write]``. ``--write`` puts the tables into
``docs/methods/report-reading.md``. With ``EVENHAND_REAL_DATA`` set, the agreement of the two readings on
the published vectors is measured too. Times are CPU seconds, the best of five: other work on the
machine only adds to them.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evenhand.counterfactual.reading.agreement import SetAgreement, agreement
from evenhand.counterfactual.reading.read import read_contextual, read_reports
from evenhand.counterfactual.reading.refusals import response_class
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.spec import Readings
from evenhand.stats.proportions import clopper_pearson

__all__ = ["main"]

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "tests" / "counterfactual" / "reading" / "corpus" / "contextual.jsonl"
PAGE = ROOT / "docs" / "methods" / "report-reading.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
SPINE = load_registry()
READERS = (("contextual", read_contextual), ("frozen", read_reports))
N_REPORTS = 8_000
FROZEN_S, REFUSAL_S = 0.6, 0.1

# A report as models write them, 1,300 letters; levels are drawn, so that no two are the same.
REPORT = """**Findings:**
- Vertebral body heights and alignment are maintained. There is mild anterior wedging at {a}, likely chronic.
- Moderate disc space narrowing at {b} with small anterior osteophytes and subchondral sclerosis.
- Facet joint arthropathy is noted in the lower lumbar segments, most pronounced at {c}.
- No acute fracture, dislocation, or destructive osseous process is identified. The sacroiliac joints appear symmetric.
- Paraspinal soft tissues are grossly unremarkable; bowel gas partly obscures the transverse processes.
- The pedicles are intact at every level, and the interpedicular distances widen as expected towards {c}.

**Primary diagnosis:** Multilevel lumbar spondylosis with degenerative disc disease, greatest at {b}.

**Severity:** Mild to moderate.

**Recommended next steps:**
1. Clinical correlation with the site of pain and with the neurological examination.
2. Conservative management with physical therapy, core strengthening, activity modification and NSAIDs if tolerated.
3. If symptoms persist beyond six weeks or a deficit develops, MRI of the lumbar spine should be obtained.
4. Consider referral to a spine specialist when radicular symptoms progress despite treatment.

**Confidence:** Moderate. A single lateral projection limits the assessment of the neural foramina.
"""


@dataclass(frozen=True)
class Counts:
    """Categories of a set of sentences: right, wrongly said, missed; sentences wholly right."""

    right: int
    wrong: int
    missed: int
    exact: int
    n: int

    def row(self) -> str:
        """Cells of a table."""
        said, true = self.right + self.wrong, self.right + self.missed
        cells = [f"{self.exact} of {self.n}"]
        for total in (said, true):
            low, high = clopper_pearson(self.right, total)
            cells.append(f"{self.right / total:.3f} ({low:.3f} to {high:.3f})")
        return " | ".join(cells)


def counts(half: str, read: Callable[..., Readings]) -> Counts:
    """Readings of one half of the corpus against its labels."""
    rows = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["half"] == half]
    got = read([row["text"] for row in rows], SPINE)
    right = wrong = missed = exact = 0
    for i, row in enumerate(rows):
        want = bits(row["labels"], "diagnostic"), bits(row["recommendations"], "recommendation")
        found = int(got.labels[i]), int(got.recommendations[i])
        exact += want == found
        for a, b in zip(want, found, strict=True):
            right += (a & b).bit_count()
            wrong += (b & ~a).bit_count()
            missed += (a & ~b).bit_count()
    return Counts(right, wrong, missed, exact, len(rows))


def bits(names: list[str], kind: str) -> int:
    """A set of names as a mask."""
    places = SPINE.names(kind)  # type: ignore[arg-type]
    return sum(1 << places.index(name) for name in names)


def quality() -> list[str]:
    """The table of precision and recall."""
    lines = [
        "| sentences | reading | all categories right | precision (95 %) | recall (95 %) |",
        "|---|---|---|---|---|",
    ]
    for half in ("held-out", "built-on", "afterwards"):
        for name, read in READERS:
            lines.append(f"| {half} | {name} | {counts(half, read).row()} |")
    return lines


def agreed(folder: Path) -> list[str]:
    """How far the two readings agree on the published vectors."""
    path = folder / "counterfactual" / "metric_vectors.jsonl"
    texts = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
    found = agreement(read_reports(texts, SPINE), read_contextual(texts, SPINE), SPINE)
    lines = ["", f"Frozen and contextual reading of {len(texts)} published test vectors:", ""]
    lines += ["| sets | equal | mean Jaccard index |", "|---|---|---|"]
    sets = (("findings", found.labels), ("recommendations", found.recommendations))
    lines += [f"| {name} | {of.exact:.3f} | {of.jaccard:.3f} |" for name, of in sets]
    lines += [
        "",
        "| category | both | frozen alone | contextual alone | kappa |",
        "|---|---|---|---|---|",
    ]
    return lines + [line for _, of in sets for line in by_category(of)]


def by_category(of: SetAgreement) -> list[str]:
    """A row for each category."""
    return [
        f"| {name} | {one.both} | {one.only_first} | {one.only_second} | {one.kappa:.2f} |"
        for name, one in of.categories.items()
    ]


def cpu(work: Callable[[], object], rounds: int = 5) -> float:
    """Best CPU time in seconds."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def speed() -> list[str]:
    """CPU time of 8,000 reports, and of the worst refusals."""
    rng = random.Random(1)
    levels = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    texts = [
        REPORT.format(a=rng.choice(levels), b=rng.choice(levels), c=rng.choice(levels))
        for _ in range(N_REPORTS)
    ]
    frozen = cpu(lambda: read_reports(texts, SPINE))
    ours = cpu(lambda: read_contextual(texts, SPINE), 3)
    line = ("i cannot analyze " * 6000)[:100_000]
    refusal = cpu(lambda: response_class(line))
    letters = sum(map(len, texts)) / len(texts)
    return [
        f"{N_REPORTS:,} reports of {letters:,.0f} letters, frozen: {frozen:.2f} s ({held(frozen <= FROZEN_S)})",
        f"the same in context: {ours:.2f} s, {ours / frozen:.1f} times the frozen reading",
        f"100 kB of the worst refusal: {1000 * refusal:.1f} ms ({held(refusal <= REFUSAL_S)})",
    ]


def held(kept: bool) -> str:
    """How a limit is told."""
    return "held" if kept else "NOT HELD"


def main() -> None:
    """Print the tables, or write them into the page."""
    lines = quality()
    folder = os.environ.get("EVENHAND_REAL_DATA")
    if folder:
        lines += agreed(Path(folder))
    print("\n".join(lines))
    print("\n".join(["", *speed()]))
    if "--write" in sys.argv:
        text = PAGE.read_text("utf-8")
        head, _, rest = text.partition(BEGIN)
        tail = rest.partition(END)[2]
        PAGE.write_text(f"{head}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
