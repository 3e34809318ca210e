"""Checksum manifests: what is refused, what is found, and what is written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.counterfactual.verify.bundle import portable_name
from evenhand.counterfactual.verify.checksums import check_manifest, read_manifest, write_manifest
from evenhand.errors import Conflict, InputError

HASH = hashlib.sha256(b"content").hexdigest()


def manifest(folder: Path, text: str) -> Path:
    """A manifest with this text in a folder with one file ``a/b.txt``."""
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a/b.txt").write_bytes(b"content")
    path = folder / "SHA256SUMS.txt"
    path.write_bytes(text.encode())
    return path


def failed(path: Path) -> list[str]:
    """What does not hold."""
    return [line.text for line in check_manifest(path) if not line.ok]


@pytest.mark.parametrize("line", [f"{HASH}  a/b.txt", f"{HASH.upper()} *a/b.txt\r"])
def test_a_good_entry_holds(tmp_path: Path, line: str) -> None:
    """Text and binary marks, either case of the digits, and Windows line ends are read."""
    assert failed(manifest(tmp_path, f"{line}\n\n")) == []


@pytest.mark.parametrize(
    "line, reason",
    [
        (f"{HASH} a/b.txt", "is not a SHA-256"),
        (f"{HASH[:-1]}  a/b.txt", "is not a SHA-256"),
        (f"{HASH[:-1]}g  a/b.txt", "is not a SHA-256"),
        (f"\\{HASH}  a/b.txt", "is not a SHA-256"),
        (f"SHA256 (a/b.txt) = {HASH}", "is not a SHA-256"),
        (f"{HASH}  ", "is not a SHA-256"),
        (f"{HASH}  /etc/passwd", "is absolute"),
        (f"{HASH}  ../b.txt", "climbs out"),
        (f"{HASH}  a/../a/b.txt", "climbs out"),
        (f"{HASH}  ./a/b.txt", "plain form"),
        (f"{HASH}  a//b.txt", "plain form"),
        (f"{HASH}  a/", "plain form"),
        (f"{HASH}  .", "plain form"),
        (f"{HASH}  a\\b.txt", "backslash"),
        (f"{HASH}  C:b.txt", "colon"),
        (f"{HASH}  a/b\0.txt", "no text"),
        (f"{HASH}  a/b.txt\n{HASH}  A/B.TXT", "stands twice"),
        ("", "there is no entry"),
        ("\n \n", "there is no entry"),
    ],
)
def test_a_bad_entry_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    """Malformed lines, paths that lead elsewhere, doubles and an empty manifest do not hold."""
    assert any(reason in text for text in failed(manifest(tmp_path, line)))


def test_differing_and_missing_files_are_named(tmp_path: Path) -> None:
    """Every file that differs or is missing is counted; the first few are named."""
    path = manifest(tmp_path, f"{'0' * 64}  a/b.txt\n{HASH}  a/c.txt\n{HASH}  a\n")
    (said,) = failed(path)
    assert "3 of 3 files are not as their checksums say" in said
    assert "a/b.txt: the contents differ" in said
    assert "a/c.txt: is missing" in said
    assert "a: is not a file" in said


def test_links_are_refused(tmp_path: Path) -> None:
    """A linked file and a file behind a linked folder do not hold, even where the contents do."""
    path = manifest(tmp_path, f"{HASH}  link.txt\n{HASH}  away/b.txt\n{HASH}  a/b.txt\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "a/b.txt")
    (tmp_path / "away").symlink_to(tmp_path / "a")
    (said,) = failed(path)
    assert "2 of 3 files" in said
    assert "link.txt: is a link" in said
    assert "away/b.txt: lies behind a link" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    """A named pipe is no file, and is not waited for."""
    path = manifest(tmp_path, f"{HASH}  pipe\n")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: is not a file" in failed(path)[0]


def test_not_utf8_is_one_sentence(tmp_path: Path) -> None:
    """A manifest that is no text says where it stops being one."""
    path = tmp_path / "SHA256SUMS.txt"
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="is not UTF-8 .byte 0."):
        read_manifest(path)


def test_progress_ends_with_all_files(tmp_path: Path) -> None:
    """Progress is told in steps and reaches the number of files."""
    for number in range(300):
        (tmp_path / f"{number}.txt").write_bytes(b"content")
    path = tmp_path / "SHA256SUMS.txt"
    assert write_manifest(tmp_path, path) == 300
    told: list[tuple[int, int]] = []
    assert all(line.ok for line in check_manifest(path, progress=lambda *step: told.append(step)))
    assert told[-1] == (300, 300)
    assert len(told) > 1


def test_what_is_written_holds_for_coreutils_too(tmp_path: Path) -> None:
    """A written manifest is sorted, has two spaces, does not name itself, and holds."""
    path = manifest(tmp_path, "")
    path.unlink()
    (tmp_path / "Z.txt").write_bytes(b"")
    assert write_manifest(tmp_path, path) == 2
    empty = hashlib.sha256(b"").hexdigest()
    assert path.read_text() == f"{empty}  Z.txt\n{HASH}  a/b.txt\n"
    assert failed(path) == []


def test_a_manifest_is_not_written_over(tmp_path: Path) -> None:
    """What may pin a release is not replaced."""
    path = manifest(tmp_path, f"{HASH}  a/b.txt\n")
    with pytest.raises(Conflict, match="is there already"):
        write_manifest(tmp_path, path)
    with pytest.raises(InputError, match="lies in the folder"):
        write_manifest(tmp_path / "a", tmp_path / "new.txt")


@pytest.mark.parametrize("name", ["a\\b.txt", "a:b.txt", "B.txt"])
def test_a_manifest_is_not_written_of_names_it_would_refuse(tmp_path: Path, name: str) -> None:
    """Names that other systems cannot have, or that differ in case alone, stop the writing."""
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "b.txt").write_bytes(b"")
    with pytest.raises(InputError, match=r"backslash|colon|stands twice"):
        write_manifest(tmp_path, tmp_path / "SHA256SUMS.txt")
    assert not (tmp_path / "SHA256SUMS.txt").exists()


def test_links_and_empty_folders_are_not_described(tmp_path: Path) -> None:
    """A release holds files: nothing, and a link, stop the writing."""
    with pytest.raises(InputError, match="no file to describe"):
        write_manifest(tmp_path, tmp_path / "SHA256SUMS.txt")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link"):
        write_manifest(tmp_path, tmp_path / "SHA256SUMS.txt")


@given(st.text(max_size=30))
def test_no_path_that_is_taken_leads_out(name: str) -> None:
    """A path that is taken has only plain parts, and joins to something below the folder."""
    try:
        path = portable_name(name)
    except InputError:
        return
    assert path.parts
    assert not path.is_absolute()
    assert not {"..", ".", ""} & set(path.parts)
    assert Path(os.path.normpath(Path("/root") / path)).is_relative_to("/root")
