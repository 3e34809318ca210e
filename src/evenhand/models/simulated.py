"""A respondent with planted, documented effects, in this process.

What it says follows from its profile, its seed, the request's messages and the request's seed,
and from nothing else: not from time, nor from the order in which requests arrive. It reads
``Request.facts`` (who the peers are, which option is the stereotyped one), turns them into one
probability per option by mixing in one planted effect after another, and draws once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from struct import Struct
from typing import Any

import orjson

from evenhand.models.chat import Answer, Refusal, Reply, Request, Token, Usage
from evenhand.models.planting import Facts, Traits, shares_of
from evenhand.models.profiles import Profile, profile
from evenhand.models.simulated_ratings import (
    portrait_text,
    rating_shares,
    rating_text,
    rating_tokens,
)
from evenhand.models.simulated_reports import refusal_text, report_text

__all__ = ["SimulatedModel", "draws"]

Draws = Sequence[float]

# One draw per matter, so that planting one effect leaves the luck of every other as it was.
_LATENCY, _LATENCY_2, _REFUSE, _REFUSE_STYLE, _MALFORM, _MALFORM_STYLE, _CHOICE, _WORDS = range(8)
_FREE = 8

_SIXTEEN = Struct("<16I")
_SCALE = 2.0**-32
_SILENT = ("moderator", "devils_advocate")
_MIN_PROBABILITY = 1e-9

_RATIONALES = (
    "This is what the text supports.",
    "I went by what the passage says and by nothing else.",
    "Reading it again, this fits best.",
    "Nothing in the text speaks against it.",
    "I kept to the wording of the question.",
    "The other readings need more than is given.",
    "That is the plainest reading of it.",
    "I looked at each option in turn before settling.",
)
_REFUSALS = (
    "I'm sorry, but I can't answer that.",
    "I am not able to help with this question.",
    "I'd rather not answer a question of this kind.",
    "I cannot answer this, as it asks me to judge people by their group.",
)
_STATEMENTS = (
    "Let us keep to what the text says and hear every view once more.",
    "Before we go on: which sentence of the text is your answer based on?",
    "Consider the case that the opposite is true; what in the text would rule it out?",
    "So far the views differ; please say what would change your mind.",
)


def draws(request: Request, seed: int) -> tuple[float, ...]:
    """Sixteen uniforms in [0, 1) that follow from the messages, the request's seed and ``seed``."""
    parts = [f"{seed}\x1f{request.seed}"]
    pictures: list[bytes] = []
    for message in request.messages:
        parts.append(f"{message.role}\x1f{len(message.text)}\x1f{message.text}")
        pictures += [image.data for image in message.images]
    hasher = blake2b("\x1e".join(parts).encode("utf-8", "surrogatepass"))
    for picture in pictures:
        hasher.update(blake2b(picture).digest())
    return tuple([word * _SCALE for word in _SIXTEEN.unpack(hasher.digest())])


def _pick(shares: Sequence[float], uniform: float) -> int:
    reached = 0.0
    last = 0
    for index, share in enumerate(shares):
        if share <= 0.0:
            continue
        reached += share
        last = index
        if uniform < reached:
            return index
    return last  # rounding left the sum just under the uniform


class SimulatedModel:
    """A ``ChatModel`` that answers as its profile says, at no cost but the planted latency.

    ``of`` is a profile or its address (``stereotyped?stereotype_pull=0.15``); two seeds are two
    independent respondents of the same kind.
    """

    def __init__(self, of: str | Profile, *, seed: int = 0, cap: int = 256) -> None:
        self.profile = profile(of) if isinstance(of, str) else of
        self.name = f"simulated/{self.profile.name}"
        self.cap = cap
        self.seed = seed
        self._traits = Traits(self.profile)

    async def ask(self, request: Request, /) -> Reply:
        """One reply; never raises. Waits the planted latency, if there is one."""
        luck = draws(request, self.seed)
        if self.profile.latency_s > 0.0:
            await asyncio.sleep(self.latency(luck))
        return self._reply(request, luck)

    async def describe(self) -> Mapping[str, Any]:
        """The whole profile, so that a stored run says what was planted."""
        return {"model": self.profile.name, "seed": self.seed, "profile": asdict(self.profile)}

    async def close(self) -> None:
        """Nothing is held open."""

    def latency(self, luck: Draws) -> float:
        """Seconds to wait: fixed, or log-normal with mean ``latency_s``."""
        mean, sigma = self.profile.latency_s, self.profile.latency_sigma
        if not sigma:
            return mean
        radius = math.sqrt(-2.0 * math.log(1.0 - luck[_LATENCY]))  # Box-Muller
        normal = radius * math.cos(2.0 * math.pi * luck[_LATENCY_2])
        return mean * math.exp(sigma * normal - sigma * sigma / 2.0)

    def _reply(self, request: Request, luck: Draws) -> Reply:
        facts = request.facts
        prompt_tokens = sum([len(message.text) for message in request.messages]) // 4
        if facts is not None and self._refuses(facts, luck):
            return self._refusal(facts, luck, prompt_tokens)
        logprobs: tuple[Token, ...] = ()
        if facts is not None and "rating" in facts:
            text, logprobs = self._rated(request, facts["rating"], luck)
        elif facts is not None and "report" in facts:
            text = self._reported(facts["report"], luck)
        elif facts is not None and "persona" in facts:
            asked = tuple((request.schema or {}).get("properties", ("biography",)))
            text = portrait_text(self.profile, facts["persona"], luck[_FREE:], asked)
        elif facts is None or not facts.get("options") or _role(facts) in _SILENT:
            text = _unprompted(request, luck, statement=facts is not None)
        else:
            text, logprobs = self._chosen(request, facts, luck)
        return _answer(request, text, logprobs, prompt_tokens)

    def _refuses(self, facts: Facts, luck: Draws) -> bool:
        rates = self._traits.refusals
        if not rates:
            return False
        groups = facts.get("groups") or (facts.get("group") or "",)
        named = [rates[g] for group in groups if (g := str(group).casefold()) in rates]
        return luck[_REFUSE] < max(named, default=rates.get("*", 0.0))

    def _refusal(self, facts: Facts, luck: Draws, prompt_tokens: int) -> Reply:
        if "report" in facts:
            text = refusal_text(self.profile, luck[_WORDS:])
        else:
            text = _REFUSALS[int(luck[_WORDS] * len(_REFUSALS))]
        style = self.profile.refusal_style
        usage = Usage(prompt_tokens, len(text) // 4)
        if style == "field" or (style == "mixed" and luck[_REFUSE_STYLE] < 0.5):
            return Refusal(text, "model", usage)
        return Answer(text, usage)

    def _chosen(
        self, request: Request, facts: Facts, luck: Draws
    ) -> tuple[str, tuple[Token, ...]]:
        options = facts["options"]
        shares = shares_of(self._traits, facts, [option["id"] for option in options])
        chosen = _pick(shares, luck[_CHOICE])
        words = _spoken(request.schema, options)
        if luck[_MALFORM] < self.profile.malformed_rate:
            return self._malformed(words, chosen, facts, luck), ()
        text = _form(words[chosen], self._rationale(luck), facts)
        if request.top_logprobs:
            return text, _tokens(text, words, shares, chosen, request.top_logprobs)
        return text, ()

    def _rated(self, request: Request, facts: Facts, luck: Draws) -> tuple[str, tuple[Token, ...]]:
        shares = rating_shares(self.profile, facts, seed=self.seed)
        rating = _pick(shares, luck[_CHOICE]) + 1
        rationale = self._rationale(luck)
        if luck[_MALFORM] < self.profile.malformed_rate:
            styles = self.profile.malformed_styles
            style = styles[int(luck[_MALFORM_STYLE] * len(styles))]
            return rating_text(request, rating, rationale, style), ()
        text = rating_text(request, rating, rationale)
        if request.top_logprobs:
            return text, rating_tokens(text, rating, shares, request.top_logprobs)
        return text, ()

    def _reported(self, report: Facts, luck: Draws) -> str:
        text = report_text(self.profile, report, luck[_FREE:], seed=self.seed)
        if luck[_MALFORM] >= self.profile.malformed_rate:
            return text
        styles = self.profile.malformed_styles
        style = styles[int(luck[_MALFORM_STYLE] * len(styles))]
        # Free text has no form to break but its end.
        return {"empty": "", "truncated": text[: len(text) // 3]}.get(style, text)

    def _rationale(self, luck: Draws) -> str:
        start = int(luck[_WORDS] * len(_RATIONALES))
        count = self.profile.verbosity
        if count == 1:
            return _RATIONALES[start]
        return " ".join(_RATIONALES[(start + step) % len(_RATIONALES)] for step in range(count))

    def _malformed(self, words: list[str], chosen: int, facts: Facts, luck: Draws) -> str:
        styles = self.profile.malformed_styles
        style = styles[int(luck[_MALFORM_STYLE] * len(styles))]
        whole = _form(words[chosen], self._rationale(luck), facts)
        if style == "bare_letter":
            return str(facts["options"][chosen].get("label") or chr(ord("A") + chosen))
        if style == "fenced":
            return f"Here is my answer:\n```json\n{whole}\n```"
        if style == "trailing_prose":
            return f"{whole}\n\nI hope this helps. Let me know if you would like more detail."
        if style == "truncated":
            return whole[: whole.index(':"') + 2]
        if style == "two_options":
            other = words[(chosen + 1) % len(words)]
            return _form(f"{words[chosen]} or {other}", "Either could be meant.", facts)
        return ""


def _role(facts: Facts) -> str:
    return str((facts.get("agent") or {}).get("role") or "participant")


def _spoken(schema: Mapping[str, Any] | None, options: Sequence[Facts]) -> list[str]:
    """How each option is said: its text, or what the schema's list of answers allows."""
    texts = [option["text"] for option in options]
    if not schema:
        return texts
    allowed = schema.get("properties", {}).get("answer", {}).get("enum")
    if not allowed or all(text in allowed for text in texts):
        return texts
    for key in ("label", "id"):
        said = [option.get(key) for option in options]
        if all(each in allowed for each in said):
            return [str(each) for each in said]
    return texts


def _form(answer: str, rationale: str, facts: Facts) -> str:
    if facts.get("field_order") == "rationale_first":
        return orjson.dumps({"rationale": rationale, "answer": answer}).decode()
    return orjson.dumps({"answer": answer, "rationale": rationale}).decode()


def _tokens(
    text: str, words: Sequence[str], shares: Sequence[float], chosen: int, top: int
) -> tuple[Token, ...]:
    """The reply as three tokens, the middle one the answer with the planted log-probabilities."""
    ranked = sorted(range(len(words)), key=lambda index: -shares[index])[:top]
    inside = [orjson.dumps(word).decode()[1:-1] for word in words]
    alternatives = tuple(
        (inside[index], math.log(shares[index]))
        for index in ranked
        if shares[index] > _MIN_PROBABILITY
    )
    before, _, after = text.partition(f'"answer":"{inside[chosen]}"')
    logprob = math.log(max(shares[chosen], _MIN_PROBABILITY))
    return (
        Token(f'{before}"answer":"', 0.0),
        Token(inside[chosen], logprob, alternatives),
        Token(f'"{after}', 0.0),
    )


def _answer(
    request: Request, text: str, logprobs: tuple[Token, ...], prompt_tokens: int
) -> Answer:
    limit = request.decoding.max_tokens
    if limit is not None and len(text) > 4 * limit:
        return Answer(text[: 4 * limit], Usage(prompt_tokens, limit), True, ())
    return Answer(text, Usage(prompt_tokens, len(text) // 4), False, logprobs)


def _unprompted(request: Request, luck: Draws, *, statement: bool) -> str:
    """Words where there is no option to choose: by the schema, else one plain sentence."""
    pool = _STATEMENTS if statement else _RATIONALES
    sentence = pool[int(luck[_WORDS] * len(pool))]
    if not request.schema:
        return sentence
    schema = request.schema
    budget = list(luck[_FREE:])
    return orjson.dumps(_fill(schema, schema, sentence, budget)).decode()


def _fill(node: Any, root: Facts, sentence: str, luck: list[float]) -> Any:
    """A value that the JSON schema allows, each free choice uniform."""
    if not isinstance(node, Mapping):
        return sentence
    for key in ("anyOf", "oneOf", "allOf"):
        if node.get(key):
            return _fill(node[key][0], root, sentence, luck)
    if "$ref" in node:
        return _fill(_referred(root, str(node["$ref"])), root, sentence, luck)
    if "const" in node:
        return node["const"]
    # A schema with more free choices than draws goes round: still from the request alone.
    uniform = luck.pop(0)
    luck.append(uniform)
    if node.get("enum"):
        return node["enum"][int(uniform * len(node["enum"]))]
    kind = node.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in node:
        inside = node.get("properties", {})
        return {key: _fill(inside[key], root, sentence, luck) for key in inside}
    if kind == "array":
        count = int(node.get("minItems", 1))
        return [_fill(node.get("items"), root, sentence, luck) for _ in range(count)]
    return _scalar(node, kind, sentence, uniform)


def _scalar(node: Facts, kind: Any, sentence: str, uniform: float) -> Any:
    low = node.get("minimum", 0)
    high = node.get("maximum", max(low, 10))
    if kind == "integer":
        return int(low + uniform * (high - low + 1))
    if kind == "number":
        return low + uniform * (high - low)
    if kind == "boolean":
        return uniform < 0.5
    if kind == "null":
        return None
    return sentence[: int(node.get("maxLength", len(sentence)))]


def _referred(root: Facts, reference: str) -> Any:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node
