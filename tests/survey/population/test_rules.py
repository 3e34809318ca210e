"""Rules of a table: totals met, remainders, shares, pooled rows, and what they cannot do."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.errors import InvalidInputs
from evenhand.survey.population.expect import marginal
from evenhand.survey.population.load import population_from_files

TOP = """
name: rules
attributes:
  - name: age
    labels: {en: Age}
    table: age.csv
    sources: [&s {publisher: p, table: t, year: "1", unit: u}]
  - name: from
    labels: {en: From}
    table: from.csv
    levels: [{code: here, en: here}, {code: east, en: east}, {code: west, en: west}]
    sources: [*s]
  - name: creed
    labels: {en: Creed}
    parents: [from]
    table: creed.csv
    levels: [{code: a, en: a}, {code: b, en: b}, {code: none, en: none}]
    sources: [*s]
"""
FILES = {
    "age.csv": "age,n\n0,1\n1,3\n",
    "from.csv": "level,share\nhere,0.6\neast,0.3\nwest,0.1\n",
    "creed.csv": "from,a,b,none\neast,90,5,5\nwest,20,60,20\n",
    "total.csv": "a,b,none\n20,50,30\n",
}
RAKE = "    rake: {total: total.csv, remainder: {from: here}, floor: 0.1, excess_to: none}\n"


def told(yaml: str, **files: str) -> str:
    """What is wrong with the population of this YAML and these tables (by name without .csv)."""
    changed = {f"{name}.csv": text for name, text in files.items()}
    with pytest.raises(InvalidInputs) as caught:
        population_from_files({**FILES, **changed, "population.yaml": TOP + yaml})
    return str(caught.value)


def creeds(yaml: str, **files: str) -> np.ndarray:
    """The table of creeds by where people are from, having checked that the total is met."""
    changed = {f"{name}.csv": text for name, text in files.items()}
    population = population_from_files({**FILES, **changed, "population.yaml": TOP + yaml})
    total = np.array([float(x) for x in population.files["total.csv"].splitlines()[1].split(",")])
    assert marginal(population, "creed") == pytest.approx(total / total.sum(), abs=1e-10)
    return population.attribute("creed").weights


def test_the_remainder_gets_what_the_others_leave() -> None:
    """Where the others leave enough, they stay as they are and one row is the remainder."""
    found = creeds(RAKE, total="a,b,none\n60,25,15\n")
    assert found[1:] == pytest.approx(np.array([[0.9, 0.05, 0.05], [0.2, 0.6, 0.2]]))
    assert found[0] == pytest.approx(np.array([0.6 - 0.29, 0.25 - 0.075, 0.15 - 0.035]) / 0.6)


def test_what_is_too_frequent_is_cut_by_one_factor() -> None:
    """The others hold 29 % of a where 20 % are there: cut alike, the rest of them get none."""
    found = creeds(RAKE)
    factor = 0.2 * (1 - 0.6 * 0.1) / 0.29
    assert found[0, 0] == pytest.approx(0.1 * 0.2)
    assert found[1:, 0] == pytest.approx(np.array([0.9, 0.2]) * factor)
    assert found[1:, 1] == pytest.approx([0.05, 0.6])


def test_without_a_place_for_the_excess_all_rows_move() -> None:
    """Proportional fitting then meets the total, and what is 0 stays 0."""
    found = creeds(
        RAKE.replace(", excess_to: none", ""), creed="from,a,b,none\neast,90,0,10\nwest,20,60,20\n"
    )
    assert found[1, 1] == 0
    assert found[1, 0] < 0.9
    assert found[2, 0] < 0.2


def test_a_total_alone_is_met_by_fitting() -> None:
    """Without a remainder every row has its own start; odds ratios between rows stay."""
    rows = "from,a,b,none\nhere,40,30,30\neast,90,5,5\nwest,20,60,20\n"
    found = creeds("    rake: {total: total.csv}\n", creed=rows)
    odds = found[:, 0] / found[:, 1]
    assert odds[1] / odds[2] == pytest.approx((90 / 5) / (20 / 60), rel=1e-6)


@pytest.mark.parametrize(
    "yaml, files, words",
    [
        (RAKE.replace("here", "her"), {}, "'her' is no level of from; did you mean here?"),
        (RAKE.replace("from:", "form:"), {}, "'form' is no parent of creed; did you mean from?"),
        (RAKE.replace("excess_to: none", "excess_to: non"), {}, "'non' is no level; did you mean none?"),
        (RAKE.replace("0.1", "0"), {}, "must be above 0 and at most 1, not 0"),
        (RAKE, {"creed": "from,a,b,none\n*,1,1,1\n"}, "creed.csv has rows for the remainder"),
        (RAKE, {"total": "a,b,none\n0,0,0\n"}, "total.csv adds up to 0"),
        (RAKE, {"total": "a,b\n1,1\n"}, "total.csv: has no column none"),
        ("    rake: {total: totl.csv}\n", {}, "totl.csv: there is no such file"),
        (
            "    rake: {total: total.csv}\n",
            {"creed": "from,a,b,none\n*,1,0,1\n"},
            "the total of total.csv cannot be met: column 2 has a total of 0.5",
        ),
        ("    shares: {c: x}\n", {"creed": "from,a,b,none\n*,1,1,1\n"}, "'c' is no level"),
        ("    shares: {none: x}\n", {"creed": "from,a,b\n*,1,1\n"}, "there is no setting 'x'"),
        ("    pooled: {age: {here: [east]}}\n", {}, "'age' is no parent of creed"),
        ("    pooled: {from: {her: [east]}}\n", {}, "'her' is no level of from"),
        (
            "    pooled: {from: {here: [east]}}\n",
            {"creed": "from,level,share\neast|west,a,1\n"},
            "only where the table gives weights",
        ),
        ("    profile: total.csv\n", {"creed": "from,a,b,none\n*,1,1,1\n"}, "'age' is no parent of creed"),
        ("", {}, "creed.csv: no row for from here, which can occur"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_followed_are_told(
    yaml: str, files: dict[str, str], words: str
) -> None:
    """A rule that names what is not there, or asks what cannot be, is told in words."""
    assert words in told(yaml, **files)


SETTINGS = "settings:\n  - {name: x, default: 0.7, from: 0, to: 1}\n  - {name: y, default: 0.5}\n"


def test_shares_leave_the_others_in_proportion() -> None:
    """Two levels at their settings' shares; the column that is left gets the rest."""
    yaml = TOP + "    shares: {b: x, none: y}\n" + SETTINGS
    files = {**FILES, "population.yaml": yaml, "creed.csv": "from,a\n*,5\n"}
    found = population_from_files(files, settings={"x": 0.2}).attribute("creed").weights
    assert found == pytest.approx(np.tile([0.3, 0.2, 0.5], (3, 1)))
    with pytest.raises(InvalidInputs, match=r"the shares add up to 1\.2"):
        population_from_files(files)
    with pytest.raises(InvalidInputs, match="'b' is also a column of creed.csv"):
        population_from_files({**files, "creed.csv": "from,a,b\n*,5,5\n"})
