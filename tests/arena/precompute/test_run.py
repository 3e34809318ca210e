"""From images, models and queries to a bundle: whole, resumable, and the same every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.config import ArenaConfig, config_of
from evenhand.arena.precompute.progress import Advance, Silent
from evenhand.arena.precompute.run import Made, Options, chosen_datasets, precompute
from evenhand.errors import Conflict, InputError, InvalidInputs, NotFound
from evenhand.models.onnx_encoder import OnnxEncoder
from support.tiny_onnx import tiny_encoder

QUERIES = ("a doctor", "a nurse")
N = 24


@pytest.fixture
def config(tmp_path: Path) -> ArenaConfig:
    """Two datasets, an ONNX encoder and a simulated one."""
    rng = np.random.default_rng(0)
    rows = ["path,caption,gender"]
    (tmp_path / "faces").mkdir()
    for at in range(N):
        gender = ("man", "woman")[at % 2]
        pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "faces" / f"{at:02}.png")
        rows.append(f"faces/{at:02}.png,a {gender},{gender}")
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    tiny_encoder(tmp_path / "enc")
    return config_of(
        {
            "arena": {"max_scroll_images": 10, "images_per_model": 4},
            "models": [
                {"id": "tiny", "backend": "onnx", "path": "enc", "name": "Tiny"},
                {"id": "sim", "backend": "simulated", "model_name": "man=0.8 noise=0.1"},
                {"id": "off", "backend": "onnx", "path": "nowhere", "enabled": False},
            ],
            "datasets": [
                {"id": "faces", "folder_path": "faces"},
                {
                    "id": "known", "source": "table", "table_path": "t.csv",
                    "caption_column": "caption", "attribute_columns": ["gender"],
                },
            ],
        },
        where="test",
    )  # fmt: skip


def made(config: ArenaConfig, base: Path, out: Path, **more: Any) -> tuple[Made, ...]:
    """Precompute everything into ``out``."""
    options = Options(**{"bundles_dir": out, "base": base, "batch_size": 8, **more})
    return precompute(config, QUERIES, config.datasets, options)


def opened(one: Made) -> Bundle:
    """The bundle."""
    return open_bundle(one.path)


def test_a_bundle_holds_what_the_encoders_say(config: ArenaConfig, tmp_path: Path) -> None:
    """Rows, rankings, captions, attributes, thumbnails and text encoders, for every dataset."""
    faces, known = made(config, tmp_path, tmp_path / "out")
    assert (faces.n_images, faces.models, faces.queries) == (24, ("tiny", "sim"), 2)
    bundle = opened(known)
    encoder = OnnxEncoder.open(tmp_path / "enc")
    images = [Image.open(tmp_path / "faces" / f"{at:02}.png") for at in range(24)]
    rows = encoder.encode_images(images)
    kept = bundle.embeddings("tiny")
    assert kept is not None
    np.testing.assert_allclose(kept.astype(np.float32), rows, atol=1e-3)
    query = encoder.encode_texts(["a doctor"])[0]
    expected = np.argsort(-(kept.astype(np.float64) @ query.astype(np.float64)), kind="stable")
    assert bundle.ranking("tiny", "a doctor").tolist() == expected[:10].tolist()
    assert bundle.attributes["gender"][:2].tolist() == ["man", "woman"]
    assert bundle.captions is not None
    assert bundle.captions[0] == "a man"
    assert bytes(bundle.thumbnail(0))[:2] == b"\xff\xd8"
    text = bundle.text_encoder("tiny")
    assert text is not None
    assert text.encode_texts(["a doctor"])[0].tobytes() == query.tobytes()
    assert bundle.text_encoder("sim") is None
    bundle.close()


def test_a_planted_preference_is_in_the_rankings(config: ArenaConfig, tmp_path: Path) -> None:
    """The simulated encoder that prefers men ranks them first, whatever is asked."""
    _, known = made(config, tmp_path, tmp_path / "out")
    bundle = opened(known)
    shown = bundle.attributes["gender"][bundle.ranking("sim", "a nurse")]
    assert (shown == "man").mean() > 0.9
    bundle.close()


def test_a_rebuild_is_the_same_file(config: ArenaConfig, tmp_path: Path) -> None:
    """Elsewhere, later, from the same images: the same bytes."""
    once, again = (made(config, tmp_path, tmp_path / name) for name in ("one", "two"))
    for first, second in zip(once, again, strict=True):
        assert first.version == second.version
        assert first.path.read_bytes() == second.path.read_bytes()


class Interrupted(Exception):
    """Somebody pulled the plug."""


class Plug(Silent):
    """Pulls the plug after so many images, over all stages."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.stages: list[str] = []

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Counts down."""
        self.stages.append(name)

        def advance(more: int) -> None:
            self.left -= more
            if self.left < 0:
                raise Interrupted

        yield advance


def test_an_interrupted_run_goes_on_and_gives_the_same_file(
    config: ArenaConfig, tmp_path: Path
) -> None:
    """Wherever it was stopped: in the first pass, within a model, between two."""
    whole = made(config, tmp_path, tmp_path / "whole")
    for after in (5, 60, 100):
        out = tmp_path / f"stopped-{after}"
        with pytest.raises(Interrupted):
            made(config, tmp_path, out, progress=Plug(after))
        assert not list(out.glob("*.npz"))
        resumed = made(config, tmp_path, out)
        for first, second in zip(whole, resumed, strict=True):
            assert first.path.read_bytes() == second.path.read_bytes()
        assert {p.suffix for p in out.iterdir()} == {".npz"}, "nothing is left behind"


def test_a_finished_model_is_not_loaded_again(config: ArenaConfig, tmp_path: Path) -> None:
    """Stopped in the second model, the first one's rows are taken as they are: its folder may
    even have lost what is only read at loading."""
    with pytest.raises(Interrupted):
        made(config, tmp_path, tmp_path / "out", progress=Plug(24 * 2 + 24 * 2 + 5))
    spoilt = tmp_path / "enc" / "image.onnx"
    size, times = spoilt.stat().st_size, spoilt.stat()
    spoilt.write_bytes(b"x" * size)
    os.utime(spoilt, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(made(config, tmp_path, tmp_path / "out")) == 2


def test_a_changed_image_or_encoder_starts_afresh(config: ArenaConfig, tmp_path: Path) -> None:
    """What was computed from other images, or with other weights, is not used."""
    with pytest.raises(Interrupted):
        made(config, tmp_path, tmp_path / "out", progress=Plug(24 * 2 + 24 * 2 + 5))
    Image.new("RGB", (30, 40), "green").save(tmp_path / "faces" / "03.png")
    tiny_encoder(tmp_path / "enc", seed=7)
    resumed = made(config, tmp_path, tmp_path / "out")
    whole = made(config, tmp_path, tmp_path / "whole")
    assert [one.version for one in resumed] == [one.version for one in whole]


def test_a_model_is_loaded_once_for_all_datasets(config: ArenaConfig, tmp_path: Path) -> None:
    """The reference loads every model again for every dataset; ours goes model by model."""
    plug = Plug(10**6)
    made(config, tmp_path, tmp_path / "out", progress=plug)
    assert plug.stages == [
        "faces: images", "known: images", "faces: tiny", "known: tiny", "faces: sim", "known: sim",
    ]  # fmt: skip


def test_broken_images_are_named_before_any_model_runs(
    config: ArenaConfig, tmp_path: Path
) -> None:
    """Each by name; left out only when that is asked for, and then said in the bundle."""
    (tmp_path / "faces" / "05.png").write_bytes(b"no image")
    (tmp_path / "faces" / "07.png").write_bytes(b"")
    plug = Plug(10**6)
    with pytest.raises(InvalidInputs, match=r"faces: 05.png: .*\n.*faces: 07.png: .*\n.*2 of 24"):
        made(config, tmp_path, tmp_path / "out", progress=plug)
    assert plug.stages == ["faces: images"]
    faces, known = made(config, tmp_path, tmp_path / "out", allow_broken=True)
    assert faces.n_images == known.n_images == 22
    assert [id for id, _ in faces.broken] == ["05.png", "07.png"]
    bundle = opened(known)
    assert "faces/05.png" not in list(bundle.image_ids)
    assert bundle.attributes["gender"][5] == "man", "columns move up with the images"
    bundle.close()


def test_nothing_of_this_machine_is_in_the_bundle(config: ArenaConfig, tmp_path: Path) -> None:
    """Bundles travel: no folder, no user's name."""
    for one in made(config, tmp_path, tmp_path / "out"):
        assert str(tmp_path).encode() not in one.path.read_bytes()


def test_what_is_wrong_is_found_before_any_work(config: ArenaConfig, tmp_path: Path) -> None:
    """All models that cannot be had are named together; nothing is computed."""
    wrong = config.model_copy(
        update={
            "models": (
                config.models[0].model_copy(update={"path": "nowhere"}),
                config.models[1].model_copy(update={"model_name": "man"}),
                config.models[2].model_copy(update={"enabled": True, "backend": "open_clip"}),
            )
        }
    )
    plug = Plug(10**6)
    with pytest.raises(InvalidInputs) as caught:
        made(wrong, tmp_path, tmp_path / "out", progress=plug)
    said = str(caught.value)
    assert "models.tiny.path: no image.onnx" in said
    assert "models.sim.model_name: 'man' is no WORD=NUMBER" in said
    assert "models.off" in said
    assert plug.stages == []


def test_options_are_checked(config: ArenaConfig, tmp_path: Path) -> None:
    """Each with its name, its value and its range."""
    for more, said in (
        ({"batch_size": 0}, "--batch-size: 0 is not 1"),
        ({"thumbnail_size": 5}, "--thumbnail-size"),
        ({"output": tmp_path / "x.npz"}, "--output: one file for 2 datasets"),
        ({"device": "tpu"}, "device 'tpu'"),
    ):
        with pytest.raises(InputError, match=said):
            made(config, tmp_path, tmp_path / "out", **more)
    with pytest.raises(InputError, match="no enabled model"):
        made(config.model_copy(update={"models": ()}), tmp_path, tmp_path / "out")


def test_datasets_are_chosen_by_id_or_the_active_one(config: ArenaConfig) -> None:
    """An unknown id lists those there are."""
    assert [d.id for d in chosen_datasets(config)] == ["faces"]
    assert [d.id for d in chosen_datasets(config, every=True)] == ["faces", "known"]
    active = config.model_copy(
        update={"arena": config.arena.model_copy(update={"active_dataset_id": "known"})}
    )
    assert [d.id for d in chosen_datasets(active)] == ["known"]
    with pytest.raises(NotFound, match="no dataset 'x'; the configuration has faces, known"):
        chosen_datasets(config, id="x")
    with pytest.raises(InputError, match="has no datasets"):
        chosen_datasets(ArenaConfig())


def test_two_at_once_do_not_mix(config: ArenaConfig, tmp_path: Path) -> None:
    """The second one is told to wait; the first goes on unharmed."""
    options = Options(bundles_dir=tmp_path / "out", base=tmp_path, batch_size=8)

    class Rival(Silent):
        """Starts the same work from within."""

        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Advance]:
            """Once is enough."""
            with pytest.raises(Conflict, match="another process precomputes 'faces'"):
                precompute(config, QUERIES, config.datasets, options)
            yield lambda _: None

    done = made(config, tmp_path, tmp_path / "out", progress=Rival())
    assert [one.path.exists() for one in done] == [True, True]


@pytest.mark.slow
def test_killed_at_random_and_started_again_gives_the_same_file(
    config: ArenaConfig, tmp_path: Path
) -> None:
    """kill -9 at several moments of a real process; the last run ends with the same bytes."""
    said = config.model_dump(mode="json", exclude_unset=True, exclude={"notes", "given"})
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    (tmp_path / "q.txt").write_text("\n".join(QUERIES), encoding="utf-8")
    command = [
        sys.executable, "-c", "from evenhand.cli.main import main; main()", "arena", "precompute",
        "--config", "c.yaml", "--queries", "q.txt", "--all-datasets", "--batch-size", "1",
        "--bundles-dir", "killed",
    ]  # fmt: skip
    for after in (0.9, 1.2, 1.5, 1.8):
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    for one in made(config, tmp_path, tmp_path / "whole", batch_size=1):
        killed = tmp_path / "killed" / one.path.name
        assert killed.read_bytes() == one.path.read_bytes()
