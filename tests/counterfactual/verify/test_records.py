"""Paired records: one source report and one counterfactual report per pair, or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evenhand.counterfactual.verify.bundle import PANELS, Bundle
from evenhand.counterfactual.verify.records import models_of, paired_records, panel_of
from evenhand.errors import InputError
from support.artifacts import pair_ids, read_json, write_json

FILE = f"{PANELS}/full_pipeline_retained/evaluation_results.json"
Rows = list[dict[str, Any]]


def changed(bundle: Path, change: Callable[[Rows], object]) -> Bundle:
    """A bundle whose full panel's rows are changed."""
    rows = read_json(bundle / FILE)
    change(rows)
    write_json(bundle / FILE, rows)
    return Bundle(bundle)


def test_every_pair_has_its_two_reports(whole: Path) -> None:
    """Pairs come in the order of the file, each with both texts and its source."""
    records = paired_records(Bundle(whole), "gpt-5.4")
    assert [record.pair_id for record in records] == pair_ids(3)
    assert all(record.pair_id.startswith(f"{record.source_id}__") for record in records)


def test_models_by_panel(whole: Path) -> None:
    """The panels' manifests say which models there are."""
    panels = models_of(Bundle(whole))
    assert (len(panels["full"]), len(panels["baseline"])) == (6, 3)
    assert panel_of(Bundle(whole), "radfm") == "baseline"


def test_requested_model_stands_in(copy: Path) -> None:
    """A row without a model is of the model that was asked for."""

    def rename(rows: Rows) -> None:
        for row in rows:
            row["requested_model"] = row.pop("model")

    assert len(paired_records(changed(copy, rename), "gpt-5.4")) == 11


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows.append(3), "3 is not an object"),
        (lambda rows: rows[0].update(error="timeout"), "holds an error"),
        (lambda rows: rows[0].pop("pair_id"), "'pair_id' is missing"),
        (lambda rows: rows[0].update(pair_id=""), "'' is not a text"),
        (lambda rows: rows[0].update(response=" \n"), "the report is blank"),
        (lambda rows: rows[0].update(response=None), "None is not a text"),
        (lambda rows: rows.append(dict(rows[0])), "a second source report"),
        (lambda rows: rows.append(dict(rows[1])), "a second generated report"),
        (lambda rows: rows[0].update(image_role="edited"), "role 'edited' is neither"),
        (
            lambda rows: rows[0].update(image_role=[]),
            "role a list is neither source nor generated",
        ),
        (lambda rows: rows.pop(0), "one report only: buu_0000-F-050Y0__young_female"),
        (lambda rows: rows[0].update(source_id="x"), "names two sources"),
        (lambda rows: rows[0].update(pair_source_id="x"), "do not name one source"),
        (lambda rows: rows[0].pop("pair_source_id"), "young_female do not name one source"),
        (
            lambda rows: [row.update(pair_source_id="buu") for row in rows[:2]],
            "is not of the source buu",
        ),
    ],
)
def test_ambiguous_rows_are_refused(
    copy: Path, change: Callable[[Rows], object], message: str
) -> None:
    """Rows that leave open which two reports are a pair are an error with the place."""
    with pytest.raises(InputError, match=message) as caught:
        paired_records(changed(copy, change), "gpt-5.4")
    assert "\n" not in str(caught.value)


def test_other_models_rows_do_not_matter(copy: Path) -> None:
    """A faulty row is its own model's fault alone."""
    bundle = changed(copy, lambda rows: rows[0].update(error="timeout"))
    assert len(paired_records(bundle, "claude-opus-4-6")) == 11
