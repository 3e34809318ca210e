"""The page about image quality: its example prints what it says, and the index leads to it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "docs" / "methods"


def test_the_worked_example_gives_the_numbers_shown() -> None:
    """Formula, source and example are there, and the example runs."""
    page = FOLDER / "image-quality.md"
    text = page.read_text(encoding="utf-8")
    for part in ("## Formula", "## Source", "## Worked example"):
        assert part in text
    code = "".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    example = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    said: list[str] = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)
    assert f"({page.name})" in (FOLDER / "index.md").read_text(encoding="utf-8")
