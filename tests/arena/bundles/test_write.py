"""Writing bundles: what is written is what is read, whole or not at all."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evenhand.arena.bundles.contents import BundleContents
from evenhand.arena.bundles.layout import version_of
from evenhand.arena.bundles.reading import open_bundle
from evenhand.arena.bundles.verify import verify
from evenhand.arena.bundles.write import write_bundle
from evenhand.arena.search.exact import exact_similarities
from evenhand.errors import InputError, InvalidInputs, NotFound, StorageError
from support.bundles import QUERIES, small_bundle, small_contents, thumbnails


def test_everything_comes_back(tmp_path: Path) -> None:
    """Ids, captions, attributes, pictures, embeddings, titles and provenance are as given."""
    contents = small_contents(text_encoder=True)
    pictures = list(contents.thumbnails)
    path = tmp_path / "b.npz"
    version = write_bundle(path, replace(contents, thumbnails=iter(pictures)))
    bundle = open_bundle(path)
    assert (bundle.dataset, bundle.title, bundle.version) == ("tiny", "Dataset tiny", version)
    assert (bundle.models, bundle.titles["m1"]) == (("m0", "m1", "m2", "m3"), "Model 1")
    assert (bundle.queries, bundle.n_images, bundle.legacy) == (QUERIES, 60, False)
    assert list(bundle.image_ids) == contents.image_ids
    assert bundle.image_ids[-2:] == ("image-0058", "image-0059")
    assert bundle.captions is not None
    assert list(bundle.captions) == contents.captions
    assert {k: list(v) for k, v in bundle.attributes.items()} == contents.attributes
    assert [bytes(bundle.thumbnail(at)) for at in range(60)] == pictures
    assert bundle.config is not None
    assert bundle.config.models == contents.config.models
    assert bundle.config.arena == contents.config.arena
    assert bundle.provenance["models"]["m2"] == {"model": "planted 2"}
    for model in contents.models:
        kept = bundle.embeddings(model.id)
        assert kept is not None
        assert (kept == model.embeddings.astype("f2")).all()
        assert kept.flags.aligned
        assert not kept.flags.writeable
    assert bundle.text_models == bundle.models
    assert verify(path) == ()


def test_texts_of_any_script_come_back(tmp_path: Path) -> None:
    """Captions and ids keep every character, the empty text included."""
    contents = small_contents(n_images=4, models=1)
    captions = ["", "Ärztin 👩🏽‍⚕️", "医者\n", "الطبيب"]
    path = tmp_path / "b.npz"
    write_bundle(path, replace(contents, captions=captions))
    assert list(open_bundle(path).captions or ()) == captions


def test_numpy_reads_it_without_pickles(tmp_path: Path) -> None:
    """The file is an npz with the documented names; its manifest's version is of its checksums."""
    bundle = open_bundle(small_bundle(tmp_path))
    with np.load(bundle.path, allow_pickle=False) as found:
        assert json.loads(str(found["queries_json"][0])) == list(QUERIES)
        assert found["thumbnail_offsets"][-1] == len(found["thumbnail_bytes"])
        assert (found["ranking_indices__m0"][0] == bundle.ranking("m0", QUERIES[0])).all()
        manifest = json.loads(str(found["manifest_json"][0]))
    assert manifest["format"] == 1
    assert manifest["version"] == version_of(manifest["sha256"]) == bundle.version


def test_every_array_is_stored_and_aligned(tmp_path: Path) -> None:
    """Each member's numbers begin at a multiple of 64 bytes, so that they can be mapped."""
    path = small_bundle(tmp_path, text_encoder=True)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            begin = content.index(b"\x93NUMPY", entry.header_offset)
            head = int.from_bytes(content[begin + 8 : begin + 10], "little")
            assert (begin + 10 + head) % 64 == 0, entry.filename


def test_a_rebuild_is_the_same_file(tmp_path: Path) -> None:
    """The same contents give the same bytes and version; another picture gives another version."""
    contents = small_contents()
    pictures = list(contents.thumbnails)
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    assert write_bundle(one, contents) == write_bundle(two, contents)
    assert one.read_bytes() == two.read_bytes()
    pictures[7] = thumbnails(1, seed=99)[0]
    assert write_bundle(three, replace(contents, thumbnails=pictures)) != open_bundle(one).version


def test_rankings_come_from_the_embeddings_that_are_kept(tmp_path: Path) -> None:
    """Rankings of the bundle are those of the float16 rows (the reference ranked float32 ones,
    so that open queries ordered near-ties otherwise: B22)."""
    contents = small_contents(n_images=200, top=80)
    path = tmp_path / "b.npz"
    write_bundle(path, contents)
    bundle = open_bundle(path)
    for model in contents.models:
        kept = bundle.embeddings(model.id)
        assert kept is not None
        for at, query in enumerate(QUERIES):
            alike = exact_similarities(kept, np.asarray(model.query_embeddings[at]))
            best = np.argsort(-alike, kind="stable")[:80]
            assert bundle.ranking(model.id, query).tolist() == best.tolist()
            assert bundle.similarities(model.id, query).tolist() == alike[best].tolist()


def test_what_is_unknown_is_not_found(tmp_path: Path) -> None:
    """An unknown model, query or image is a 404 with its name."""
    bundle = open_bundle(small_bundle(tmp_path))
    for ask in (
        lambda: bundle.ranking("m9", QUERIES[0]),
        lambda: bundle.ranking("m0", "plumber"),
        lambda: bundle.embeddings("m9"),
        lambda: bundle.text_encoder("m9"),
        lambda: bundle.thumbnail(60),
        lambda: bundle.thumbnail(-1),
    ):
        with pytest.raises(NotFound):
            ask()


def spoiled(at: int, n: int = 60) -> Iterator[bytes]:
    """Pictures that end or break in the middle."""
    for place, picture in enumerate(thumbnails(n)):
        if place == at:
            yield picture[:-1]
        yield picture


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        (thumbnails(59), "59 thumbnails for 60 images"),
        (thumbnails(61), "more thumbnails for 60 images"),
        (spoiled(30), "thumbnail 30: not a whole JPEG file"),
    ],
)
def test_a_bundle_that_fails_leaves_nothing(
    tmp_path: Path, pictures: list[bytes], said: str
) -> None:
    """A failure half-way leaves the old bundle, and no other file."""
    path = small_bundle(tmp_path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=said):
        write_bundle(path, replace(small_contents(), thumbnails=pictures))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_every_wrong_thing_is_told_at_once(tmp_path: Path) -> None:
    """Contents that do not fit together are refused with everything that does not."""
    good = small_contents(models=2)
    first, second = good.models
    wrong = replace(
        good,
        dataset="../etc",
        models=[
            replace(first, query_embeddings=first.query_embeddings[:1]),
            replace(second, id="m0", embeddings=second.embeddings[:9], text_encoder={"x": b""}),
        ],
        queries=["doctor", "doctor", " "],
        captions=["one"],
        image_ids=["same"] * 60,
        top=0,
    )
    with pytest.raises(InvalidInputs) as caught:
        write_bundle(tmp_path / "b.npz", wrong)
    told = [problem.where for problem in caught.value.problems]
    assert told == ["dataset", "models", "queries", "queries", "top", "model m0", "model m0", "model m0", "image_ids", "captions"]  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0, 0.0])
def test_rows_that_are_not_of_length_one_are_refused(tmp_path: Path, value: float) -> None:
    """Embeddings with NaN, or not normalised, name the model and the row."""
    good = small_contents(models=1)
    rows = np.array(good.models[0].embeddings)
    rows[17] = value
    wrong: BundleContents = replace(good, models=[replace(good.models[0], embeddings=rows)])
    with pytest.raises(InputError, match="embeddings of m0: row 17 has length"):
        write_bundle(tmp_path / "b.npz", wrong)


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    """What the disk refuses is said in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write_bundle(tmp_path / "file" / "b.npz", small_contents())


def test_a_stream_larger_than_its_blocks(tmp_path: Path) -> None:
    """More rows, bytes and texts than are moved at a time arrive in order."""
    n = 10_500
    rng = np.random.default_rng(0)
    rows = np.zeros((n, 2), np.float32)
    rows[:, 0] = np.cos(angles := rng.random(n))
    rows[:, 1] = np.sin(angles)
    good = small_contents(models=1, queries=("doctor",))
    model = replace(good.models[0], embeddings=rows, query_embeddings=rows[:1])
    pictures = thumbnails(7)
    path = tmp_path / "b.npz"
    contents = replace(
        good, models=[model], attributes={}, image_ids=None,
        captions=[f"number {at}" for at in range(n)],
        thumbnails=(pictures[at % 7] for at in range(n)),
    )  # fmt: skip
    write_bundle(path, contents)
    bundle = open_bundle(path)
    assert bundle.image_ids[10_499] == "10499"
    assert (bundle.captions or ())[10_001] == "number 10001"
    assert bytes(bundle.thumbnail(10_498)) == pictures[10_498 % 7]
    kept = bundle.embeddings("m0")
    assert kept is not None
    assert (kept == rows.astype("f2")).all()
    assert io.BytesIO(bundle.thumbnail(0)).getvalue() == pictures[0]
