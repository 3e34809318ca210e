"""Paired reports of a panel: strictly one source report and one counterfactual report per pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evenhand.counterfactual.verify.bundle import PANELS, Bundle
from evenhand.counterfactual.verify.lines import WrongOption, first_of
from evenhand.counterfactual.verify.released import MODELS
from evenhand.counterfactual.verify.values import Value, shown
from evenhand.errors import InputError

__all__ = ["PANEL_OF", "PairRecord", "models_of", "paired_records", "panel_of"]

PANEL_OF: Mapping[str, str] = {
    "full": "full_pipeline_retained",
    "baseline": "baseline_only_retained",
}
"""The folders of the two panels, by the name that the summary has for them."""


@dataclass(frozen=True, slots=True)
class PairRecord:
    """The two reports of one pair."""

    pair_id: str
    source_id: str
    source: str
    counterfactual: str


@dataclass(frozen=True, slots=True)
class _Report:
    pair_id: str
    source_id: str | None
    text: str


def models_of(bundle: Bundle) -> Mapping[str, tuple[str, ...]]:
    """The models of each panel of a bundle, by the panel's short name."""
    return {
        panel: tuple(bundle.json(f"{PANELS}/{folder}/panel_manifest.json")["models"].texts())
        for panel, folder in PANEL_OF.items()
    }


def panel_of(bundle: Bundle, model: str) -> str:
    """The short name of the panel that a model is in.

    Raises:
        WrongOption: neither this bundle nor the published release knows such a model.
        InputError: it is a published model, and missing from this bundle.
    """
    panels = models_of(bundle)
    for panel, models in panels.items():
        if model in models:
            return panel
    known = sorted({name for models in panels.values() for name in models})
    here = f"the panels of this bundle have {', '.join(known) or 'no model'}"
    if model in MODELS:
        raise InputError(f"is in no panel of this bundle; {here}", where=model)
    raise WrongOption(f"{shown(model)} is no model of the panels; {here}", where="--model")


def paired_records(bundle: Bundle, model: str) -> tuple[PairRecord, ...]:
    """A model's pairs, in the order of their counterfactual reports in the file.

    Raises:
        WrongOption, InputError: as ``panel_of`` does.
        InputError: the first row that is no object, holds an error, lacks its pair id or text, has
            an unknown role, stands twice, or says of its source what its pair id does not; or pairs
            of which one report is missing.
    """
    panel = panel_of(bundle, model)
    sides = _sides(_rows_by_model(bundle, PANEL_OF[panel]).get(model, []), model)
    sources, counterfactuals = sides["source"], sides["generated"]
    lone = sorted(sources.keys() ^ counterfactuals.keys())
    if lone:
        raise InputError(f"pairs have one report only: {first_of(lone)}", where=model)
    return tuple(
        _pair(model, sources[pair_id], counterfactual)
        for pair_id, counterfactual in counterfactuals.items()
    )


def _rows_by_model(bundle: Bundle, folder: str) -> Mapping[str, list[Value]]:
    """A panel's evaluation rows by model."""
    name = f"{PANELS}/{folder}/evaluation_results.json"

    def sort() -> dict[str, list[Value]]:
        rows: dict[str, list[Value]] = {}
        for value in bundle.json(name).items():
            rows.setdefault(_model_of(value), []).append(value)
        return rows

    return bundle.once(f"{name} by model", sort)


def _model_of(value: Value) -> str:
    row = value.object()
    model = row.get("model") or row.get("requested_model")
    return model if isinstance(model, str) else ""


def _sides(rows: Sequence[Value], model: str) -> Mapping[str, dict[str, _Report]]:
    """Reports by role and pair id."""
    sides: dict[str, dict[str, _Report]] = {"source": {}, "generated": {}}
    for value in rows:
        row = value.object()
        if row.get("error"):
            raise InputError(f"{model}: the row holds an error, no report", where=value.where)
        report = _Report(value["pair_id"].text(), _declared(value), _text(value))
        role = row.get("image_role")
        if not isinstance(role, str) or role not in sides:
            raise InputError(
                f"{model}: the role {shown(role)} is neither source nor generated",
                where=value.where,
            )
        if report.pair_id in sides[role]:
            raise InputError(
                f"{model}: a second {role} report of {report.pair_id}", where=value.where
            )
        sides[role][report.pair_id] = report
    return sides


def _text(value: Value) -> str:
    text = value["response"].text()
    if not text.strip():
        raise InputError("the report is blank", where=value["response"].where)
    return text


def _declared(value: Value) -> str | None:
    """The source that a row names, under either of its two keys; they must not differ."""
    named = set(_names(value))
    if len(named) > 1:
        raise InputError(
            f"the row names two sources, {' and '.join(sorted(named))}", where=value.where
        )
    return next(iter(named), None)


def _names(value: Value) -> Iterator[str]:
    for key in ("pair_source_id", "source_id"):
        if value.object().get(key):
            yield value[key].text()


def _pair(model: str, source: _Report, counterfactual: _Report) -> PairRecord:
    pair_id = counterfactual.pair_id
    named = counterfactual.source_id
    if named is None or source.source_id != named:
        raise InputError(
            f"{model}: the reports of {pair_id} do not name one source", where="evaluation rows"
        )
    if not pair_id.startswith(f"{named}__"):
        raise InputError(
            f"{model}: the pair {pair_id} is not of the source {named}", where="evaluation rows"
        )
    return PairRecord(pair_id, named, source.text, counterfactual.text)
