"""Forms of words and terms."""

from __future__ import annotations

import pytest

from evenhand.counterfactual.reading.inflection import forms_of, numbers_of, phrases_of


@pytest.mark.parametrize(
    "word, forms",
    [
        ("fracture", "fractures fractured"),
        ("lesion", "lesions"),
        ("abnormality", "abnormalities"),
        ("medication", "medications"),
        ("nsaid", "nsaids"),
        ("refer", "refers referred referring"),
        ("orthopedic", "orthopedics orthopaedic orthopaedics"),
        ("radiograph", "radiographs"),
        ("exercises", "exercise"),
        ("monitor", "monitored monitoring"),
        ("consult", "consulted consultation"),
        ("reassess", "reassessed reassessment"),
        ("spondylolisthesis", "spondylolistheses"),
    ],
)
def test_forms_of_the_terms_are_known(word: str, forms: str) -> None:
    """The forms that the frozen rule misses are derived from its terms."""
    assert set(forms.split()) <= forms_of(word)


def test_forms_do_not_run_away() -> None:
    """No form is another word of the field: image of imaging, normality of normal, us of u."""
    assert not {"image", "images"} & forms_of("imaging")
    assert not {"abnormal", "normality", "normally"} & forms_of("normal")
    assert numbers_of("fx") == {"fx"}
    assert "hardwares" in forms_of("hardware")


def test_phrases_keep_their_negation() -> None:
    """ "No" and "without" stand for each other at a term's start, and nothing is turned round."""
    assert {p[0] for p in phrases_of("no treatment")} == {"no", "without"}
    assert not any("of" in p for p in phrases_of("no treatment"))
