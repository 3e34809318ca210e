"""Which attributes a text gives away."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from time import process_time

import pytest

from evenhand.survey.asking.leakage import Lexicon
from evenhand.survey.population.load import load_population
from evenhand.survey.spec import Persona

POPULATION = load_population("de-2024")
GERMAN = Lexicon(POPULATION, "de")
ENGLISH = Lexicon(POPULATION, "en")
PERSONA = Persona(
    1,
    {"age": "34", "gender": "female", "origin": "TR", "migration_status": "with_migration"},
)


def stated(lexicon: Lexicon, text: str, field: str = "biography") -> set[str]:
    """What a biography states."""
    return set(lexicon.stated({field: text}, PERSONA).get(field, ()))


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("Sie wuchs in Ankara auf.", {"gender"}),
        ("Kocht am Wochenende gern türkische Gerichte.", {"origin"}),
        ("Nach der Scheidung zog alles um.", {"marital_status"}),
        ("Singt im Kirchenchor.", {"religion"}),
        ("Ist 34 Jahre alt und wandert gern.", {"age"}),
        ("Die 51-Jährigen unter den Kollegen wandern gern.", {"age"}),
        ("Arbeitet seit 34 Jahren im selben Betrieb.", {"age"}),
        ("Arbeitet seit 12 Jahren im selben Betrieb.", set()),
        ("Lebt offen lesbisch.", {"sexuality"}),
        ("Kam als Flüchtling über das Meer.", {"migration_status"}),
        ("Machte das Abitur nach.", {"education"}),
        ("Wohnt in einer Stadt am Fluss und spielt Schach.", set()),
        ("Mag Tannen, Kannen und Wannen.", set()),
    ],
)
def test_german_texts(text: str, attributes: set[str]) -> None:
    """Whole words and endings of German, nothing inside of other words."""
    assert stated(GERMAN, text) == attributes


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("She likes rivers.", {"gender"}),
        ("Grew up in Turkey.", {"origin"}),
        ("Sings in a church.", {"religion"}),
        ("A 34-year-old with a bicycle.", {"age"}),
        ("Has cycled for 12 years.", set()),
        ("Married, with a garden.", {"marital_status"}),
        ("Lives in town and keeps bees.", set()),
        ("The shepherd heard the theatre.", set()),
    ],
)
def test_english_texts(text: str, attributes: set[str]) -> None:
    """The same in English."""
    assert stated(ENGLISH, text) == attributes


def test_labels_of_the_population_count() -> None:
    """Every label of an occupation, a religion or a country is found in either form."""
    assert stated(GERMAN, "Arbeitet als Ärztin.") >= {"occupation"}
    assert stated(GERMAN, "Arbeitet als Arzt.") >= {"occupation"}
    for attribute in ("religion", "origin"):
        for level in POPULATION.attribute(attribute).levels:
            label = level.labels["en"]
            if len(label.split()) <= 3:
                assert attribute in stated(ENGLISH, f"Knows {label} well."), label


def test_a_name_states_gender_and_a_foreign_origin() -> None:
    """Which names do cannot be known, so all count; without migration the origin does not."""
    assert stated(GERMAN, "Elif Winter", "name") == {"gender", "origin"}
    home = Persona(2, {**PERSONA.attributes, "migration_status": "without_migration"})
    assert GERMAN.stated({"name": "Elif Winter"}, home) == {"name": ("gender",)}


def test_texts_that_state_nothing_are_left_out() -> None:
    """No entry rather than an empty one."""
    assert ENGLISH.stated({"biography": "Keeps bees.", "appearance": "Tall."}, PERSONA) == {}


def test_a_language_without_words_of_its_own_has_the_labels() -> None:
    """An unknown language gives what the population's labels give: here nothing but ages."""
    assert stated(Lexicon(POPULATION, "fr"), "She is 34 years old.") == {"age"}


def test_long_texts_take_linear_time() -> None:
    """Sixteen times the text takes at most four times sixteen times the time."""

    def seconds(times: int) -> float:
        text = "Wohnt in einer mittelgroßen Stadt und spielt seit 12 Jahren Schach. " * times
        began = process_time()
        GERMAN.stated({"biography": text}, PERSONA)
        return process_time() - began

    seconds(10)
    short = min(seconds(50) for _ in range(7))
    assert min(seconds(800) for _ in range(3)) < 64 * short


def test_the_page_about_it_runs() -> None:
    """The worked example of docs/methods/leakage.md prints what it says."""
    page = Path(__file__).parents[3] / "docs/methods/leakage.md"
    code = "".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    example = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
