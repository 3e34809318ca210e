"""The example of another domain: its pictures, its registry, and an audit from them to findings."""

from __future__ import annotations

import runpy
from pathlib import Path

from evenhand.counterfactual.analysis.loading import read_set
from evenhand.counterfactual.asking.loading import reports_of_run
from evenhand.counterfactual.asking.prepare import ReportSpec
from evenhand.counterfactual.pairs.build import build_pairs
from evenhand.counterfactual.pairs.bundle import write_bundle
from evenhand.counterfactual.pairs.candidates import from_folder
from evenhand.counterfactual.pairs.images import facts_of
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.run import start_reports
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings

ROOT = Path(__file__).parents[3] / "examples" / "counterfactual" / "skin"


def test_the_pictures_are_those_that_the_script_draws(tmp_path: Path) -> None:
    """Pixel for pixel, and small: 30 kB in all."""
    runpy.run_path(str(ROOT / "draw.py"))["main"](tmp_path)
    kept = sorted(path.relative_to(ROOT / "images") for path in ROOT.glob("images/*/*.png"))
    assert kept == sorted(path.relative_to(tmp_path) for path in tmp_path.glob("*/*.png"))
    for name in kept:
        assert facts_of(ROOT / "images" / name).pixels == facts_of(tmp_path / name).pixels
    assert sum((ROOT / "images" / name).stat().st_size for name in kept) <= 30_000


def test_an_audit_of_another_domain_needs_its_registry_only(tmp_path: Path) -> None:
    """Pairs, a run of a simulated model with re-queries, and readings in the own categories."""
    registry = load_registry(ROOT / "skin.yaml")
    built = build_pairs(from_folder(ROOT / "images"), registry)
    manifest = write_bundle(built.pairs, tmp_path / "bundle")
    settings = Settings.resolve(workspace=str(tmp_path / "w"), db=None)
    spec = ReportSpec(pairs=str(manifest), registry=str(ROOT / "skin.yaml"), requery=1)
    ended = start_reports(settings, spec, subject="simulated/neutral", seed=0)
    assert ended.complete
    with Ledger(settings) as ledger:
        reports = reports_of_run(ledger, ended.run)
    assert [pair.edit for pair in reports.pairs] == ["darker", "lighter"] * 4
    readings = read_set(reports, registry)
    assert readings.edits == ("darker", "lighter")
    assert (readings.of_source.recommendations != 0).any()
    assert readings.requeries is not None
