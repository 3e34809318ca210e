"""Text that means harm, tried wherever a report shows words; and what every chart must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenhand.report.blocks import Chart
from evenhand.report.drawing import svg

__all__ = ["HOSTILE", "check_layouts"]

HOSTILE = (
    "</title></script><script>alert('x')</script><img src=x onerror=alert(1)> \" ' & {{7*7}} |"
)


def check_layouts(chart: Chart) -> None:
    """Altair's schema accepts the chart, and it draws for a wide page and for a phone.

    The schema takes half a second of each picture: it sees one row of each data set, and the
    picture for a phone, which is made by the same functions, only has to draw.
    """
    import altair

    assert chart.narrow is not None
    altair.Chart.from_dict(_short(chart.spec), validate=True)
    for spec in (chart.spec, chart.narrow):
        assert svg(spec).startswith("<svg")


def _short(part: Any) -> Any:
    if isinstance(part, list):
        return [_short(inner) for inner in part]
    if not isinstance(part, Mapping):
        return part
    return {
        key: {"values": inner["values"][:1]} if key == "data" else _short(inner)
        for key, inner in part.items()
    }
