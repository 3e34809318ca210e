"""Files that lie, are cut off, or are no bundles: one sentence each, and no memory for what they claim."""

from __future__ import annotations

import io
import json
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand.arena.bundles import layout
from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.bundles.reading import glance, open_bundle
from evenhand.arena.bundles.upgrade import upgrade
from evenhand.arena.bundles.verify import verify
from evenhand.errors import EvenhandError, InputError, StorageError
from support.bundles import small_bundle

Members = dict[str, bytes]
JPEG = b"\xff\xd8\xff picture \xff\xd9"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound bundle."""
    return small_bundle(
        tmp_path_factory.mktemp("sound"), n_images=12, models=2, queries=("doctor",)
    )


def npy(values: Any, **how: Any) -> bytes:
    """An npy file."""
    file = io.BytesIO()
    np.save(file, np.asarray(values), **how)
    return file.getvalue()


def members_of(path: Path) -> Members:
    """Every member's bytes, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}


def put(path: Path, members: Members, *, sealed: bool = True) -> Path:
    """Write members as they are; ``sealed`` makes a manifest that fits them."""
    import hashlib

    if sealed:
        members = {k: v for k, v in members.items() if k != layout.MANIFEST}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        manifest = {"format": 1, "version": layout.version_of(sums), "sha256": sums}
        members[layout.MANIFEST] = npy([json.dumps(manifest)])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def head(descr: str, shape: str) -> bytes:
    """An npy file with any head and no numbers."""
    said = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said


def objects() -> bytes:
    """An array of Python objects: a pickle."""
    return npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)


LIES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no offsets": ({layout.OFFSETS: None}, "thumbnail_offsets: not there"),
    "falling offsets": (
        {layout.OFFSETS: npy(np.r_[np.arange(12), 5][::-1].astype("i8"))}, "thumbnail_offsets: from 5"),
    "offsets that fall inside": ({layout.OFFSETS: b"inside"}, "an offset is lower"),
    "offsets beyond the end": ({layout.OFFSETS: npy(np.arange(13) * 10**12)}, "thumbnail_offsets"),
    "negative offsets": ({layout.OFFSETS: npy(np.arange(13) - 3)}, "thumbnail_offsets"),
    "offsets as floats": ({layout.OFFSETS: npy(np.arange(13.0))}, "thumbnail_offsets: <f8"),
    "too many images": ({layout.N_IMAGES: npy([13])}, "belongs"),
    "no images": ({layout.N_IMAGES: npy([0])}, "n_images: 0 is no number of images"),
    "minus one image": ({layout.N_IMAGES: npy([-1])}, "n_images: -1"),
    "images without end": ({layout.N_IMAGES: npy([2**40])}, "n_images"),
    "an index beyond": ({layout.ranking_indices("m0"): npy(np.full((1, 3), 12, "i4")),
                         layout.ranking_similarities("m0"): npy(np.zeros((1, 3), "f4"))},
                        "ranking_indices__m0: names an image beyond"),
    "a negative index": ({layout.ranking_indices("m0"): npy(np.full((1, 3), -1, "i4")),
                          layout.ranking_similarities("m0"): npy(np.zeros((1, 3), "f4"))},
                         "ranking_indices__m0"),
    "similarities of another shape": (
        {layout.ranking_similarities("m0"): npy(np.zeros((1, 3), "f4"))}, "ranking_similarities__m0"),
    "similarities that are NaN": (
        {layout.ranking_similarities("m1"): npy(np.full((1, 12), np.nan, "f4"))}, "not all are numbers"),
    "embeddings of eleven": (
        {layout.image_embeddings("m0"): npy(np.zeros((11, 16), "f2"))}, "image_embs__m0"),
    "embeddings as float64": (
        {layout.image_embeddings("m0"): npy(np.zeros((12, 16)))}, "image_embs__m0: <f8"),
    "embeddings in Fortran order": (
        {layout.image_embeddings("m0"): npy(np.asfortranarray(np.zeros((12, 16), "f2")))},
        "image_embs__m0: not an array"),
    "pickled objects": ({layout.OFFSETS: objects()}, "thumbnail_offsets: not an array"),
    "pickled text": ({layout.QUERIES: objects()}, "queries_json: not an array"),
    "a structured type": (
        {layout.OFFSETS: npy(np.zeros(13, dtype=[("a", "i8")]))}, "not an array"),
    "big-endian": ({layout.OFFSETS: npy(np.arange(13).astype(">i8"))}, "not an array"),
    "an endless shape": ({layout.OFFSETS: head("'<i8'", "(281474976710655,)")}, "do not hold"),
    "a shape of products": (
        {layout.image_embeddings("m0"): head("'<f2'", "(12, 281474976710655)")}, "do not hold"),
    "a negative shape": ({layout.OFFSETS: head("'<i8'", "(-13,)")}, "not an array"),
    "a shape of truths": ({layout.OFFSETS: head("'<i8'", "(True,)")}, "not an array"),
    "a head that is code": ({layout.OFFSETS: head("__import__('os')", "(1,)")}, "not an array"),
    "a head that nests": ({layout.OFFSETS: head("'<i8'", "(" * 300 + ")" * 300)}, "not an array"),
    "a text type without end": ({layout.QUERIES: head("'<U999999999'", "(1,)")}, "queries_json"),
    "text that is no text": (
        {layout.QUERIES: head("'<U1'", "(1,)") + b"\xff\xff\xff\xff"}, "queries_json: not text"),
    "no JSON": ({layout.QUERIES: npy(["{"])}, "queries_json: not JSON"),
    "JSON nested deeply": ({layout.QUERIES: npy(["[" * 100_000])}, "queries_json: not JSON"),
    "queries that are numbers": ({layout.QUERIES: npy(["[1]"])}, "queries_json: not a JSON list"),
    "a query twice": ({layout.QUERIES: npy(['["a", "a"]'])}, "there twice"),
    "no models": ({layout.MODELS: npy(["[]"])}, "model_ids_json: no models"),
    "a model without a ranking": ({layout.MODELS: npy(['["m9"]'])}, "ranking_indices__m9"),
    "a dataset elsewhere": ({layout.DATASET: npy(["../../etc/passwd"])}, "is no id"),
    "a dataset of two": ({layout.DATASET: npy(["a", "b"])}, "dataset_id: .*one text"),
    "provenance that is a list": ({layout.PROVENANCE: npy(["[]"])}, "not a JSON mapping"),
    "captions of another number": (
        {"captions_offsets": npy(np.zeros(5, "i8"))}, "captions_offsets"),
    "an empty member": ({layout.OFFSETS: b""}, "not an array"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_member_that_lies_is_named(sound: Path, tmp_path: Path, name: str) -> None:
    """Every false member is refused on opening, in one sentence with the file and the member."""
    changes, said = LIES[name]
    members = members_of(sound)
    offsets = np.load(io.BytesIO(members[layout.OFFSETS])).copy()
    offsets[5], offsets[6] = offsets[6], offsets[5]
    for member, content in changes.items():
        members.pop(member)
        if content is not None:
            members[member] = npy(offsets) if content == b"inside" else content
    path = put(tmp_path / "b.npz", members)
    with pytest.raises(InputError, match=said) as caught:
        open_bundle(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


MANIFESTS = {
    "not JSON": "{",
    "a list": "[]",
    "nothing in it": "{}",
    "sums that are a list": '{"format": 1, "version": "x", "sha256": [1]}',
    "a newer format": '{"format": 2, "version": "x", "sha256": {}}',
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_is_none_is_refused(sound: Path, tmp_path: Path, name: str) -> None:
    """A manifest of another make or a newer format is refused."""
    members = members_of(sound) | {layout.MANIFEST: npy([MANIFESTS[name]])}
    with pytest.raises(InputError, match="manifest_json: (not|format 2, newer than 1)"):
        open_bundle(put(tmp_path / "b.npz", members, sealed=False))


def test_members_must_be_those_of_the_manifest(sound: Path, tmp_path: Path) -> None:
    """A member more, or one less, or a text other than its checksum is refused on opening."""
    members = members_of(sound)
    with pytest.raises(InputError, match="extra: in the manifest or in the file"):
        open_bundle(put(tmp_path / "more", members | {"extra": npy([1])}, sealed=False))
    less = {k: v for k, v in members.items() if k != "query_embs__m0"}
    with pytest.raises(InputError, match="query_embs__m0: in the manifest or in the file"):
        open_bundle(put(tmp_path / "less", less, sealed=False))
    other = members | {layout.QUERIES: members[layout.QUERIES].replace(b"d\0\0\0o", b"D\0\0\0o")}
    with pytest.raises(InputError, match="queries_json: damaged: its checksum differs"):
        open_bundle(put(tmp_path / "other", other, sealed=False))


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "..\\x", "a\nb", "x" * 500, "", "a/.."]
)
def test_names_that_are_paths_are_refused(sound: Path, tmp_path: Path, name: str) -> None:
    """A member whose name would mean a place elsewhere is refused, though nothing is unpacked."""
    path = put(tmp_path / "b.npz", members_of(sound) | {name: npy([1])})
    with pytest.raises(InputError, match="is no array's name"):
        open_bundle(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(sound: Path, tmp_path: Path) -> None:
    """Two members of one name would be read differently by different readers."""
    path = put(tmp_path / "b.npz", members_of(sound))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{layout.OFFSETS}.npy", npy([1]))
    with pytest.raises(InputError, match="thumbnail_offsets: there twice"):
        open_bundle(path)


def legacy_members(n: int = 3) -> Members:
    """What a bundle of Fairness Arena holds."""
    ranking = {"m0": {"doctor": {"indices": [2, 0], "similarities": [0.5, 0.25]}}}
    config = {"arena": {"max_scroll_images": 2}, "models": [{"id": "m0", "name": "M"}]}
    return {
        layout.CONFIG: npy([json.dumps(config)]),
        layout.QUERIES: npy(['["doctor"]']),
        layout.MODELS: npy(['["m0"]']),
        layout.DATASET: npy(["old"]),
        layout.N_IMAGES: npy([n]),
        layout.OFFSETS: npy(np.arange(n + 1)),
        layout.THUMBNAILS: npy(np.arange(n, dtype=np.uint8)),
        layout.RETRIEVALS: npy([json.dumps(ranking)]),
        layout.image_embeddings("m0"): npy(np.eye(n, 4, dtype="f2")),
    }


def put_legacy(path: Path, members: Members) -> Path:
    """Deflated, as the reference writes them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def test_a_bundle_without_datasets_opens(tmp_path: Path) -> None:
    """A legacy bundle whose configuration has no list of datasets is shown under its own id (its
    admin page was a 500: B15)."""
    bundle = open_bundle(put_legacy(tmp_path / "old.npz", legacy_members()))
    assert (bundle.legacy, bundle.dataset, bundle.title) == (True, "old", "old")
    assert bundle.titles == {"m0": "M"}
    assert bundle.ranking("m0", "doctor").tolist() == [2, 0]
    assert [bytes(bundle.thumbnail(at)) for at in range(3)] == [b"\0", b"\1", b"\2"]
    assert (bundle.image_ids[1], bundle.captions, dict(bundle.attributes)) == ("1", None, {})
    assert bundle.config is not None
    assert bundle.config.datasets == ()


def test_a_legacy_bundle_is_upgraded(tmp_path: Path) -> None:
    """In our format it shows the same pictures, rankings and names, and can be verified."""
    members = legacy_members(3) | {
        layout.THUMBNAILS: npy(np.frombuffer(JPEG * 3, np.uint8)),
        layout.OFFSETS: npy(np.arange(4) * len(JPEG)),
    }
    old = put_legacy(tmp_path / "old.npz", members)
    upgrade(old, tmp_path / "new.npz")
    before, after = open_bundle(old), open_bundle(tmp_path / "new.npz")
    assert (after.legacy, after.dataset, after.titles) == (False, "old", {"m0": "M"})
    assert after.ranking("m0", "doctor").tolist() == before.ranking("m0", "doctor").tolist()
    assert after.similarities("m0", "doctor").tolist() == [0.5, 0.25]
    assert bytes(after.thumbnail(2)) == JPEG
    assert (after.embeddings("m0") == before.embeddings("m0")).all()
    assert verify(after.path) == ()
    with pytest.raises(InputError, match="already a bundle of this format"):
        upgrade(after.path, tmp_path / "newer.npz")


RETRIEVALS = {
    "no rankings": "{}",
    "a list": "[]",
    "a model without rankings": '{"m0": 5}',
    "no similarities": '{"m0": {"doctor": {"indices": [1]}}}',
    "too few similarities": '{"m0": {"doctor": {"indices": [1], "similarities": []}}}',
    "an index beyond": '{"m0": {"doctor": {"indices": [3], "similarities": [1]}}}',
    "a negative index": '{"m0": {"doctor": {"indices": [-1], "similarities": [1]}}}',
    "a text as index": '{"m0": {"doctor": {"indices": ["1"], "similarities": [1]}}}',
    "a truth as index": '{"m0": {"doctor": {"indices": [true], "similarities": [1]}}}',
    "NaN": '{"m0": {"doctor": {"indices": [1], "similarities": [NaN]}}}',
    "texts as similarities": '{"m0": {"doctor": {"indices": [1], "similarities": ["x"]}}}',
    "a huge index": '{"m0": {"doctor": {"indices": [1e400], "similarities": [1]}}}',
    "an entry that is a list": '{"m0": {"doctor": []}}',
}


@pytest.mark.parametrize("name", RETRIEVALS)
def test_legacy_rankings_that_lie_are_refused(tmp_path: Path, name: str) -> None:
    """Rankings as JSON are held to the images that are there."""
    members = legacy_members() | {layout.RETRIEVALS: npy([RETRIEVALS[name]])}
    with pytest.raises(InputError, match="retrievals_json"):
        open_bundle(put_legacy(tmp_path / "old.npz", members))


def test_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    """A small file that would become gigabytes is refused by what it declares."""
    members = legacy_members() | {
        layout.THUMBNAILS: head("'|u1'", "(80000000,)") + bytes(8 * 10**7)
    }
    path = put_legacy(tmp_path / "old.npz", members)
    assert path.stat().st_size < 400_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="would inflate to 800.*refused"):
        open_bundle(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize("declared", [10, 10**9, 2**32 - 2])
def test_a_member_that_inflates_otherwise_than_declared(tmp_path: Path, declared: int) -> None:
    """Inflating stops at the declared size; more or fewer bytes are a broken member."""
    path = put_legacy(tmp_path / "old.npz", legacy_members())
    content = bytearray(path.read_bytes())
    at = content.rindex(f"{layout.THUMBNAILS}.npy".encode()) - 46
    struct.pack_into("<I", content, at + 24, declared)
    path.write_bytes(content)
    with pytest.raises(InputError, match="thumbnail_bytes|would inflate"):
        open_bundle(path)


def test_damage_inside_is_found_by_verify(sound: Path, tmp_path: Path) -> None:
    """A flipped bit in pictures or embeddings opens, and verify names the member."""
    content = bytearray(sound.read_bytes())
    bundle = open_bundle(sound)
    assert bundle.pictures_at is not None
    content[bundle.pictures_at + 700] ^= 1
    content[bundle.arrays.place(layout.image_embeddings("m1")) or 0] ^= 0x80
    path = tmp_path / "b.npz"
    path.write_bytes(content)
    assert open_bundle(path).n_images == 12
    problems = verify(path)
    assert any("thumbnail_bytes" in line for line in problems)
    assert any("image_embs__m1" in line for line in problems)
    assert all(len(line.splitlines()) == 1 for line in problems)


def test_what_checksums_cannot_see_is_found_by_verify(sound: Path, tmp_path: Path) -> None:
    """Sealed falsely: rows that are NaN, no pictures, codes without values, another ranking."""
    members = members_of(sound)
    swapped = np.load(io.BytesIO(members[layout.ranking_indices("m1")])).copy()
    swapped[0, :2] = swapped[0, 1::-1]
    rows = np.load(io.BytesIO(members[layout.image_embeddings("m0")])).copy()
    rows[3] = np.nan
    members |= {
        layout.ranking_indices("m1"): npy(swapped),
        layout.image_embeddings("m0"): npy(rows),
        layout.attribute_codes(0): npy(np.full(12, 7, "i4")),
        layout.THUMBNAILS: npy(np.zeros_like(np.load(io.BytesIO(members[layout.THUMBNAILS])))),
    }
    told = "\n".join(verify(put(tmp_path / "b.npz", members)))
    for said in ("row 3 has length nan", "thumbnail 0: not a whole JPEG", "and 7 more like it",
                 "attribute_codes__0: a code without a value", "ranking of 'doctor' by m1"):  # fmt: skip
        assert said in told


def test_files_that_are_no_bundles(tmp_path: Path) -> None:
    """Nothing, a folder, text, a picture and another npz are refused in a sentence."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("PK\x05\x06 hello, this is not a zip file at all, is it")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    for name in ("nowhere", "folder", "empty", "text", "other.npz"):
        with pytest.raises(EvenhandError) as caught:
            open_bundle(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def look_at_everything(bundle: Bundle) -> None:
    """Read whatever a server reads."""
    for at in (0, bundle.n_images - 1):
        bundle.thumbnail(at)
        assert bundle.image_ids[at] is not None
    for model in bundle.models:
        bundle.embeddings(model)
        for query in bundle.queries:
            assert bundle.ranking(model, query).max(initial=0) < bundle.n_images
    assert bundle.attributes is not None


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One of: bits flipped, cut off, a part left out, doubled, zeroed, or a number made extreme."""
    raw = bytearray(content)
    # Half of the changes near the directory at the end, where the lies are most dangerous.
    begin = 0 if rng.random() < 0.5 else max(0, len(raw) - 4000)
    at = int(rng.integers(begin, len(raw)))
    length = int(rng.integers(1, 200))
    kind = rng.integers(0, 6)
    if kind == 0:
        for place in rng.integers(begin, len(raw), rng.integers(1, 8)):
            raw[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == 1:
        del raw[at:]
    elif kind == 2:
        del raw[at : at + length]
    elif kind == 3:
        raw[at:at] = raw[at : at + length]
    elif kind == 4:
        raw[at : at + length] = bytes(len(raw[at : at + length]))
    else:
        extreme = (b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff" * 8)
        chosen = extreme[int(rng.integers(0, len(extreme)))]
        raw[at : at + len(chosen)] = chosen
    return bytes(raw)


def fuzz(path: Path, content: bytes, seeds: range, look: Callable[[Bundle], None]) -> int:
    """Open mutated files; only our own one-sentence errors may come. Returns how many opened."""
    opened, said = 0, []
    for seed in seeds:
        path.write_bytes(mutated(content, np.random.default_rng(seed)))
        try:
            glance(path)
            bundle = open_bundle(path)
            opened += 1
            look(bundle)
        except (InputError, StorageError) as error:
            said.append(str(error))
    assert [line for line in said if len(line.splitlines()) != 1] == []
    return opened


@pytest.mark.parametrize("kind", ["ours", "legacy"])
def test_hundreds_of_broken_files(sound: Path, tmp_path: Path, kind: str) -> None:
    """Mutated bundles open or are refused in one sentence; nothing else is ever raised."""
    content = sound.read_bytes()
    if kind == "legacy":
        content = put_legacy(tmp_path / "old.npz", legacy_members()).read_bytes()
    opened = fuzz(tmp_path / "b.npz", content, range(150), look_at_everything)
    assert 0 < opened < 140


@pytest.mark.slow
def test_thousands_of_broken_files(sound: Path, tmp_path: Path) -> None:
    """The same for thousands, each also verified to the last byte, in bounded memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def look(bundle: Bundle) -> None:
        look_at_everything(bundle)
        assert isinstance(verify(bundle.path), tuple)

    legacy = put_legacy(tmp_path / "old.npz", legacy_members()).read_bytes()
    for content in (sound.read_bytes(), legacy):
        fuzz(tmp_path / "b.npz", content, range(1000, 4000), look)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
