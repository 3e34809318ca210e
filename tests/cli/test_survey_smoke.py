"""The page that a newcomer follows: every step of it works, one line each."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import orjson
import pytest

from support.commands import evenhand

PAGE = Path(__file__).parents[2] / "docs/how-to/survey-smoke-test.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_step_of_the_page_works(tmp_path: Path) -> None:
    """From a pool to the report and the table of people, each line ends well and says what it made."""
    block = re.findall(r"```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    where = {"EVENHAND_WORKSPACE": str(tmp_path / "workspace")}
    run = ""
    for line in block.strip().splitlines():
        words = shlex.split(line.replace("RUN", run))
        assert words[0] == "evenhand"
        done = evenhand(*words[1:], "--json", env=where, cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        run = orjson.loads(done.stdout).get("run", run)
    assert "<svg" in (tmp_path / "report-smoke/report.html").read_text(encoding="utf-8")
    assert (tmp_path / "describe-smoke/report.html").exists()
    rows = (tmp_path / "people-smoke.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("id,role,pair_id,changed_attribute,age,gender,education,occupation")
    assert 21 < len(rows) <= 41
