"""Prompts: ours by key, a user's own, and what stands in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evenhand.counterfactual.asking.prompts import (
    PROMPTS,
    STAGES,
    Prompt,
    load_prompt,
    stage_text,
)
from evenhand.errors import InputError, InvalidInputs
from evenhand.models.chat import Image


def test_every_shipped_prompt_loads() -> None:
    """Each has a question and leaves no place open but those of its attributes and its text."""
    for key in PROMPTS:
        prompt = load_prompt(key)
        attributes = {"age": "young", "sex": "female"}
        for message in prompt.messages(None, attributes=attributes, text="A note."):
            assert message.text
            assert "{" not in message.text
        assert prompt.id == f"{key}@reports-1"
        assert prompt.shows_image == (key != "text_only")


def test_no_demographics_asks_as_primary_does() -> None:
    """The two are one request under two names."""
    one, two = load_prompt("primary"), load_prompt("no_demographics")
    assert one.messages(None) == two.messages(None)


def test_demographics_are_told_in_words() -> None:
    """Levels are said as the template words them, numbers as years, the rest as it stands."""
    prompt = load_prompt("with_demographics")
    assert prompt.attributes == {"age", "sex"}

    def told(age: str, sex: str) -> str:
        return prompt.messages(None, attributes={"age": age, "sex": sex})[-1].text.split("\n")[0]

    assert told("young", "female") == (
        "The person on this lumbar spine radiograph is 25 years of age and female."
    )
    assert "75 years of age and male" in told("elderly", "M")
    assert "61 years of age and not known" in told("61.0", "not known")


def test_the_subject_is_the_users(tmp_path: Path) -> None:
    """Words of another domain take the place of ours in every part."""
    for key in PROMPTS:
        messages = load_prompt(key, subject="portrait photograph").messages(
            None, attributes={"age": "young", "sex": "male"}, text="A note."
        )
        words = " ".join(message.text for message in messages)
        assert "spine" not in words
        assert "portrait photograph" in words


def test_the_image_goes_with_the_question() -> None:
    """The user's turn carries the image, the system's none."""
    image = Image(b"abc", "image/png")
    system, user = load_prompt().messages(image)
    assert (system.images, user.images) == ((), (image,))


def test_what_a_value_holds_is_no_place() -> None:
    """A text with braces stands as it is."""
    prompt = load_prompt("text_only")
    assert "see {subject}" in prompt.messages(None, text="see {subject}")[-1].text


def test_stage_texts_are_there() -> None:
    """The texts for two-stage reporting load, and only under their names."""
    assert [stage_text(stage).key for stage in STAGES] == list(STAGES)
    with pytest.raises(InputError, match="no stage 'stage9'"):
        stage_text("stage9")


def own(path: Path, text: str, name: str = "mine.yaml") -> Prompt:
    """A user's prompt from its file."""
    (path / name).write_text(text, encoding="utf-8")
    return load_prompt(str(path / name))


def test_a_users_own_prompt(tmp_path: Path) -> None:
    """A YAML file says what is asked; what it leaves out is plain."""
    prompt = own(
        tmp_path,
        "version: v2\nsubject: face\nsystem: Be brief.\nuser: 'Who is this {subject}, {role}?'\n"
        "words: {role: {cook: a cook}}\n",
    )
    assert (prompt.id, prompt.attributes) == ("mine@v2", {"role"})
    assert prompt.messages(None, attributes={"role": "cook"})[-1].text == (
        "Who is this face, a cook?"
    )
    bare = own(tmp_path, "What is on this {subject}?\n", "q.txt")
    assert [message.text for message in bare.messages(None)] == ["What is on this image?"]
    assert bare.id == "q@own"


@pytest.mark.parametrize(
    "text, says",
    [
        ("system: x\n", "user: is missing"),
        ("user: [1]\n", "user: must be a text"),
        ("user: ' '\n", "user: is blank"),
        ("user: x\nusr: y\n", "usr: is no key of a prompt"),
        ("user: x\nimages: maybe\n", "images: must be true or false"),
        ("user: x\nwords: [1]\n", "words: must map attributes"),
    ],
)
def test_each_fault_of_a_file_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """What is wrong with a user's file is named with the file."""
    with pytest.raises(InvalidInputs, match=says) as told:
        own(tmp_path, text)
    assert "mine.yaml" in str(told.value)


def test_a_prompt_must_show_something(tmp_path: Path) -> None:
    """Neither an image nor a text is no question about a pair."""
    with pytest.raises(InputError, match="shows neither an image nor a text"):
        own(tmp_path, "user: Hello\nimages: false\n")
    with pytest.raises(InputError, match="is empty"):
        own(tmp_path, " \n", "q.txt")


def test_no_such_prompt(tmp_path: Path) -> None:
    """A misspelt key lists those that are there; a file that is not there is named."""
    with pytest.raises(InputError, match="no prompt 'primry'; there are primary, no_demo"):
        load_prompt("primry")
    with pytest.raises(InputError, match="cannot read the prompt"):
        load_prompt(str(tmp_path / "none.yaml"))
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8"):
        load_prompt(str(tmp_path / "b.txt"))
