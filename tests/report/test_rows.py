"""Rows of charts: nothing overlaps, and pages keep what belongs together."""

from __future__ import annotations

from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.report.rows import Row, frame, in_pages

heads_of = st.lists(st.integers(0, 60), max_size=8).map(
    lambda sizes: [f"h{at}" for at, n in enumerate(sizes) for _ in range(n)]
)


@pytest.mark.parametrize("narrow", [False, True])
def test_rows_and_headings_do_not_overlap(narrow: bool) -> None:
    """Words of all kinds stand at least 15 pixels apart, all inside the picture."""
    rows = [Row(f"row {n}", f"head {n // 3}") for n in range(9)]
    at = frame(rows, narrow=narrow)
    places = sorted([*at.label_y, *(y for _, y in at.heads)])
    assert all(b - a >= 15 for a, b in pairwise(places))
    assert len(at.heads) == 3
    assert max(at.y) < at.height


@given(heads_of)
def test_pages_hold_every_row_once_and_no_more_than_36(heads: list[str]) -> None:
    """In order, without a gap; a heading that fits on a page is not cut unless its page is full."""
    pages = in_pages(heads)
    assert [at for page in pages for at in range(page.start, page.stop)] == list(range(len(heads)))
    assert all(0 < page.stop - page.start <= 36 for page in pages)
    for _, same in groupby(range(len(heads)), key=lambda at: heads[at]):
        places = list(same)
        touched = [p for p in pages if p.start <= places[-1] and places[0] < p.stop]
        if len(places) <= 36:
            assert len(touched) == 1
