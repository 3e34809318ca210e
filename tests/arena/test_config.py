"""Configuration files: the reference's and ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evenhand.arena.config import (
    ArenaConfig,
    DatasetEntry,
    ModelEntry,
    Rules,
    changed,
    config_of,
    load_config,
)
from evenhand.errors import InputError, InvalidInputs


def test_the_references_keys_keep_their_names(tmp_path: Path) -> None:
    """A file of the reference is read as it stands; keys that it never read are named."""
    file = tmp_path / "default_config.json"
    arena = {
        "elo_k_factor": 16, "elo_initial_rating": 1000, "images_per_model": 8,
        "max_scroll_images": 40, "grid_columns": 3, "allow_open_queries": True,
        "active_dataset_id": "flickr30k", "judge_question": "", "search_query_label": "Look for",
        "enable_why_tags": False, "why_tags": ["one"], "matchmaking": "uniform",
        "show_only_relevant": False,
    }  # fmt: skip
    model = {
        "id": "b32", "name": "B/32", "backend": "open_clip", "model_name": "ViT-B-32",
        "pretrained": "openai", "enabled": True,
    }  # fmt: skip
    dataset = {
        "id": "flickr30k", "name": "Flickr", "source": "huggingface", "hf_repo": "a/b",
        "hf_split": "test", "image_column": "image", "max_images": None,
    }  # fmt: skip
    file.write_text(json.dumps({"arena": arena, "models": [model], "datasets": [dataset]}))
    config = load_config(file)
    kept = config.arena.model_dump()
    assert {key: kept[key] for key in arena if key != "show_only_relevant"} == {
        **{key: value for key, value in arena.items() if key != "show_only_relevant"},
        "why_tags": ("one",),
    }
    assert config.datasets[0].max_images is None
    assert config.title_of("b32") == "B/32"
    assert config.notes == (f"{file}: arena.show_only_relevant has no effect",)


def test_a_config_without_datasets_is_a_config() -> None:
    """The reference's old layout, one ``dataset`` or none at all, loads."""
    assert config_of({"arena": {}}, where="f").datasets == ()
    lone = config_of({"dataset": {"source": "huggingface", "hf_repo": "a/Faces"}}, where="f")
    assert [entry.id for entry in lone.datasets] == ["faces"]


def test_every_wrong_key_is_named_with_its_place() -> None:
    """Three mistakes are told together, each with where it stands and what was there."""
    wrong = {
        "arena": {"elo_k_factor": -1, "elo_k": 3},
        "datasets": [{"id": "../../etc", "source": "folder"}],
    }
    with pytest.raises(InvalidInputs) as caught:
        config_of(wrong, where="f.yaml")
    places = [problem.where for problem in caught.value.problems]
    assert places == ["f.yaml: arena.elo_k_factor", "f.yaml: arena.elo_k", "f.yaml: datasets.0.id"]
    assert "'../../etc'" in str(caught.value)


@pytest.mark.parametrize("part", ["models", "datasets"])
def test_an_id_stands_once(part: str) -> None:
    """Two entries with one id are an error that names it."""
    with pytest.raises(InputError, match="'x' twice"):
        config_of({part: [{"id": "x"}, {"id": "x"}]}, where="f")


@pytest.mark.parametrize(
    "text, said",
    [("[1, 2]", "a configuration is a mapping"), ("{", "not readable as JSON or YAML")],
)
def test_a_file_that_is_no_config_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """Neither a list nor broken JSON gets further than reading."""
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        load_config(file)


@pytest.mark.parametrize("part", [None, [], "x", 5])
def test_a_part_that_is_null_never_gets_in(part: object) -> None:
    """A section set to nothing is refused, so that it cannot stop the server for good."""
    with pytest.raises(InvalidInputs):
        config_of({"arena": part}, where="f")


def test_a_change_sets_one_key_and_keeps_the_others() -> None:
    """Setting the K factor leaves the tags as they were."""
    before = config_of({"arena": {"why_tags": ["one", "two"]}}, where="f")
    after = changed(before, {"elo_k_factor": 10}, where="admin")
    assert after.arena.elo_k_factor == 10
    assert after.arena.why_tags == ("one", "two")
    assert after.given == before.given == {"why_tags"}


def test_a_wrong_change_changes_nothing() -> None:
    """A value out of its range is refused with its key."""
    with pytest.raises(InvalidInputs, match=r"admin: arena\.undo_s"):
        changed(ArenaConfig(), {"undo_s": -1}, where="admin")


def test_every_key_is_documented_with_its_default() -> None:
    """The reference page names every key of the file, and its defaults are the code's."""
    page = (Path(__file__).parents[2] / "docs/reference/arena-config.md").read_text()
    for key, field in Rules.model_fields.items():
        rows = [line for line in page.splitlines() if f"`{key}`" in line and line[0] == "|"]
        assert rows, key
        if isinstance(field.default, bool | int | float):
            told = rows[0].split("|")[2].strip()
            assert told == str(field.default).lower().removesuffix(".0"), key
    for entry in (ModelEntry, DatasetEntry):
        assert [
            key for key in entry.model_fields if f"`{key}`" not in page and key not in page
        ] == []
