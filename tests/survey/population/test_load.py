"""Reading populations: the documented example, and everything that can be wrong with one."""

from __future__ import annotations

import contextlib
import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import EvenhandError, InputError, InvalidInputs, NotFound
from evenhand.survey.population.expect import joint, marginal
from evenhand.survey.population.load import POPULATIONS, load_population, population_from_files
from evenhand.survey.population.spec import Population
from evenhand.survey.population.tables import Axis, Row, Table, read_cells

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "populations.md"
Files = dict[str, str]


def edited(files: Files, name: str, old: str, new: str) -> Files:
    """The files with one passage of one of them replaced."""
    assert old in files[name]
    return {**files, name: files[name].replace(old, new, 1)}


def faults(files: Files, **given: float) -> str:
    """What reading these files tells, one fault per line."""
    with pytest.raises(InvalidInputs) as caught:
        population_from_files(files, settings=given)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_the_documented_example_reads(example: Files) -> None:
    """The files on the reference page make the population that the page describes."""
    town = population_from_files(example)
    names = [attribute.name for attribute in town.attributes]
    assert names == ["age", "gender", "quarter", "certificate", "job"]
    assert marginal(town, "quarter").tolist() == pytest.approx(
        [4000 / 14060, 6500 / 14060, 0.25320], abs=1e-4
    )
    assert marginal(town, "side").tolist() == pytest.approx([7560 / 14060, 6500 / 14060])
    assert marginal(town, "gender")[2] == pytest.approx(0.001)
    assert town.attribute("age").levels[1].labels == {"en": "1 year", "de": "1 Jahr"}
    assert [level.stated for level in town.attribute("job").levels] == [False, True, True, True]


def test_the_examples_of_the_page_run() -> None:
    """The Python lines of the reference page print what it shows."""
    code = "".join(
        re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    )
    example = doctest.DocTestParser().get_doctest(code, {}, PAGE.name, str(PAGE), 0)
    said: list[str] = []
    failed = doctest.DocTestRunner().run(example, out=said.append).failed
    assert not failed, "".join(said)


def test_a_long_table_takes_shares_first(example: Files) -> None:
    """A share is taken of its cell; the weights divide what is left."""
    town = population_from_files(example)
    job = town.attribute("job")
    cell = job.weights[60, town.attribute("certificate").code("higher")]
    assert cell.tolist() == pytest.approx([0, 0.7 * 0.75, 0.7 * 0.25, 0.3])


def test_a_profile_keeps_the_totals_of_its_band(example: Files) -> None:
    """Whatever the single ages get, the band as a whole has the table's shares, for each gender."""
    town = population_from_files(example)
    table = joint(town, ["age", "gender", "certificate"])[16:25, 0].sum(axis=0)
    assert (table / table.sum()).tolist() == pytest.approx([300 / 850, 350 / 850, 200 / 850])
    certificate = town.attribute("certificate").weights
    assert certificate[17, 0, 2] == 0
    assert certificate[24, 0, 0] == 0
    assert certificate[16, 0, 0] > certificate[18, 0, 0] > 0


def test_pooled_rows_are_the_sum_of_their_parts(example: Files) -> None:
    """People without a row of their own have that of the others added up in persons."""
    town = population_from_files(example)
    diverse = town.attribute("certificate").weights[40, 2]
    assert diverse.tolist() == pytest.approx([0, 4700 / 8100, 3400 / 8100])


def test_a_setting_changes_shares_and_digest(example: Files) -> None:
    """A setting in place of its default reaches the table, and the population is another."""
    plain, more = (
        population_from_files(example, settings=s) for s in ({}, {"diverse_share": 0.05})
    )
    assert marginal(more, "gender")[2] == pytest.approx(0.05)
    assert plain.digest != more.digest
    none = population_from_files(example, settings={"diverse_share": 0})
    assert marginal(none, "gender")[2] == 0
    assert not none.attribute("certificate").weights[:, 2].any()


def test_files_make_the_same_population_again(germany: Population) -> None:
    """What a database keeps is enough: same tables, same digest."""
    again = population_from_files(germany.files, settings=germany.settings)
    assert again.digest == germany.digest
    for one, other in zip(germany.attributes, again.attributes, strict=True):
        assert np.array_equal(one.weights, other.weights)


def test_a_folder_reads_like_its_files(example: Files, tmp_path: Path) -> None:
    """A user's folder, saved with a byte order mark and Windows line ends, is the same population."""
    for name, text in example.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_population(str(tmp_path)).digest == population_from_files(example).digest


def test_what_ships_is_listed() -> None:
    """Each shipped name loads; another name says what there is."""
    for name in POPULATIONS:
        assert load_population(name).name == name
    with pytest.raises(NotFound, match="de-2024"):
        load_population("de-2042")


def test_settings_are_checked() -> None:
    """An unknown setting and one out of range are told together."""
    with pytest.raises(InvalidInputs) as caught:
        load_population("de-2024", settings={"diverse_shre": 0.1, "diverse_share": 2.0})
    text = str(caught.value)
    assert "did you mean diverse_share?" in text
    assert "from 0 to 1, not 2" in text


WRONG = [
    ("people.csv", "67,79,900,1200", "68,79,900,1200", "people.csv: no row for age 67"),
    ("people.csv", "6,17,", "5,17,", "people.csv:4: covers a cell that line 3 has filled"),
    ("people.csv", "600,610", "-600,610", "people.csv:3: male: '-600' is no number from 0 up"),
    ("people.csv", "600,610", "inf,610", "people.csv:3: male: 'inf' is no number"),
    ("people.csv", "600,610", "600", "people.csv:3: has 3 values, and the header 4 columns"),
    ("people.csv", "0,5,", "5,0,", "people.csv:3: age_from: the band starts at 5 and ends at 0"),
    ("people.csv", "0,5,", "0,5.5,", "people.csv:3: age_to: '5.5' is no age"),
    ("people.csv", ",female\n", ",femal\n", "people.csv: has no column female"),
    ("quarters.csv", "docks", "dock", "column dock is neither a parent"),
    ("quarters.csv", "4000,6500,3560", "0,0,0", "quarters.csv:2: all weights are 0 for everybody"),
    ("quarters.csv", "4000,6500,3560", "4000,nan,3560", "'nan' is no number"),
    ("quarters.csv", "old_town,docks,hill\n4000,6500,3560\n", "", "quarters.csv: is empty"),
    ("quarters.csv", "\n4000,6500,3560", "", "quarters.csv: has a header and no rows"),
    ("quarters.csv", "old_town,docks", "old_town,old_town", "the header repeats"),
    ("quarters.csv", "4000", '"4000', "quarters.csv:2: is not CSV"),
    (
        "quarter-names.csv",
        "hill,Hill",
        "docks,Hill",
        "quarter-names.csv:4: code: 'docks' is there twice",
    ),
    ("quarter-names.csv", "Hafen", "", "quarter-names.csv:3: lacks its code, or a label"),
    (
        "quarter-names.csv",
        "Berg,north",
        "Berg,nort",
        "'nort' is no group of side; did you mean north?",
    ),
    ("quarter-names.csv", "en,de,", "en,fr,", "quarter-names.csv: has no column de"),
    (
        "certificates.csv",
        "25,79,male",
        "26,79,male",
        "no row for age 25, gender male, which can occur",
    ),
    ("certificates.csv", "25,79,male", "24,79,male", "covers a cell that line"),
    (
        "certificates.csv",
        "16,24,female",
        "16,24,femal",
        "'femal' is no level of gender; did you mean female?",
    ),
    (
        "certificates.csv",
        "0,2400,1500",
        "0,0,0",
        "all weights are 0 for age 25 to 79, gender male, which can occur",
    ),
    ("certificate-ages.csv", "16,17,8,1,0\n18,19,2,1,1", "16,19,8,1,0", ""),
    ("certificate-ages.csv", "20,24,0,1,1", "20,24,0,1,0", "cannot keep this row's totals"),
    (
        "certificate-ages.csv",
        "2,1,1\n20,24,0,1,1",
        "2,1,0\n20,24,0,1,0",
        "certificates.csv:3: the profile cannot keep",
    ),
    (
        "jobs.csv",
        "sailor,1,",
        "sailr,1,",
        "jobs.csv:3: level: 'sailr' is no level; did you mean sailor?",
    ),
    ("jobs.csv", "retired,0.3,", "retired,1.3,", "add up to 1.3"),
    (
        "jobs.csv",
        "sailor,1,",
        "sailor,0.9,",
        "jobs.csv:3: the shares of age 16 to 66, certificate basic add up to 0.9",
    ),
    ("jobs.csv", "sailor,1,", "sailor,1,1", "jobs.csv:3: give either a share or a weight"),
    ("jobs.csv", "sailor,1,", "sailor,,", "jobs.csv:3: give either a share or a weight"),
    ("jobs.csv", "basic|higher", "basic|basic", "names a level twice"),
    (
        "jobs.csv",
        "67,79,basic|higher",
        "67,79,basic",
        "no row for age 67 to 79, certificate higher",
    ),
    ("jobs.csv", "share,weight", "share,wait", "column wait is neither"),
    (
        "population.yaml",
        "parents: [age, gender]",
        "parents: [age, job]",
        "job must stand before certificate",
    ),
    ("population.yaml", "parents: [age, gender]", "parents: [age, gendr]", "did you mean gender?"),
    ("population.yaml", "table: quarters.csv", "tabel: quarters.csv", "did you mean table?"),
    ("population.yaml", "table: quarters.csv", "table: ../quarters.csv", "../quarters.csv"),
    (
        "population.yaml",
        "code: basic, en",
        "code: at_school, en",
        "the code 'at_school' is there twice",
    ),
    ("population.yaml", "code: basic, en", "code: no, en", "must be text, not False"),
    ("population.yaml", "en: basic, de: einfach", "en: basic", "is missing: de"),
    (
        "population.yaml",
        "name: quarter\n",
        "name: gender\n",
        "two attributes or groupings are called 'gender'",
    ),
    ("population.yaml", "name: quarter\n", "name: level\n", "'level' must be lower-case"),
    ("population.yaml", "name: age\n", "name: years\n", "the first attribute must be age"),
    (
        "population.yaml",
        "{diverse: diverse_share}",
        "{diverse: share}",
        "there is no setting 'share'",
    ),
    (
        "population.yaml",
        "{diverse: [male, female]}",
        "{diverse: [male, femal]}",
        "did you mean female?",
    ),
    (
        "population.yaml",
        "from: 18, to: 79",
        "from: 19, to: 79",
        "must be in exactly one group: 18",
    ),
    ("population.yaml", "from: 18, to: 79", "from: 17, to: 80", "'80' is no level of age"),
    ("population.yaml", "of: quarter", "of: quarters", "did you mean quarter?"),
    ("population.yaml", "column: side", "column: sid", "has no column sid"),
    ("population.yaml", "format: 1", "format: 2", "this version reads format 1, not 2"),
    ("population.yaml", "languages: [en, de]", "languages: [en, de", "is not YAML"),
    ("population.yaml", "publisher: ours, ", "", "is missing: publisher"),
    ("population.yaml", "default: 0.001", "default: lots", "must be a finite number, not 'lots'"),
    ("population.yaml", "[year, years]", "[year]", "must be two words"),
    ("population.yaml", "from: 0, to: 0.05", "from: 0, to: x", "must be a finite number, not 'x'"),
    (
        "population.yaml",
        "from: 0, to: 17",
        "from: 0, to: 17.5",
        "must be a whole number, not 17.5",
    ),
    ("population.yaml", "from: 0, to: 17, ", "", "young says neither from and to nor members"),
    ("population.yaml", "from: 0, to: 17", "members: [1, 2]", "must be a list of texts"),
    ("population.yaml", "notes:\n  - Jobs", "attributes: []\nnotes:\n  - Jobs", "is there twice"),
    ("population.yaml", "[age, gender]", "[age, age]", "names a parent twice"),
    ("population.yaml", "languages: [en, de]", "languages: [english!]", "is no language code"),
    ("population.yaml", "{en: Quarter, de: Viertel}", "{}", "is missing: de"),
    (
        "population.yaml",
        "code: basic, en",
        "code: 'ba|sic', en",
        "without comma, |, * or quotation mark",
    ),
    ("quarter-names.csv", "docks,Docks", "do|cks,Docks", "without comma, |, * or quotation mark"),
    ("population.yaml", "labels: {en: Job, de: Beruf}", "", "is missing: labels"),
    ("people.csv", "age_from,age_to", "from,to", "people.csv: has no column age_from"),
    ("people.csv", "67,79,", "67,179,", "'179' is no age from 0 to 100"),
    ("jobs.csv", "18,66,higher,sailor", "18,66,higher,captain", "covers a cell that line"),
    ("population.yaml", "stated: false", "stated: perhaps", "must be true or false"),
]


@pytest.mark.parametrize(
    "name, old, new, told", WRONG, ids=[f"{place}-{n}" for place, (n, *_) in enumerate(WRONG)]
)
def test_what_is_wrong_is_told_where_it_stands(
    example: Files, name: str, old: str, new: str, told: str
) -> None:
    """Each fault of a file is named with its place; a change that is none reads."""
    files = edited(example, name, old, new)
    if told:
        assert told in faults(files)
    else:
        population_from_files(files)


def test_all_faults_are_told_together(example: Files) -> None:
    """One reading names faults in several files and of several kinds."""
    files = edited(example, "people.csv", "600,610", "-1,x")
    files = edited(files, "jobs.csv", "captain", "capten")
    files = edited(files, "quarters.csv", "4000", "-4000")
    files = edited(files, "population.yaml", "notes:", "nots:")
    told = faults(files, harbour=1.0)
    for part in (
        "'-1'",
        "'x'",
        "'capten'",
        "'-4000'",
        "unknown key; did you mean notes?",
        "no setting",
    ):
        assert part in told


def test_missing_unreadable_and_huge_files(example: Files, tmp_path: Path) -> None:
    """A file that is not there, is not UTF-8, or is far too large is a fault with its name."""
    for name, text in example.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "people.csv").write_bytes("age,männlich\n".encode("latin-1"))
    (tmp_path / "quarters.csv").unlink()
    with (tmp_path / "jobs.csv").open("wb") as file:
        file.truncate(20_000_001)
    with pytest.raises(InvalidInputs) as caught:
        load_population(str(tmp_path))
    told = str(caught.value)
    assert "people.csv:1: is not UTF-8" in told
    assert "quarters.csv: cannot be read" in told
    # The attribute of jobs.csv has no parents to read it for, but the folder below has.
    (tmp_path / "people.csv").write_text(example["people.csv"], encoding="utf-8")
    (tmp_path / "quarters.csv").write_text(example["quarters.csv"], encoding="utf-8")
    with pytest.raises(InvalidInputs, match="jobs.csv: is larger than 20,000,000 bytes"):
        load_population(str(tmp_path))
    with pytest.raises(InvalidInputs, match=r"population\.yaml: cannot be read"):
        load_population(str(tmp_path.parent))


def test_many_faults_of_one_kind_are_counted(example: Files) -> None:
    """A table with a thousand bad rows tells the first few and how many more."""
    rows = "".join(f"{age},{age},male,x,1,1\n" for age in range(80)) * 20
    files = {
        **example,
        "certificates.csv": "age_from,age_to,gender,at_school,basic,higher\n" + rows,
    }
    told = faults(files)
    assert "1592 more rows with weights" in told
    assert len(told.splitlines()) < 40


def test_too_many_cells_are_refused() -> None:
    """A distribution of more than 20 million cells is a sentence, not an exhausted memory."""
    table = Table(
        "t.csv", ("a", "b", "x", "y"), (Row(2, {"a": "*", "b": "*", "x": "1", "y": "1"}),)
    )
    codes = tuple(str(code) for code in range(4000))
    problems: list[InputError] = []
    assert read_cells(table, [Axis("a", codes), Axis("b", codes)], ["x", "y"], problems) is None
    assert str(problems[0]) == "t.csv: makes more than 20,000,000 cells of a, b"


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_damage_ends_in_a_traceback(data: st.DataObject, example: Files) -> None:
    """Cutting, doubling or overwriting any part of any file reads, or tells what is wrong."""
    name = data.draw(st.sampled_from(sorted(example)))
    text = example[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    junk = data.draw(
        st.sampled_from(
            [
                "",
                text[start:end] * 2,
                "-1",
                "*",
                "|",
                "\n",
                '"',
                "[",
                "&x *x",
                "\x00",
                "1e999",
                "é",
            ]
        )
    )
    with contextlib.suppress(EvenhandError):
        population_from_files({**example, name: text[:start] + junk + text[end:]})
