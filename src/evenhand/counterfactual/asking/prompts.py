"""Prompts for reports: shipped texts by key, or a user's own file, filled in for one image.

A text may hold ``{subject}`` (what the images are), ``{text}`` (the manifest's text, for pairs
that are asked without images) and any attribute of the person, such as ``{age}``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from evenhand.errors import InputError, InvalidInputs
from evenhand.models.chat import Image, Message
from evenhand.runs.document import Document, parse_document

__all__ = ["PRIMARY", "PROMPTS", "STAGES", "Prompt", "load_prompt", "stage_text"]

PRIMARY = "primary"

PROMPTS = (
    "primary",
    "no_demographics",
    "with_demographics",
    "clinical_letter",
    "minimal",
    "text_only",
)
"""The shipped prompts that a run can ask with."""

STAGES = ("stage1", "stage2", "stage2_projection", "draft_rewrite")
"""Texts for two-stage reporting, kept for users; a run does not ask with them."""

SHIPPED = "reports-1"
MAX_BYTES = 1_000_000
OWN_KEYS = ("version", "subject", "system", "user", "images", "words")
# Filled in from elsewhere than the person's attributes.
_GIVEN = frozenset({"subject", "text"})
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"\d{1,3}(?:\.0)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt. ``digest`` is the SHA-256 of its file; ``words`` say levels by attribute.

    ``shows_image`` False: the manifest's text stands in the prompt instead.
    """

    key: str
    version: str
    digest: str
    subject: str
    system: str
    user: str
    shows_image: bool = True
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Key and version, as a submission names it: ``primary@reports-1``."""
        return f"{self.key}@{self.version}"

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of the person that must be known."""
        places = {*_PLACE.findall(self.system), *_PLACE.findall(self.user)}
        return frozenset(places - _GIVEN)

    @property
    def needs_text(self) -> bool:
        """Whether the manifest's text stands in it."""
        return "{text}" in self.user

    def messages(
        self,
        image: Image | None,
        *,
        attributes: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> tuple[Message, ...]:
        """What is sent for one image. Every needed attribute and text must be there.

        Example:
            >>> _, said = load_prompt("minimal").messages(None)
            >>> said.text
            'What does this lumbar spine radiograph show, and what should be done?'
        """
        known = attributes or {}
        values = {name: self._said(name, known[name]) for name in self.attributes}
        values |= {"subject": self.subject, "text": text or ""}
        told = (Message("user", _fill(self.user, values), () if image is None else (image,)),)
        if not self.system:
            return told
        return (Message("system", _fill(self.system, values)), *told)

    def _said(self, attribute: str, level: str) -> str:
        own = self.words.get(attribute, {}).get(level)
        if own is not None:
            return own
        return (
            f"{int(float(level))} years"
            if attribute == "age" and _NUMBER.fullmatch(level)
            else level
        )


def load_prompt(key_or_file: str = PRIMARY, *, subject: str | None = None) -> Prompt:
    """A shipped prompt by its key, or a user's own: a YAML file, or a text file with the question.

    A YAML file holds ``user`` and, as wished, ``version``, ``system``, ``subject``, ``images``
    (false: no image is sent) and ``words`` (attribute to level to words). ``subject`` takes the
    place of the file's.

    Raises:
        InputError: no such prompt, or the file cannot be read.
        InvalidInputs: everything that is wrong in the file, with its line.

    Example:
        >>> load_prompt("with_demographics").attributes == {"age", "sex"}
        True
        >>> load_prompt("minimal", subject="portrait").messages(None)[-1].text
        'What does this portrait show, and what should be done?'
    """
    if key_or_file in PROMPTS:
        return _shipped(key_or_file, "prompts", subject)
    path = Path(key_or_file)
    raw = _bytes(path, key_or_file)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _own(parse_document(_decoded(raw, path), source=str(path)), raw, path, subject)
    user = _decoded(raw, path).strip()
    if not user:
        raise InputError("is empty; write what the model is to do", where=str(path))
    return _checked(
        Prompt(
            key=path.stem, version="own", digest=_sha256(raw), subject=subject or "image",
            system="", user=user, shows_image="{text}" not in user,
        ),
        str(path),
    )  # fmt: skip


def stage_text(stage: str, *, subject: str | None = None) -> Prompt:
    """A text for two-stage reporting, with ``{stage1}`` and ``{draft}`` still to be filled in.

    Raises ``InputError`` for a name that is none of ``STAGES``.

    Example:
        >>> sorted(stage_text("draft_rewrite").attributes)
        ['draft', 'stage1']
    """
    if stage not in STAGES:
        raise InputError(f"no stage {stage!r}; there are {', '.join(STAGES)}")
    return _shipped(stage, "stages", subject)


def _shipped(key: str, section: str, subject: str | None) -> Prompt:
    body, digest = _shipped_file()
    entry = body[section][key]
    return Prompt(
        key=key,
        version=body["version"],
        digest=digest,
        subject=subject or body["subject"],
        system=body["systems"][entry["system"]].strip(),
        user=entry["user"].strip(),
        shows_image=entry.get("images", True),
        words=body["words"],
    )


@lru_cache(maxsize=1)
def _shipped_file() -> tuple[dict[str, Any], str]:
    file = resources.files("evenhand.counterfactual") / "templates" / f"{SHIPPED}.yaml"
    raw = file.read_bytes()
    return parse_document(raw.decode(), source=file.name).data, _sha256(raw)


def _bytes(path: Path, given: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and not path.suffix:
            raise InputError(
                f"no prompt {given!r}; there are {', '.join(PROMPTS)}, or give a file",
                where="--prompt",
            ) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the prompt ({reason})", where=given) from None
    if len(raw) > MAX_BYTES:
        raise InputError("larger than 1 MB; is it a prompt?", where=given)
    return raw


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", where=str(path)) from None


def _own(document: Document, raw: bytes, path: Path, subject: str | None) -> Prompt:
    check = _Check(document)
    body = document.data
    check.known(body)
    images = body.get("images", True)
    if not isinstance(images, bool):
        check.problem("images", f"must be true or false, not {images!r}")
    prompt = Prompt(
        key=path.stem,
        version=check.text("version") or "own",
        digest=_sha256(raw),
        subject=subject or check.text("subject") or "image",
        system=check.text("system") or "",
        user=check.text("user", needed=True) or "",
        shows_image=images is True,
        words=check.words(),
    )
    if check.problems:
        raise InvalidInputs(check.problems)
    return _checked(prompt, str(path))


def _checked(prompt: Prompt, where: str) -> Prompt:
    if not prompt.shows_image and not prompt.needs_text:
        raise InputError(
            "shows neither an image nor a text; write {text} where the text goes", where=where
        )
    return prompt


class _Check:
    """One file on its way to a prompt; problems are gathered."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[InputError] = list(document.faults)

    def problem(self, key: str, message: str) -> None:
        self.problems.append(self.document.fault((key,), message))

    def known(self, body: Mapping[str, Any]) -> None:
        for key in body:
            if key not in OWN_KEYS:
                self.problem(key, f"is no key of a prompt; there are {', '.join(OWN_KEYS)}")

    def text(self, key: str, *, needed: bool = False) -> str | None:
        value = self.document.data.get(key)
        if value is None and not needed:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.problem(key, "is missing" if value is None else f"must be a text, not {value!r}")
            return None
        if not str(value).strip():
            self.problem(key, "is blank")
        return str(value).strip()

    def words(self) -> dict[str, dict[str, str]]:
        given = self.document.data.get("words") or {}
        if not isinstance(given, dict) or not all(isinstance(v, dict) for v in given.values()):
            self.problem("words", "must map attributes to levels to words")
            return {}
        return {
            name: {level: str(said) for level, said in levels.items()}
            for name, levels in given.items()
        }


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Each ``{name}`` replaced by its value, in one pass: what a value holds is not looked at."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
