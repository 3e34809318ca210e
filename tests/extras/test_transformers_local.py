"""In-process transformers on a tiny random model made here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from evenhand.errors import SubjectError
from evenhand.models.chat import (
    Answer,
    ChatModel,
    Decoding,
    Failure,
    Image,
    Message,
    Reply,
    Request,
)
from evenhand.models.registry import Subject, build

pytestmark = [
    pytest.mark.extras,
    # Raised inside torch and transformers as they import; none of ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

MESSAGES = (Message("system", "Be brief."), Message("user", "Say A."))


def ask(folder: Path, requests: Sequence[Request]) -> list[Reply]:
    """The replies of a model in a folder to requests asked side by side."""

    async def run() -> list[Reply]:
        """Ask, and close whatever happens."""
        model = build(f"hf/{folder}")
        assert isinstance(model, ChatModel)
        try:
            return list(await asyncio.gather(*(model.ask(request) for request in requests)))
        finally:
            await model.close()

    return asyncio.run(run())


def request(seed: int | None = None, top_logprobs: int = 0, **decoding: Any) -> Request:
    """A short request."""
    return Request(MESSAGES, Decoding(**decoding), seed=seed, top_logprobs=top_logprobs)


def test_the_same_seed_gives_the_same_words(tiny_llama: Path) -> None:
    """Also when other requests come between; and another seed gives other words."""
    asked = [request(s, temperature=1.0, max_tokens=12) for s in (1, 2, 1)]
    first, second, again = ask(tiny_llama, asked)
    assert isinstance(first, Answer)
    assert first == again
    assert first != second


def test_temperature_zero_is_greedy(tiny_llama: Path) -> None:
    """No seed is needed, and every chosen token is the likeliest one."""
    asked = [request(temperature=0.0, max_tokens=8, top_logprobs=3)] * 2
    first, again = ask(tiny_llama, asked)
    assert isinstance(first, Answer)
    assert first == again
    assert len(first.logprobs) == first.usage.reply_tokens
    for token in first.logprobs:
        assert len(token.alternatives) == 3
        assert token.logprob == pytest.approx(token.alternatives[0][1])
        assert token.logprob <= 0.0


def test_usage_and_truncation_are_told(tiny_llama: Path) -> None:
    """A reply of max_tokens tokens that did not end is truncated."""
    (reply,) = ask(tiny_llama, [request(1, temperature=1.0, max_tokens=5)])
    assert isinstance(reply, Answer)
    assert reply.usage.reply_tokens == 5
    assert reply.truncated
    assert reply.usage.prompt_tokens > len("Say A.")


def test_a_prompt_that_does_not_fit_is_a_failure(tiny_llama: Path) -> None:
    """The sentence holds both numbers and the model's context."""
    (reply,) = ask(tiny_llama, [request(max_tokens=1000)])
    assert isinstance(reply, Failure)
    assert "256" in reply.error
    assert "1000" in reply.error


def test_a_model_without_a_chat_template_is_asked_in_plain_words(plain_llama: Path) -> None:
    """Base models work too."""
    (reply,) = ask(plain_llama, [request(1, temperature=0.0, max_tokens=4)])
    assert isinstance(reply, Answer)


def test_a_template_without_a_system_role_still_gets_every_word(
    userless_llama: Path, tiny_llama: Path
) -> None:
    """The system's words are in the prompt, only without the role's own tag."""
    lone, whole = (
        ask(folder, [request(1, temperature=0.0, max_tokens=2)])[0]
        for folder in (userless_llama, tiny_llama)
    )
    assert isinstance(lone, Answer)
    assert isinstance(whole, Answer)
    system_tag = len("<system>  </s>") - 3  # </s> is one token
    assert 0 < whole.usage.prompt_tokens - lone.usage.prompt_tokens <= system_tag


def test_describe_tells_size_and_versions(tiny_llama: Path) -> None:
    """Enough to know later what answered."""

    async def run() -> Any:
        """Ask, and close whatever happens."""
        model = build(
            Subject("hf", str(tiny_llama), {"hf_config": {"device": "cpu", "dtype": "float32"}})
        )
        try:
            return await model.describe()
        finally:
            await model.close()

    told = asyncio.run(run())
    assert (told["model_type"], told["max_model_len"]) == ("llama", 256)
    assert (told["device"], told["dtype"]) == ("cpu", "torch.float32")
    assert told["parameters"] > 0
    assert told.keys() >= {"transformers", "torch"}


def test_a_folder_without_a_model_is_a_subject_error(tmp_path: Path) -> None:
    """One line, naming the model."""
    with pytest.raises(SubjectError, match="cannot be loaded") as caught:
        ask(tmp_path, [request()])
    assert "\n" not in str(caught.value)


def seen(shade: int) -> Message:
    """A turn with a grey image."""
    out = BytesIO()
    Pillow.new("L", (20, 16), shade).save(out, format="PNG")
    return Message("user", "What is it?", (Image(out.getvalue(), "image/png"),))


def test_a_model_that_sees_is_shown_the_image(tiny_llava: Path) -> None:
    """Black, white and no image give three replies; the same image gives the same one."""
    decoding = Decoding(temperature=0.0, max_tokens=8)
    turns = [seen(0), seen(255), seen(0), Message("user", "What is it?")]
    asked = [Request((MESSAGES[0], turn), decoding, top_logprobs=1) for turn in turns]
    black, white, again, blind = ask(tiny_llava, asked)
    assert isinstance(black, Answer)
    assert black == again
    assert isinstance(white, Answer)
    assert isinstance(blind, Answer)
    assert len({reply.logprobs for reply in (black, white, blind)}) == 3
    assert black.usage.prompt_tokens == blind.usage.prompt_tokens + 4


def test_a_model_of_words_alone_is_shown_none(tiny_llama: Path) -> None:
    """An image for it is an error of the run, and is never left out in silence."""
    with pytest.raises(SubjectError, match="takes no images"):
        ask(tiny_llama, [Request((seen(0),))])
