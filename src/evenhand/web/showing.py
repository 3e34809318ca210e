"""What voters are shown of a bundle: queries, panels, addresses. Never a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from numpy.typing import NDArray

from evenhand.arena.bundles.bundle import Bundle
from evenhand.arena.config import ArenaConfig
from evenhand.arena.spec import Battle, Choice, Panel

__all__ = [
    "Side",
    "battle_on_the_wire",
    "choices_of",
    "config_on_the_wire",
    "consent_version",
    "side_of",
]


def choices_of(config: ArenaConfig) -> tuple[Choice, ...]:
    """What a voter may say."""
    choices: list[Choice] = ["left", "right", "tie"]
    if config.arena.both_good:
        choices.append("both_good")
    if config.arena.both_bad:
        choices.append("both_bad")
    return tuple(choices)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a battle: for the record, and as the voter's page gets it."""

    panel: Panel
    wire: orjson.Fragment


def side_of(bundle: Bundle, model: str, ranking: NDArray[Any], most: int) -> Side:
    """The images that a model put first. Addresses say dataset, version and place only."""
    images = tuple(ranking[:most].tolist())
    prefix = f"/api/image/{quote(bundle.dataset, safe='')}/{bundle.version}/"
    captions = bundle.captions
    said = {
        "images": [f"{prefix}{place}" for place in images],
        "captions": None if captions is None else [str(captions[place]) for place in images],
    }
    return Side(Panel(model=model, images=images), orjson.Fragment(orjson.dumps(said)))


def battle_on_the_wire(battle: Battle, left: Side, right: Side) -> dict[str, Any]:
    """A battle as the voter's page gets it. Nothing in it tells one model from another."""
    return {
        "battle": battle.id,
        "query": battle.query,
        "left": left.wire,
        "right": right.wire,
        "why": battle.asks_why,
        "expires_at": battle.expires_at.isoformat(),
        "dataset": {"id": battle.dataset, "version": battle.bundle_version},
    }


def consent_version(text: str) -> str | None:
    """Which words were agreed to; none where there are none.

    Example:
        >>> consent_version("I agree."), consent_version(" ")
        ('826ff0dab649', None)
    """
    words = text.strip()
    return hashlib.sha256(words.encode()).hexdigest()[:12] if words else None


def config_on_the_wire(
    config: ArenaConfig,
    bundle: Bundle,
    *,
    more: Sequence[str],
    session: Mapping[str, str] | None,
) -> bytes:
    """``GET /api/config``: what a page needs, and no model. ``more``: queries beside the bundle's."""
    rules = config.arena
    entry = config.dataset(bundle.dataset)
    said = {
        "title": rules.title,
        "queries": list(dict.fromkeys((*bundle.queries, *more))),
        "allow_open_queries": rules.allow_open_queries,
        "max_query_length": rules.max_query_length,
        "judge_question": rules.judge_question,
        "search_query_label": rules.search_query_label,
        "images_per_model": rules.images_per_model,
        "max_scroll_images": rules.max_scroll_images,
        "grid_columns": rules.grid_columns,
        "choices": choices_of(config),
        "enable_why_tags": rules.enable_why_tags,
        "why_tags": rules.why_tags if rules.enable_why_tags else (),
        "undo_s": rules.undo_s,
        "profile": [field.model_dump() for field in rules.profile],
        "consent": {
            "required": rules.require_consent,
            "version": consent_version(rules.consent_text),
            "text": rules.consent_text,
        },
        "contact": rules.contact,
        "invite_required": rules.invite_required,
        "public_leaderboard": rules.public_leaderboard,
        "languages": rules.languages,
        "dataset": {
            "id": bundle.dataset,
            "name": (entry.name if entry else "") or bundle.title or bundle.dataset,
            "version": bundle.version,
            "n_images": bundle.n_images,
        },
        "session": session,
    }
    return orjson.dumps(said)
