"""From a Vega-Lite specification to a picture: the palette, the shared look, and vl-convert.

The specifications are plain dictionaries. No chart library runs in the reader's browser; pages
embed the SVG, and their style sheet recolours it in the dark by the palette's exact values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args
from xml.sax.saxutils import escape

import orjson

from evenhand.errors import InputError
from evenhand.report.blocks import Chart

__all__ = ["AXIS", "PALETTE", "Format", "clipped", "draw", "framed", "label_width", "look", "svg"]

PALETTE: Mapping[str, str] = {
    "ink": "#1f2328",
    "soft": "#59636e",
    "line": "#d5dae0",
    "paper": "#fffffe",
    # Okabe and Ito's colours, told apart by every common kind of colour vision.
    "blue": "#0072b2",
    "vermilion": "#c04a00",
    "orange": "#e69f00",
    "green": "#007a58",
    "purple": "#aa4f85",
    "sky": "#56b4e9",
    "grey": "#8b949e",
}
"""Colours by the names that the page's style sheet knows them by."""

Format = Literal["svg", "png", "pdf"]

AXIS: Mapping[str, Any] = {
    "grid": True,
    "gridColor": PALETTE["line"],
    "domain": False,
    "ticks": False,
    "labelColor": PALETTE["soft"],
    "labelFontSize": 12,
    "labelPadding": 6,
    "titleColor": PALETTE["soft"],
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titlePadding": 8,
}
"""The look of a value axis: a quiet grid and no box."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def look(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with the house's look: no frame, one font, no per-mark screen-reader text
    (the picture as a whole has its words).
    """
    return {
        "$schema": SCHEMA,
        "background": "transparent",
        "padding": 2,
        **spec,
        "config": {
            "aria": False,
            "font": "sans-serif",
            "view": {"stroke": None},
            "text": {"color": PALETTE["ink"], "fontSize": 12.5},
            "axis": {"labelFontSize": 12, "titleFontSize": 12},
        },
    }


def framed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """``look``, for a picture in which every word lies inside a ground that is drawn, too.

    Measuring words takes nine tenths of the time of a picture that has many (3 ms for forty
    letters). Where the ground keeps the room anyway, they need not be measured: ``svg`` draws a
    short sign for each and writes the word in its place. Only texts in a field ``text`` are.
    """
    return {**look(spec), "usermeta": {"framed": True}}


def label_width(labels: Iterable[str], most: int = 380) -> int:
    """Room for a column of labels, in pixels: about that of the longest, within reason."""
    return min(most, max((len(label) for label in labels), default=0) * 7 + 8)


def clipped(label: str, width: int) -> str:
    """The label, cut to about that many pixels. Vega's own ``limit`` measures each word many times
    over: two seconds for a chart of forty long labels.

    Example:
        >>> clipped("identity shown against identity hidden", 100)
        'identity shown…'
    """
    most = max(4, width // 6)
    return label if len(label) <= most else f"{label[: most - 1].rstrip()}…"


def svg(spec: Mapping[str, Any]) -> str:
    """The SVG of a specification. Same specification, same bytes.

    Data must be in the specification: nothing is fetched. The last few are remembered: a report
    shows each picture on its page and in a file beside it.
    """
    return _drawn(orjson.dumps(spec))


@lru_cache(maxsize=64)
def _drawn(body: bytes) -> str:
    import vl_convert

    spec = orjson.loads(body)
    words: list[str] = []
    if spec.get("usermeta", {}).get("framed"):
        spec = _signed(spec, words)
    drawn: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return _own_ids(_slim(_spelled(drawn, words) if words else drawn))


PARTS = ("layer", "hconcat", "vconcat")
SIGN = re.compile(r">~([0-9a-z]+)</text>")


def _signed(part: Mapping[str, Any], words: list[str]) -> dict[str, Any]:
    """The specification with a short sign for each text; the words in the order of their signs."""
    changed: dict[str, Any] = {
        key: [_signed(inner, words) for inner in part[key]] for key in PARTS if key in part
    }
    mark = part.get("mark")
    if isinstance(mark, Mapping) and mark["type"] == "text" and "data" in part:
        changed["data"] = {"values": [_sign(row, words) for row in part["data"]["values"]]}
    return {**part, **changed}


def _sign(row: Mapping[str, Any], words: list[str]) -> dict[str, Any]:
    words.append(row["text"])
    return {**row, "text": f"~{len(words) - 1:x}"}


def _spelled(drawn: str, words: Sequence[str]) -> str:
    return SIGN.sub(lambda m: f">{escape(words[int(m[1], 16)])}</text>", drawn)


def draw(chart: Chart, format: Format = "svg") -> bytes:
    """The chart as a file's bytes, on white, for papers and slides.

    Raises:
        InputError: the format is not one of ``svg``, ``png`` and ``pdf``.
    """
    if format not in get_args(Format):
        raise InputError(f"no picture format {format!r}; choose {', '.join(get_args(Format))}")
    import vl_convert

    if format == "svg":
        return _on_white(svg(chart.spec)).encode()
    spec = {**chart.spec, "background": "#ffffff", "padding": 12}
    if format == "png":
        png: bytes = vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[])
        return png
    pdf: bytes = vl_convert.vegalite_to_pdf(spec, allowed_base_urls=[])
    return pdf


MARGIN = 10
ROOT = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d. ]+">')


def _on_white(drawn: str) -> str:
    """The same drawing with a margin on white; drawing it again would take as long as at first."""
    root = ROOT.match(drawn)
    if root is None:
        raise InputError("this picture has no size")  # pragma: no cover
    width, height = (float(side) + 2 * MARGIN for side in root.groups())
    box = f'viewBox="{-MARGIN} {-MARGIN} {width:g} {height:g}"'
    ground = (
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    )
    start = re.sub(r'viewBox="[^"]*"', box, root[0])
    start = re.sub(r' width="[^"]*"', f' width="{width:g}"', start)
    start = re.sub(r' height="[^"]*"', f' height="{height:g}"', start)
    return f"{start}{ground}{drawn[root.end() :]}"


# What Vega writes for interactive use and a still picture does not need.
EMPTY = re.compile(r'<path class="(?:fore|back)ground" [^>]*d="(?:M0,0h0v0h0Z)?"[^>]*/>|<g></g>')
NOISE = re.compile(
    r' (?:pointer-events="none"|aria-hidden="true"|role="graphics-[a-z]+"'
    r'|aria-roledescription="[^"]*"|class="[^"]*"|opacity="1"|xmlns:xlink="[^"]*")'
)
TAG = re.compile(r"<[^>]*>")
ID = re.compile(r'(?<=[ "(#])(clip|gradient_)(\d+)(?=["_)])')


def _slim(drawn: str) -> str:
    """Leave out Vega's interactive scaffolding: about a third of the bytes. Text is not touched."""
    before = None
    while before != drawn:
        before, drawn = drawn, EMPTY.sub("", drawn)
    return TAG.sub(lambda tag: NOISE.sub("", tag[0]), drawn)


def _own_ids(drawn: str) -> str:
    """Vega numbers ids through the whole process; a page needs them stable, and apart per picture."""
    order = {
        number: str(at)
        for at, number in enumerate(dict.fromkeys(m[2] for m in ID.finditer(drawn)))
    }
    if not order:
        return drawn
    plain = TAG.sub(lambda tag: ID.sub(lambda m: f"{m[1]}{order[m[2]]}", tag[0]), drawn)
    mark = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return TAG.sub(lambda tag: ID.sub(lambda m: f"{m[1]}{mark}-{m[2]}", tag[0]), plain)
