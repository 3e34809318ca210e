"""The noise floor: distances among reports, excess over the floor, and its intervals."""

from __future__ import annotations

import importlib.util
import math
import sys
import time
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.counterfactual.analysis.noise import NAMES, NO_FLOOR, noise_name, noise_rows
from evenhand.counterfactual.analysis.noise_distance import (
    Distance,
    across,
    differing,
    dissimilarity,
    within,
)
from evenhand.counterfactual.analysis.noise_interval import (
    METHOD,
    agreement_of,
    excess_interval,
    excess_p,
    share_interval,
)
from evenhand.counterfactual.analysis.outcomes import read_as
from evenhand.counterfactual.analysis.readings import PairReadings, RequeryReadings, codes_of
from evenhand.counterfactual.analysis.rows import Rows
from evenhand.counterfactual.spec import Category, PairReports, Readings, Registry
from evenhand.stats.estimate import Estimate
from evenhand.stats.findings import Inference, finish
from evenhand.stats.resample import cluster_estimate, ratio

ROOT = Path(__file__).parents[3]
REGISTRY = Registry(
    id="toy",
    version="1",
    diagnostic=tuple(Category(f"d{i}", (f"term{i}",)) for i in range(8)),
    recommendation=tuple(Category(f"r{i}", (f"word{i}",)) for i in range(8)),
    edits={
        f"{age}_{sex}": {"age": age, "sex": sex}
        for age in ("young", "elderly")
        for sex in ("female", "male")
    },
)
# Source, edit, set in the source report, set in the counterfactual report.
Row = tuple[str, str, int, int]


def read_sets(sets: list[int], response: list[int] | None = None) -> Readings:
    """Readings with one set for both kinds."""
    masks = np.array(sets, dtype=np.uint64)
    return Readings(masks, masks, np.array(response or [0] * len(sets), dtype=np.int8))


def paired(
    rows: list[Row],
    *,
    more: list[tuple[str, int]] | None = None,
    edited: list[tuple[str, str, int]] | None = None,
    responses: dict[int, int] | None = None,
    floor: bool = True,
) -> PairReadings:
    """Readings of pairs whose own source reports are repeats.

    ``more``: further reports on source images; ``edited``: on counterfactual ones; ``responses``:
    response class of the source report of a row.
    """
    sources, source = codes_of([row[0] for row in rows])
    edits, edit = codes_of([row[1] for row in rows])
    said = [(responses or {}).get(i, 0) for i in range(len(rows))]
    of_source = read_sets([row[2] for row in rows], said)
    of_other = read_sets([row[3] for row in rows])
    again = more or []
    repeats = RequeryReadings(
        source=np.array([*source.tolist(), *(sources.index(name) for name, _ in again)]),
        readings=read_sets(
            [row[2] for row in rows] + [value for _, value in again], said + [0] * len(again)
        ),
    )
    on_edited = None
    if edited:
        on_edited = RequeryReadings(
            source=np.array([sources.index(s) for s, _, _ in edited]),
            readings=read_sets([value for _, _, value in edited]),
            edit=np.array([edits.index(e) for _, e, _ in edited]),
        )
    return PairReadings(
        subject="m",
        origin="toy",
        registry=REGISTRY,
        pairs=tuple(PairReports(f"{s}__{e}", s, e, "", "") for s, e, _, _ in rows),
        sources=sources,
        source=source,
        edits=edits,
        edit=edit,
        datasets=(),
        dataset=np.full(len(rows), -1),
        strata=(),
        stratum=np.full(len(rows), -1),
        of_source=of_source,
        of_counterfactual=of_other,
        contextual_source=of_source,
        contextual_counterfactual=of_other,
        requeries=repeats if floor else None,
        counterfactual_requeries=on_edited,
    )


def estimated(
    readings: PairReadings, *, interval: str = "t", tested: bool = True
) -> tuple[dict[tuple[str, str | None], Estimate], list[str]]:
    """The rows by name and group, and the notes."""
    inference = Inference(interval=interval, draws=200)  # type: ignore[arg-type]
    rows = Rows(inference, "m", None, 0.05, "frozen", tested=tested)
    noise_rows(rows, read_as(readings, "frozen"))
    assert len(rows.about) == len(rows.findings.estimates)
    result = finish([rows.findings], [])
    found = {(e.name, e.group): e for e in result.estimates}
    assert len(found) == len(result.estimates)
    return found, list(result.notes)


def simulated_rows(sources: int, *, seed: int, flip: float = 0.0) -> list[Row]:
    """Reports that draw one of five sets each; a flip adds one that no other report has."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(sources):
        for edit in REGISTRY.edits:
            flipped = 128 if rng.random() < flip else 0
            first, second = rng.integers(1, 6, 2).tolist()
            rows.append((f"s{s:04d}", edit, first, second + flipped))
    return rows


def benchmark() -> ModuleType:
    """The script that prints the decision's tables."""
    spec = importlib.util.spec_from_file_location(
        "noise_floor", ROOT / "benchmarks" / "noise_floor.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["noise_floor"] = module
    spec.loader.exec_module(module)
    return module


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=25),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=25),
    st.sampled_from([differing, dissimilarity]),
)
def test_distances_equal_plain_loops_over_all_pairs(
    mine: list[tuple[int, int]], other: list[tuple[int, int]], distance: Distance
) -> None:
    """Both means are those of every pair of reports, one by one."""
    image, sets = (np.array([row[i] for row in mine], dtype=t) for i, t in ((0, int), (1, "u8")))
    pair, others = (np.array([row[i] for row in other], dtype=t) for i, t in ((0, int), (1, "u8")))

    def apart(left: int, right: int) -> float:
        return float(distance(np.array([left], dtype="u8"), np.array([right], dtype="u8"))[0])

    floors = within(image, sets, distance, n_images=4)
    for k in range(4):
        own = [value for at, value in mine if at == k]
        every = [apart(a, b) for a, b in combinations(own, 2)]
        assert floors[k] == pytest.approx(np.mean(every) if every else math.nan, nan_ok=True)
    found = across(image, sets, pair, others, distance, n_images=4)
    for (at, value), got in zip(other, found, strict=True):
        every = [apart(value, b) for k, b in mine if k == at]
        assert got == pytest.approx(np.mean(every) if every else math.nan, nan_ok=True)


def test_many_repeats_of_one_image_pass_through_in_blocks() -> None:
    """An image with more different reports than a block holds gives the same mean."""
    rng = np.random.default_rng(3)
    sets = rng.integers(0, 1 << 12, 900).astype(np.uint64)
    floor = within(np.zeros(900, dtype=np.int64), sets, differing, n_images=1)[0]
    counts = np.unique(sets, return_counts=True)[1]
    assert floor == pytest.approx(1 - (counts * (counts - 1)).sum() / (900 * 899))


def test_a_hand_computed_table() -> None:
    """Two sources with three and two source reports give the rates written out."""
    rows = [
        ("a", "young_male", 1, 1),
        ("a", "elderly_male", 2, 2),
        ("b", "young_male", 1, 4),
        ("b", "elderly_male", 1, 1),
    ]
    found, notes = estimated(paired(rows, more=[("a", 1)]))
    # Source a said 1, 2, 1: floor 2/3; 1 differs from a third of them, 2 from two thirds.
    assert found["noise_f", None].value == pytest.approx((2 / 3 + 0) / 2)
    assert found["instability_t", None].value == pytest.approx(((1 / 3 + 2 / 3) / 2 + 1 / 2) / 2)
    assert found["excess", None].value == pytest.approx(1 / 2 - 1 / 3)
    assert found["excess_normalised", None].value == pytest.approx((1 / 2 - 1 / 3) / (2 / 3))
    assert found["excess", "young_male"].value == pytest.approx((1 / 3 + 1) / 2 - 1 / 3)
    assert found["excess_difference", "elderly"].value == pytest.approx((1 / 3 - 1) / 2)
    assert found["excess_difference", "elderly"].baseline == "young"
    assert any("5 usable reports on source images, at most 3 on one" in note for note in notes)


def test_the_diagnosis_has_its_own_rows_in_dissimilarity() -> None:
    """Labels 1 and 3 are half apart, recommendations 1 and 3 wholly."""
    rows = [(s, e, 1, 3) for s in ("a", "b", "c") for e in ("young_male", "elderly_male")]
    found, _ = estimated(paired(rows))
    assert found["instability_t", None].value == 1.0
    assert found["diagnostic_instability_t", None].value == 0.5
    assert found["diagnostic_excess", None].value == 0.5


def test_refused_and_failed_reports_tell_nothing() -> None:
    """A source left with one usable report is left out, and said to be."""
    rows = simulated_rows(6, seed=1)
    readings = paired(rows, responses={0: 2, 1: 2, 2: 3})
    found, notes = estimated(readings)
    assert found["excess", None].n_clusters == 5
    assert any("rests on 5 of 6 sources" in note for note in notes)


def test_a_refused_source_report_still_lets_its_partner_count() -> None:
    """A counterfactual report is held against all source reports, whatever became of its partner."""
    rows = simulated_rows(6, seed=1)
    found, _ = estimated(paired(rows, responses={0: 2}))
    assert found["excess", None].n == len(rows)


@pytest.mark.parametrize("floor", [True, False])
def test_without_repeats_there_is_no_row_but_a_note(floor: bool) -> None:
    """One usable report per source image tells no floor, and no excess is shown."""
    rows = [(f"s{i}", "young_male", 1, 2) for i in range(20)]
    found, notes = estimated(paired(rows, floor=floor))
    assert found == {}
    assert notes == [NO_FLOOR]


def test_repeats_on_the_counterfactual_image_give_the_symmetric_form() -> None:
    """With its own floor known, the excess is taken over the mean of both floors."""
    rows = [(f"s{i}", e, 1, 2) for i in range(3) for e in ("young_male", "elderly_male")]
    edited = [(f"s{i}", "young_male", v) for i in range(3) for v in (2, 4)]
    found, _ = estimated(paired(rows, edited=edited))
    # Reports 2, 2, 4 on the counterfactual image: floor 2/3; instability 1, source floor 0.
    assert found["noise_f_counterfactual", None].value == pytest.approx(2 / 3)
    assert found["excess_symmetric", "young_male"].value == pytest.approx(1 - 1 / 3)
    assert ("excess_symmetric", "elderly_male") not in found


def test_names_of_sources_and_order_of_reports_do_not_matter() -> None:
    """Relabelling sources and turning the rows about changes no estimate."""
    rows = simulated_rows(20, seed=5, flip=0.3)
    renamed = [(f"t{99 - int(s[1:]):04d}", *rest) for s, *rest in rows]
    one, _ = estimated(paired(rows))
    other, _ = estimated(paired(renamed[::-1]))  # type: ignore[arg-type]
    assert set(one) == set(other)
    for key, estimate in one.items():
        assert other[key].value == pytest.approx(estimate.value)
        assert other[key].low == pytest.approx(estimate.low, abs=1e-8)


def test_noise_alone_is_no_excess_and_flips_are_their_rate() -> None:
    """Of many sources the change rate is the noise, and the normalised excess what was planted."""
    for flip in (0.0, 0.25):
        found, _ = estimated(paired(simulated_rows(1500, seed=8, flip=flip)))
        assert found["noise_f", None].value == pytest.approx(0.8, abs=0.01)
        assert found["excess_normalised", None].value == pytest.approx(flip, abs=0.05)
        tested = found["excess", None]
        assert tested.p is not None
        assert (tested.p < 1e-6) == (flip > 0)
        assert tested.method == METHOD


def test_only_whole_edits_and_contrasts_are_tested() -> None:
    """Levels, floors and shares carry intervals and no p; the other reading carries none at all."""
    found, _ = estimated(paired(simulated_rows(20, seed=2)))
    tested = {key for key, estimate in found.items() if estimate.p is not None}
    names = {name for name, _ in tested}
    assert names == {
        noise_name(name, kind)  # type: ignore[arg-type]
        for name in ("excess", "excess_difference")
        for kind in ("recommendation", "diagnostic")
    }
    assert ("excess", "elderly") not in tested
    assert ("excess", "elderly_male") in tested
    assert {name.removeprefix("diagnostic_") for name, _ in found} <= set(NAMES)
    beside, _ = estimated(paired(simulated_rows(20, seed=2)), tested=False)
    assert all(estimate.p is None for estimate in beside.values())


@pytest.mark.parametrize("interval", ["t", "percentile", "bca"])
def test_sources_that_all_agree_still_get_an_interval(interval: str) -> None:
    """Where every pair is flipped and nothing is noise, the share is 1 and not certain."""
    rows = [(f"s{i:02d}", edit, 1, 128) for i in range(20) for edit in REGISTRY.edits]
    found, _ = estimated(paired(rows), interval=interval)
    share = found["excess_normalised", None]
    assert share.value == share.high == 1.0
    assert share.low is not None
    assert 0.7 < share.low < 0.9


def test_a_floor_that_leaves_nothing_is_a_note() -> None:
    """Where any two reports differ the share is undefined: a note, and the other rows stand."""
    rows = [
        (f"s{i}", e, i * 4 + k, 128 + k) for i in range(4) for k, e in enumerate(REGISTRY.edits)
    ]
    found, notes = estimated(paired(rows))
    assert found["noise_f", None].value == 1.0
    assert ("excess_normalised", None) not in found
    assert any("excess_normalised" in note for note in notes)


def test_a_floor_near_one_gives_no_interval_and_says_so() -> None:
    """Where hardly any source ever agrees with itself, the share has a value and no interval."""
    rows = [
        (f"s{i:02d}", edit, 2 + k, 128 + k)
        for i in range(30)
        for k, edit in enumerate(REGISTRY.edits)
    ]
    again = [("s01", 2), *(("s02", report) for report in (*range(200, 240), 200))]
    found, notes = estimated(paired(rows, more=again))
    share = found["excess_normalised", None]
    assert (share.value, share.low, share.high) == (1.0, None, None)
    assert any("excess_normalised: two reports on one image hardly ever agree" in n for n in notes)


values = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=12).filter(
    lambda rows: any(f < 4 for _, f in rows)
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_intervals_hold_the_estimate_and_agree_with_p(rows: list[tuple[int, int]]) -> None:
    """The value lies in both intervals, and the one at level 1 - p touches 0."""
    t, f = np.array(rows, dtype=np.float64).T / 4
    agreement = agreement_of(t, f)
    excess, share = t.mean() - f.mean(), (t.mean() - f.mean()) / (1 - f.mean())
    low, high = excess_interval(agreement, level=0.95)
    assert -1 <= low <= excess + 1e-9
    assert excess - 1e-9 <= high <= 1
    low, high = share_interval(agreement, level=0.95)
    assert low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    p = excess_p(agreement)
    if 1e-12 < p < 1:
        low, high = excess_interval(agreement, level=1 - p)
        assert min(abs(low), abs(high)) < 1e-5
    assert 0 <= p <= 1


@settings(max_examples=40, deadline=None)
@given(values)
def test_ends_of_the_share_are_where_two_rates_just_reach_each_other(
    rows: list[tuple[int, int]],
) -> None:
    """At an end R, the recovered distance of ``across - R within`` from 0 is 0; rates as elsewhere."""
    t, f = np.array(rows, dtype=np.float64).T / 4
    one = np.ones(len(t))
    found = cluster_estimate(np.stack([1 - t, one], axis=1), ratio(), bounds=(0, 1))
    base = cluster_estimate(np.stack([1 - f, one], axis=1), ratio(), bounds=(0, 1))
    assert found.low is not None
    assert found.high is not None
    assert base.low is not None
    assert base.high is not None
    flat = min(np.ptp(t), np.ptp(f)) == 0
    rho = 0.0 if flat else float(np.corrcoef(t, f)[0, 1])
    low, high = share_interval(agreement_of(t, f), level=0.95)
    for r, (a, b) in (
        (1 - low, (found.high - found.value, base.value - base.low)),
        (1 - high, (found.value - found.low, base.high - base.value)),
    ):
        gap = (found.value - r * base.value) ** 2
        assert gap == pytest.approx(a * a + r * r * b * b - 2 * rho * r * a * b, abs=1e-7)


def test_with_many_sources_the_intervals_are_those_of_the_jackknife() -> None:
    """Far from 0 and 1 and with 4,000 sources, nothing is gained or lost by recombining."""
    rng = np.random.default_rng(4)
    f = rng.integers(0, 4, 4000) / 6
    t = np.clip(f + rng.integers(-1, 3, 4000) / 8, 0, 1)
    totals = np.stack([t, f, np.ones(4000)], axis=1)
    agreement = agreement_of(t, f)
    plain = cluster_estimate(totals, lambda s: (s[..., 0] - s[..., 1]) / s[..., 2], null=0.0)
    assert excess_interval(agreement, level=0.95) == pytest.approx(
        (plain.low, plain.high), abs=4e-4
    )
    share = cluster_estimate(totals, lambda s: (s[..., 0] - s[..., 1]) / (s[..., 2] - s[..., 1]))
    assert share_interval(agreement, level=0.95) == pytest.approx(
        (share.low, share.high), abs=1e-3
    )


def test_a_hundred_thousand_pairs_take_seconds() -> None:
    """All rows of 25,000 sources with four edits are there within three seconds of CPU."""
    rng = np.random.default_rng(6)
    n = 25_000
    sets = rng.integers(0, 128, (2, 4 * n)).astype(np.uint64)
    empty = np.zeros(4 * n, dtype=np.int8)
    of_source, of_other = (Readings(one, one, empty) for one in sets)
    source = np.repeat(np.arange(n), 4)
    readings = PairReadings(
        subject="m", origin="toy", registry=REGISTRY, pairs=(),
        sources=tuple(map(str, range(n))), source=source,
        edits=tuple(sorted(REGISTRY.edits)), edit=np.tile(np.arange(4), n),
        datasets=(), dataset=np.full(4 * n, -1), strata=(), stratum=np.full(4 * n, -1),
        of_source=of_source, of_counterfactual=of_other,
        contextual_source=of_source, contextual_counterfactual=of_other,
        requeries=RequeryReadings(source=source, readings=of_source),
    )  # fmt: skip
    start = time.process_time()
    found, _ = estimated(readings)
    assert time.process_time() - start < 3
    assert len(found) > 50


def test_the_page_shows_what_the_script_prints() -> None:
    """The table of planted against found flips stands in the decision as it is computed."""
    page = (ROOT / "docs" / "decisions" / "noise-floor.md").read_text(encoding="utf-8")
    for line in benchmark().slope_table(2026):
        assert line in page


def test_planted_flips_are_found_with_slope_one_whatever_the_noise() -> None:
    """Normalised excess follows flips of 0 to .6 one to one at noise 0 to .6."""
    script = benchmark()
    planted = np.linspace(0, 0.6, 4)
    for noise in (0.0, 0.3, 0.6):
        found = [
            script.found_excess(noise, flips, sources=8000, seed=1)[1]
            for flips in planted.tolist()
        ]
        assert np.polyfit(planted, found, 1)[0] == pytest.approx(1, abs=0.05)


def test_intervals_hold_about_as_often_as_they_say() -> None:
    """300 sets of 25 sources: excess and share are covered, and noise alone is rarely a finding."""
    script = benchmark()
    null = script.Design(sources=25, noise=0.6, flips=0.0)
    found = script.shares(null, sets=300, seed=5)
    assert found["change"] == 1.0
    assert found["found"] < 0.1
    assert found["excess"] > 0.9
    assert found["normalised"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("flips", [0.0, 0.3])
@pytest.mark.parametrize("noise", [0.3, 0.9])
def test_intervals_cover_93_to_97_percent(flips: float, noise: float) -> None:
    """4,000 sets of 25 sources: excess, normalised excess and level difference."""
    script = benchmark()
    design = script.Design(sources=25, noise=noise, flips=flips)
    found = script.shares(design, sets=4000, seed=17)
    for name in ("excess", "normalised", "difference"):
        assert 0.925 <= found[name] <= 0.975, name
    if flips == 0:
        assert found["found"] <= 0.07
