"""Pictures: the same specification gives the same bytes, and Altair's own schema accepts it."""

from __future__ import annotations

import re

import pytest

from evenhand.report.blocks import Chart
from evenhand.report.drawing import draw, framed, look, svg


def clipped(value: int) -> dict[str, object]:
    """A specification that makes Vega hand out ids."""
    mark = {"type": "rule", "clip": True}
    encoding = {"x": {"field": "a", "type": "quantitative"}}
    return look({"data": {"values": [{"a": value}]}, "mark": mark, "encoding": encoding})


def test_ids_are_stable_and_apart() -> None:
    """Vega counts ids through the process; ours depend on the picture alone, and differ by it."""
    first, again, other = svg(clipped(1)), svg(clipped(1)), svg(clipped(2))
    assert first == again
    ids = [set(re.findall(r'id="([^"]+)"', drawn)) for drawn in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", first)) <= ids[0]


def test_text_that_looks_like_scaffolding_is_kept() -> None:
    """Slimming works inside tags only: a label may read like an attribute."""
    label = ' class="x" opacity="1" <g></g> clip7"'
    spec = look(
        {
            "data": {"values": [{"t": label}]},
            "mark": "text",
            "encoding": {"text": {"field": "t", "type": "nominal"}},
        }
    )
    assert 'class="x" opacity="1" &lt;g&gt;&lt;/g&gt; clip7"' in svg(spec).replace("&quot;", '"')


def test_nothing_is_fetched_for_a_picture() -> None:
    """A specification that names data elsewhere is refused, not fetched."""
    spec = look({"data": {"url": "http://127.0.0.1:9/x.json"}, "mark": "point", "encoding": {}})
    with pytest.raises(ValueError, match="External data url not allowed"):
        svg(spec)


def test_words_that_are_not_measured_are_drawn_as_they_are() -> None:
    """A framed picture has the same words as a measured one, escaped, and none of the signs."""
    words = ["a < b & c", "~1", "a label of some length", ""]
    layer = {
        "data": {"values": [{"at": at, "text": text} for at, text in enumerate(words)]},
        "mark": {"type": "text"},
        "encoding": {
            "x": {"field": "at", "type": "quantitative", "axis": None},
            "text": {"field": "text", "type": "nominal"},
        },
    }
    texts = [
        re.findall(r"<text[^>]*>([^<]*)</text>", svg(made({"width": 200, "layer": [layer]})))
        for made in (look, framed)
    ]
    assert [text for text in texts[1] if text] == texts[0]
    assert "a &lt; b &amp; c" in texts[1]


def test_the_file_beside_a_report_is_the_page_s_drawing_on_white() -> None:
    """The same marks, a white ground and a margin."""
    chart = Chart(spec=clipped(1), alt="x")
    page, file = svg(chart.spec), draw(chart).decode()
    assert file.endswith(page[page.index(">") + 1 :])
    assert 'fill="#ffffff"' in file
    assert 'viewBox="-10 -10 ' in file
