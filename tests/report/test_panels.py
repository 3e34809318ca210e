"""Texts side by side in a page, in Markdown and in the record."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evenhand.report import html, markdown
from evenhand.report.blocks import Mark, Panel, Report, SideBySide
from evenhand.report.panels import data_url, pieces, same_and_own
from evenhand.report.record import as_json
from evenhand.stats.estimate import Result
from report.material import HOSTILE


def picture(kind: str = "PNG") -> bytes:
    """A small image file."""
    file = io.BytesIO()
    Image.new("L", (4, 4), 128).save(file, kind)
    return file.getvalue()


def page(*panels: Panel) -> Report:
    """A report of nothing but these."""
    return Report("T", "", [SideBySide("One pair", panels)], Result((), ()))


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(-2, 45), st.integers(-2, 45)), max_size=6),
)
def test_no_character_is_lost(text: str, spans: list[tuple[int, int]]) -> None:
    """Whatever the marks, the pieces put together are the text."""
    panel = Panel("", text, tuple(Mark(max(a, 0), b, "x") for a, b in spans))
    assert "".join(piece.text for piece in pieces(panel)) == text


def test_marks_say_what_only_one_text_has() -> None:
    """A category read in both texts is toned down, one read in one text stands out."""
    one, two = same_and_own([Mark(0, 7, "surgery")], [Mark(0, 3, "imaging")])
    assert (one[0].tone, two[0].tone) == ("own", "own")
    one, two = same_and_own([Mark(0, 7, "surgery")], [Mark(3, 9, "surgery")])
    assert (one[0].tone, two[0].tone) == ("same", "same")


def test_words_and_labels_are_escaped() -> None:
    """A report's text, its label and its title cannot become markup."""
    panel = Panel(HOSTILE, HOSTILE, (Mark(0, len(HOSTILE), HOSTILE, "own"),), HOSTILE, None, "")
    shown = html.render(page(panel))
    assert "<script" not in shown
    assert "<img" not in shown
    told = markdown.render(page(panel))
    assert "<script" not in told.replace("\\<", "")


def test_only_real_images_are_put_in() -> None:
    """PNG and JPEG files become part of the page; anything else is left out."""
    assert str(data_url(picture())).startswith("data:image/png;base64,")
    assert str(data_url(picture("JPEG"))).startswith("data:image/jpeg;base64,")
    assert data_url(b"<svg onload=alert(1)>") is None
    shown = html.render(page(Panel("source", "x", image=picture(), alt="the source image")))
    assert 'alt="the source image"' in shown
    assert "<img" not in html.render(page(Panel("source", "x", image=b"GIF89a")))


def test_the_record_leaves_images_out() -> None:
    """``report.json`` holds texts and marks, and no image."""
    (block,) = as_json(page(Panel("source", "no mri", (Mark(3, 6, "imaging"),), image=picture())))[
        "blocks"
    ]
    assert block["kind"] == "SideBySide"
    assert block["panels"][0]["text"] == "no mri"
    assert "image" not in block["panels"][0]


def test_markdown_shows_marks_in_bold() -> None:
    """What only one text has stands in bold italics, what both have in bold."""
    told = markdown.render(
        page(Panel("source", "an mri now", (Mark(3, 6, "imaging", "own"),)), Panel("edit", ""))
    )
    assert "> an ***mri*** now" in told
    assert "> (blank)" in told
