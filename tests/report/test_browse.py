"""Transcript pages: every conversation is there, filters lead to it, and no text is markup."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from evenhand.errors import InputError, StorageError
from evenhand.report.browse import MOST_GROUPS, BrowseItem, BrowseMessage, write_pages
from report.material import HOSTILE


def talk(
    place: int, reading: str = "choice", groups: tuple[str, ...] = (), words: str = "x"
) -> BrowseItem:
    """A conversation of two speakers; the second is read as asked for."""
    messages = (
        BrowseMessage(
            agent="A", text=words, reading="choice", choice="B", rule="letter", identity=words
        ),
        BrowseMessage(agent="B", text=words, reading=reading, rule="declined", model=words),
    )
    return BrowseItem(
        key=f"c0001/q{place}/0",
        question=f"{words} {place}?",
        context=words,
        options=(("A", words), ("B", words)),
        gold="B",
        condition=words,
        groups=groups,
        status="answered",
        rounds=(messages, messages),
    )


def links(page: Path) -> list[str]:
    """The page's links, without those within it."""
    return [unescape(h) for h in re.findall(r'<a [^>]*href="([^"#][^"]*)"', page.read_text())]


def test_each_conversation_stands_on_one_page_with_its_readings(tmp_path: Path) -> None:
    """25 conversations at 10 a page are three pages; a reading shows its kind, choice and rule."""
    written = write_pages((talk(n) for n in range(25)), tmp_path, title="Run", page_size=10)
    pages = sorted((tmp_path / "pages").iterdir())
    assert (written.conversations, written.pages, len(pages)) == (25, 3, 3)
    text = "".join(page.read_text() for page in pages)
    assert re.findall(r'<article class="talk" id="c(\d+)"', text) == [str(n) for n in range(1, 26)]
    assert "<strong>Choice B</strong> by letter" in text
    assert text.count("Round 1") == 25, "rounds count from 0, as in exports"


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    """From the index every page and list is reached, and no link is broken, anchors included."""
    items = [
        talk(n, ("choice", "refusal", "unreadable")[n % 3], (f"g {n % 4}",)) for n in range(37)
    ]
    written = write_pages(items, tmp_path, title="Run", page_size=5)
    seen, todo = {written.index.resolve()}, [written.index.resolve()]
    while todo:
        page = todo.pop()
        for link in links(page):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve()
            assert target.exists(), link
            if anchor:
                assert f'id="{anchor}"' in target.read_text(), link
            if target not in seen:
                seen.add(target)
                todo.append(target)
    assert seen == {path.resolve() for path in tmp_path.rglob("*.html")}


def test_filters_hold_what_they_name(tmp_path: Path) -> None:
    """The list of refusals in one group holds those conversations and no other."""
    items = [
        talk(n, "refusal" if n in (3, 5) else "choice", ("old" if n < 5 else "young",))
        for n in range(8)
    ]
    write_pages(items, tmp_path, title="Run")
    index = (tmp_path / "index.html").read_text()
    row = re.search(r'<th scope="row">old</th>(.*?)</tr>', index)
    assert row is not None
    assert re.sub(r"<[^>]+>", " ", row[1]).split() == ["5", "5", "1"]
    refusal = re.findall(r'href="(lists/refusal[^"]+)"', row[1])
    assert re.findall(r"c0001/q(\d+)/0</td>", (tmp_path / refusal[0]).read_text()) == ["3"]


def test_a_group_without_a_reading_counts_none(tmp_path: Path) -> None:
    """A reading that only other groups have is a 0 that leads nowhere."""
    items = [talk(1, "refusal", ("old",)), talk(2, "choice", ("young",))]
    index = write_pages(items, tmp_path, title="Run").index.read_text()
    assert re.search(r"young</th><td>.*?1</a></td><td>.*?1</a></td><td>0</td>", index)


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """No word of a model, question or group can open a tag or leave the folder."""
    item = talk(0, "refusal", (HOSTILE, "../../etc"), HOSTILE)
    write_pages([item], tmp_path / "out", title=HOSTILE)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    for path in tmp_path.rglob("*.html"):
        page = path.read_text()
        assert "<script" not in page
        assert "<img" not in page
        assert not re.search(r"(?:https?:)?//", page)
        assert "default-src 'none'" in page


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Four times as many conversations do not take more memory while they are written."""

    def peak(n: int) -> int:
        def stream() -> Iterator[BrowseItem]:
            return (talk(k, "refusal", (f"g{k % 3}",), "w" * 200) for k in range(n))

        tracemalloc.start()
        write_pages(stream(), tmp_path / str(n), title="Run", page_size=25)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)
    assert peak(1000) < 1.2 * peak(250)


def test_many_groups_share_a_list(tmp_path: Path) -> None:
    """Beyond the most that have lists of their own, groups are found under one heading."""
    items = [talk(n, "choice", (f"group {n}",)) for n in range(MOST_GROUPS + 20)]
    write_pages(items, tmp_path, title="Run", page_size=50)
    index = (tmp_path / "index.html").read_text()
    row = re.search(r'<th scope="row">other groups</th>(.*?)</tr>', index)
    assert row is not None
    assert re.sub(r"<[^>]+>", " ", row[1]).split() == ["20", "20"]


def test_nothing_to_show_is_said(tmp_path: Path) -> None:
    """An empty run gives an index that says so."""
    written = write_pages([], tmp_path, title="Run")
    assert "no conversation here yet" in written.index.read_text()
    assert (written.conversations, written.pages) == (0, 0)


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    """A page size of nothing, an unknown reading, a folder that is a file."""
    with pytest.raises(InputError, match="a page of 0 conversations"):
        write_pages([], tmp_path, title="Run", page_size=0)
    with pytest.raises(InputError, match="no reading 'maybe'; known are choice"):
        write_pages([talk(0, "maybe")], tmp_path, title="Run")
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="transcript pages cannot be written"):
        write_pages([], tmp_path / "taken", title="Run")
