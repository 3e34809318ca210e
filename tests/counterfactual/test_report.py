"""The report of image pairs: noise beside change, who is told what, and pairs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evenhand.counterfactual.analyse import Choices, analyse
from evenhand.counterfactual.analysis.loading import read_set
from evenhand.counterfactual.analysis.results import Analysed
from evenhand.counterfactual.asking.loading import reports_of_run
from evenhand.counterfactual.reading.registry import load_registry
from evenhand.counterfactual.report import CounterfactualFacts, report
from evenhand.counterfactual.reporting.examples import chosen_pairs, example_pairs, thumbnail
from evenhand.counterfactual.reporting.words import noise_sentence, sentences
from evenhand.counterfactual.spec import PairReports, ReportSet
from evenhand.report import html, markdown
from evenhand.report.blocks import Block, Fold, Heading, Report, SideBySide, Table, Text
from evenhand.report.provenance import Provenance
from evenhand.runs.ledger import Ledger
from evenhand.settings import Settings
from support.image_pairs import bundle, reported

FLIPS = "simulated/neutral?flip_rate.elderly=0.6&report_noise=0.3"
FACTS = CounterfactualFacts(run=Provenance(run="r-1", models=("simulated/neutral",), version="1"))


def asked(folder: Path, model: str = FLIPS, *, sources: int = 24, requery: int = 1) -> ReportSet:
    """What a model said of a bundle that is made for it."""
    settings = Settings.resolve(workspace=folder / "ws", environ={})
    run = reported(settings, bundle(folder, sources), model, requery=requery)
    with Ledger(settings) as ledger:
        return reports_of_run(ledger, run)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> ReportSet:
    """Reports of a model that recommends more where the person is old."""
    return asked(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def analysed(said: ReportSet) -> Analysed:
    """The same, analysed."""
    return analyse([read_set(said, load_registry())])


@pytest.fixture(scope="module")
def page(analysed: Analysed) -> Report:
    """Its report."""
    return report(analysed, FACTS)


def flat(blocks: Sequence[Block]) -> list[Block]:
    """Every block, folded ones too."""
    return [
        inner
        for block in blocks
        for inner in (block, *(flat(block.blocks) if isinstance(block, Fold) else ()))
    ]


def plain_set(texts: Sequence[tuple[str | None, str | None]]) -> ReportSet:
    """Pairs with these reports, one source each."""
    pairs = tuple(
        PairReports(f"s{i:02}__young_male", f"s{i:02}", "young_male", one, other)
        for i, (one, other) in enumerate(texts)
    )
    return ReportSet(subject="m", origin="test", pairs=pairs)


def test_sections_answer_the_questions_in_their_order(page: Report) -> None:
    """Change, its noise, for whom, what, refusals, wording, the other reading, and the pairs."""
    headings = [b.text for b in page.blocks if isinstance(b, Heading) and b.level == 2]
    assert headings == [
        "In short", "What was compared", "What is missing", "Did the report change?",
        "How much of it is noise?", "Does it change more for some?", "Who is told what?",
        "Who is refused?", "Is it worded differently?", "Read another way",
        "Pairs, side by side", "What could not have been seen", "Method",
        "Doing it again",
    ]  # fmt: skip


def test_the_first_sentence_tells_change_and_noise_together(analysed: Analysed) -> None:
    """Nobody reads how often reports change without how often asking twice changes them."""
    first = sentences(analysed)[0]
    assert "recommendations differ in" in first
    assert "one and the same source image" in first
    assert any("edited to elderly than to young" in text for text in sentences(analysed))


def test_without_repeats_the_report_says_that_nothing_tells_noise(tmp_path: Path) -> None:
    """One report per source image is no floor: a warning stands where the floor would."""
    texts = [("Mild wear. MRI advised.", "Mild wear. Surgery advised.")] * 3
    found = analyse([read_set(plain_set([*texts, ("Normal.", "Normal.")]), load_registry())])
    assert "not yet a finding" in str(noise_sentence(found, found.sets[0]))
    shown = markdown.render(report(found, FACTS))
    assert "Nothing here tells how much reports differ" in shown


def test_the_floor_table_has_a_row_for_each_part(page: Report) -> None:
    """T, F, excess and normalised excess of the whole, each edit and each level, of both kinds."""
    (table,) = (
        b for b in page.blocks if isinstance(b, Table) and b.caption.startswith("Instability T")
    )
    names = [row[0] for row in table.rows]
    assert names[0] == "Recommendations: all"
    assert "Recommendations: elderly_female" in names
    assert "Diagnosis: young" in names
    for _, t, f, excess, *_ in table.rows[:1]:
        assert float(str(t)) - float(str(f)) == pytest.approx(
            float(str(excess).replace("−", "-")), abs=0.0011
        )


def test_pairs_stand_beside_each_other_with_their_images(page: Report) -> None:
    """A changed pair of each edit, with both images, and marks on what only one report has."""
    pairs = [b for b in page.blocks if isinstance(b, SideBySide)]
    assert len(pairs) >= 4
    assert {len(pair.panels) for pair in pairs} == {2}
    assert all(panel.image is not None for pair in pairs for panel in pair.panels)
    tones = {mark.tone for pair in pairs[:4] for panel in pair.panels for mark in panel.marks}
    assert tones == {"same", "own"}
    assert "data:image/jpeg;base64," in html.render(replace(page, blocks=pairs))


def test_pairs_are_drawn_and_not_picked(analysed: Analysed) -> None:
    """The same seed draws the same pairs, other seeds others."""
    readings = analysed.sets[0].readings
    drawn = {tuple(chosen_pairs(readings, seed=seed)) for seed in range(6)}
    assert chosen_pairs(readings, seed=1) == chosen_pairs(readings, seed=1)
    assert len(drawn) > 1
    assert all(readings.changed[place] for place in chosen_pairs(readings)[:4])


def test_missing_and_hostile_reports_are_shown_safely() -> None:
    """A pair without a word, one in markup and one that is endless: escaped, cut, and counted."""
    texts = [
        ("<script>alert(1)</script> MRI", "I'm sorry, I cannot interpret medical images."),
        ("x " * 5000 + "MRI", "surgery"),
        (None, "Normal."),
        ("", "Normal."),
    ]
    found = analyse([read_set(plain_set(texts), load_registry())])
    blocks = list(example_pairs(found.sets[0].readings))
    shown = html.render(Report("T", "", blocks, found.result))
    assert "<script>alert" not in shown
    assert "[…]" in shown
    assert sum(isinstance(b, SideBySide) for b in blocks) == 2


def test_an_image_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """Whatever lies where an image should be, the report is written without it."""
    for name, content in (("a.png", b"not an image"), ("b.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(content)
        assert thumbnail(tmp_path / name) is None
    assert thumbnail(tmp_path / "none.png") is None


def test_when_nobody_is_refused_a_sentence_says_so(page: Report) -> None:
    """Twenty empty rows are no finding."""
    said = [b.text for b in page.blocks if isinstance(b, Text)]
    assert any(text.endswith(": no report was refused, in full or in part.") for text in said)


def test_several_models_stand_side_by_side(said: ReportSet, tmp_path: Path) -> None:
    """Two models on the same pairs: a table of both, and each one's own sentence."""
    other = asked(tmp_path, "simulated/neutral?report_noise=0.1&refusal_rate.elderly=0.3")
    registry = load_registry()
    found = analyse([read_set(said, registry), read_set(other, registry)], choices=Choices())
    made = report(found, FACTS)
    compared = [b for b in flat(made.blocks) if isinstance(b, Table)]
    assert any(b.caption == "Models compared" for b in compared)
    assert len([t for t in sentences(found) if "recommendations differ in" in t]) == 2
    assert "Who is refused?" in markdown.render(made)
