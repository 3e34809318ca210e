"""How often 95 % intervals about image pairs hold the truth, and how often tests reject by chance.

``python benchmarks/coverage_image_pairs.py`` prints the tables of
docs/decisions/counterfactual-inference.md (``--sets`` simulated sets behind each figure, 4,000
unless told; about ten minutes). Sets come from tests/support/planted_pairs.py: noise switches
categories afresh in every report, flips belong to a source and an edit. ``estimates`` are the
package's own; ``held`` and ``rejected`` give one row each, for tests to call.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from evenhand.counterfactual.analysis.categories import category_rows
from evenhand.counterfactual.analysis.changes import (
    edit_contrasts,
    group_contrasts,
    level_contrast,
    rate_rows,
)
from evenhand.counterfactual.analysis.couples import level_couples
from evenhand.counterfactual.analysis.outcomes import outcomes_of, read_as
from evenhand.counterfactual.analysis.parts import parts_of
from evenhand.counterfactual.analysis.readings import PairReadings, jaccard, sizes
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.spec import FULL_REFUSAL
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference
from support.planted_pairs import FLIPPED, Design, Planted, noise_floor, registry_of

__all__ = [
    "DESIGNS",
    "EFFECT",
    "EXACT",
    "NULL",
    "estimates",
    "held",
    "main",
    "rejected",
    "truths",
]

Name = tuple[str, str | None]

EFFECT = Planted(
    flip={"elderly_male": 0.3, "elderly_female": 0.15, "young_male": 0.1},
    label_flip={"elderly_male": 0.4}, noise=0.1, source_refused=0.05, failed=0.02,
    refused={"elderly_male": 0.2, "elderly_female": 0.1, "young_male": 0.1, "young_female": 0.05},
)  # fmt: skip
"""What is planted for coverage."""

NULL = Planted(noise=0.1, refused=0.1, source_refused=0.1, failed=0.02)
"""No effect of any edit; noise, refusals and failures as everywhere."""

EXACT = ("net_added_rate", "category_rate_difference", "refusal_rate_difference")
"""Tested by exact sign flips, which reject at most as often as they say."""

_REGISTRY = registry_of(1, 1)

DESIGNS: Mapping[str, Design] = {
    "25 sources": Design(sources=25, registry=_REGISTRY),
    "100 sources": Design(sources=100, registry=_REGISTRY),
    "100 sources, one source report": Design(sources=100, copied=True, registry=_REGISTRY),
    "100 sources, 30 % of pairs missing": Design(sources=100, left_out=0.3, registry=_REGISTRY),
}


def estimates(readings: PairReadings) -> dict[Name, Estimate]:
    """The estimates whose intervals and tests are judged, by name and group."""
    rows = Rows(Inference(), "planted", None, 0.05)
    read = read_as(readings, "frozen")
    changed, alike = outcomes_of(read)[:2]
    parts = {part.group: part for part in parts_of(readings)}
    for part in (parts[None], parts["elderly_male"]):
        for outcome in (changed, alike):
            rate_rows(rows, read, part, outcome)
    there = read.usable
    for couples in level_couples(readings):
        for name, outcome in _CONTRASTS:
            values = changed.values if outcome == 0 else alike.values
            level_contrast(rows, read, couples, name, values, there)
        refused = (read.counterfactual.response == FULL_REFUSAL).astype(float)
        came = read.counterfactual.response <= FULL_REFUSAL
        level_contrast(rows, read, couples, "refusal_rate_difference", refused, came, exact=True)
    edit_contrasts(rows, read, _CONTRASTS[0][0], changed.values, there)
    group_contrasts(rows, read, _CONTRASTS[0][0], changed.values, there)
    category_rows(rows, read, kinds=("whole",))
    return {(e.name, e.group): e for e in rows.findings.estimates}


_CONTRASTS = (("recommendation_change_difference", 0), ("diagnostic_consistency_difference", 1))


def truths(design: Design, planted: Planted) -> dict[Name, float]:
    """What the estimates are of: by formula from flips, noise and refusals."""
    floor = noise_floor(planted, design.registry)
    edits = design.edits
    flip = {e: _rate(planted.flip, e) for e in edits}
    change = {e: (1 - flip[e]) * floor + flip[e] for e in edits}
    alike = _alike(design, planted)
    refused = {e: _rate(planted.refused, e) / (1 - planted.failed) for e in edits}
    # Rates of the whole are over usable pairs, of which an edit that is refused more has fewer.
    lost = {e: _rate(planted.refused, e) + planted.failed for e in edits}
    found: dict[Name, float] = {
        ("recommendation_change_rate", None): _usable_mean(change, lost),
        ("recommendation_change_rate", "elderly_male"): change["elderly_male"],
        ("diagnostic_consistency", None): _usable_mean(alike, lost),
        ("diagnostic_consistency", "elderly_male"): alike["elderly_male"],
        ("net_added_rate", FLIPPED): _usable_mean(flip, lost),
        ("net_added_rate", "surgery"): 0.0,
        ("added_rate", "surgery"): planted.noise * (1 - planted.noise),
        ("category_rate_difference", "surgery: elderly"): 0.0,
        ("category_rate_difference", "surgery: male"): 0.0,
    }
    known = {level for edit in edits for level in edit.split("_")}
    for level, base in (("elderly", "young"), ("male", "female")):
        if not {level, base} <= known:
            continue
        apart = {
            "recommendation_change_difference": change,
            "diagnostic_consistency_difference": alike,
            "refusal_rate_difference": refused,
        }
        for name, by_edit in apart.items():
            found[name, level] = _mean(by_edit, level) - _mean(by_edit, base)
        found["category_rate_difference", f"{FLIPPED}: {level}"] = _mean(flip, level) - _mean(
            flip, base
        )
    for edit in edits:
        others = [change[e] for e in edits if e != edit]
        found["recommendation_change_difference", edit] = change[edit] - float(np.mean(others))
    found["recommendation_change_difference", "dataset one"] = 0.0
    found["recommendation_change_difference", "dataset two"] = 0.0
    found["recommendation_change_difference", "stratum finding"] = 0.0
    return found


def _rate(rates: float | Mapping[str, float], edit: str) -> float:
    return rates if isinstance(rates, float) else rates.get(edit, 0.0)


def _mean(by_edit: Mapping[str, float], level: str) -> float:
    """Over the edits of one level."""
    return float(np.mean([v for edit, v in by_edit.items() if level in edit.split("_")]))


def _usable_mean(by_edit: Mapping[str, float], lost: Mapping[str, float]) -> float:
    """Over usable pairs, of which an edit loses this share."""
    kept = {edit: 1 - lost[edit] for edit in by_edit}
    return sum(by_edit[edit] * kept[edit] for edit in by_edit) / sum(kept.values())


def _alike(design: Design, planted: Planted) -> dict[str, float]:
    """Expected label overlap by edit: every base, and every noise in both reports, weighted."""
    width = len(design.registry.diagnostic) - 1
    sets = np.arange(2**width, dtype=np.uint64)
    size = sizes(sets)
    base = planted.held**size * (1 - planted.held) ** (width - size)
    noise = planted.noise**size * (1 - planted.noise) ** (width - size)
    weight = base[:, None, None] * noise[None, :, None] * noise[None, None, :]
    one = np.broadcast_to(sets[:, None, None] ^ sets[None, :, None], weight.shape)
    other = np.broadcast_to(sets[:, None, None] ^ sets[None, None, :], weight.shape)
    plain, flipped = (
        float((weight * jaccard(one.copy(), other | added)).sum())
        for added in (np.uint64(0), np.uint64(1) << np.uint64(width))
    )
    rates = {edit: _rate(planted.label_flip, edit) for edit in design.edits}
    return {edit: (1 - rate) * plain + rate * flipped for edit, rate in rates.items()}


def _draws(design: Design, planted: Planted, sets: int, seed: int) -> Iterator[PairReadings]:
    rng = np.random.default_rng([seed, design.sources])
    frame = design.frame()
    for _ in range(sets):
        yield design.draw(planted, rng, frame)


def held(design: Design, planted: Planted, *, sets: int, seed: int) -> dict[Name, float]:
    """Share of sets whose 95 % interval holds the truth, of those that have one."""
    truth = truths(design, planted)
    count = dict.fromkeys(truth, 0)
    seen = dict.fromkeys(truth, 0)
    for readings in _draws(design, planted, sets, seed):
        found = estimates(readings)
        for name in truth:
            estimate = found.get(name)
            if estimate is None or estimate.low is None or estimate.high is None:
                continue
            seen[name] += 1
            count[name] += estimate.low <= truth[name] <= estimate.high
    return {name: count[name] / seen[name] for name in truth if seen[name] > sets / 2}


def rejected(design: Design, planted: Planted, *, sets: int, seed: int) -> dict[Name, float]:
    """Share of sets in which each test rejects at 5 %; untested rows count as not rejected."""
    count: dict[Name, int] = {}
    for readings in _draws(design, planted, sets, seed):
        for name, estimate in estimates(readings).items():
            if estimate.p is not None:
                count[name] = count.get(name, 0) + int(estimate.p <= 0.05)
    return {name: hits / sets for name, hits in count.items()}


def _lines(columns: Mapping[str, Mapping[Name, float]], low: float, high: float) -> Iterator[str]:
    yield f"| estimate | {' | '.join(columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    names = dict.fromkeys(name for column in columns.values() for name in column)
    for name, group in names:
        cells = []
        for column in columns.values():
            rate = column.get((name, group))
            text = "" if rate is None else f"{100 * rate:.1f}"
            least = 0.0 if name in EXACT and high < 0.5 else low
            off = rate is not None and not least <= rate <= high
            cells.append(f"**{text}**" if off else text)
        label = name if group is None else f"{name}, {group}"
        yield f"| {label} | {' | '.join(cells)} |"


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=2026)
    chosen = parser.parse_args()
    print("95 % intervals that hold the truth, % of sets\n")
    columns = {
        name: held(design, EFFECT, sets=chosen.sets, seed=chosen.seed)
        for name, design in DESIGNS.items()
    }
    for line in _lines(columns, 0.93, 0.97):
        print(line, flush=True)
    print("\nRejected at 5 % with no effect, % of sets\n")
    columns = {
        name: rejected(design, NULL, sets=chosen.sets, seed=chosen.seed)
        for name, design in DESIGNS.items()
    }
    for line in _lines(columns, 0.04, 0.06):
        print(line, flush=True)


if __name__ == "__main__":
    main()
