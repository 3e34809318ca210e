"""A manifest from anybody's image pairs: everything is checked before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.counterfactual.pairs.candidates import Candidate, Found
from evenhand.counterfactual.pairs.images import ImageFacts, facts_of
from evenhand.counterfactual.pairs.manifest import ManifestPair
from evenhand.counterfactual.spec import Registry
from evenhand.errors import EvenhandError, InputError, InvalidInputs

__all__ = ["Built", "build_pairs", "name_problem"]

SEPARATOR = "__"
LONGEST_NAME = 200
# What stands in the name of a file or a folder on every system.
FORBIDDEN = frozenset('/\\:*?"<>|')
# Told one by one; of more only how many there are.
MOST_PROBLEMS = 50

OF_SOURCE = ("source_image", "source_text", "dataset", "stratum", "source_attributes")


@dataclass(frozen=True, slots=True)
class Built:
    """Pairs whose images were all read, in the order of their ids.

    ``facts`` tells of every image, by its path. ``notes`` are sentences about what is odd and
    allowed: images that EXIF turns, pairs of two sizes, files left out.
    """

    pairs: tuple[ManifestPair, ...]
    facts: Mapping[Path, ImageFacts]
    notes: tuple[str, ...]


def build_pairs(found: Found, registry: Registry) -> Built:
    """Check candidates and make pairs of them. One image is in memory at a time.

    A pair needs two images or two texts; its edit one that the registry names; a source the same
    image, text, dataset, stratum and attributes in all its pairs. No two sources may hold the same
    picture (they would be counted as two people), no two pairs the same edited picture, and an
    edited picture may not be that of its source.

    Raises:
        InvalidInputs: everything that is wrong, one sentence each.
    """
    problems = list(found.problems)
    sound = _sound(found.candidates, registry, problems)
    problems += _contradictions(sound)
    facts = _read_all(sound, problems)
    problems += _same_pictures(sound, facts)
    if problems:
        raise InvalidInputs(_first(problems), undone="written")
    pairs = tuple(sorted((_pair(c, facts) for c in sound), key=lambda pair: pair.pair_id))
    return Built(pairs, facts, (*found.notes, *_notes(pairs, facts)))


def _first(problems: Sequence[InputError]) -> list[InputError]:
    more = len(problems) - MOST_PROBLEMS
    listed = list(problems[:MOST_PROBLEMS])
    return [*listed, InputError(f"and {more:,} more problems")] if more > 0 else listed


def _sound(
    candidates: Iterable[Candidate], registry: Registry, problems: list[InputError]
) -> list[Candidate]:
    """Candidates whose names and fields are right, each pair once."""
    sound: list[Candidate] = []
    first: dict[tuple[str, str], str] = {}
    for candidate in candidates:
        key = (candidate.source_id, candidate.edit)
        wrong = list(_wrong(candidate, registry))
        if key in first:
            wrong.append(f"the pair {SEPARATOR.join(key)!r} stands at {first[key]} already")
        first.setdefault(key, candidate.where)
        problems += [InputError(sentence, where=candidate.where) for sentence in wrong]
        if not wrong:
            sound.append(candidate)
    return sound


def _wrong(candidate: Candidate, registry: Registry) -> Iterable[str]:
    for kind, name in (("source_id", candidate.source_id), ("edit", candidate.edit)):
        if (sentence := name_problem(kind, name)) is not None:
            yield sentence
    if candidate.edit not in registry.edits:
        known = ", ".join(registry.edits) or "none yet; list them under edits"
        yield f"the registry {registry.id} has no edit {candidate.edit!r} (it has {known})"
    images = (candidate.source_image, candidate.counterfactual_image)
    texts = (candidate.source_text, candidate.counterfactual_text)
    if all(texts) or all(images):
        return
    if any(images) or not any(texts):
        missing = "source" if candidate.source_image is None else "counterfactual"
        yield f"the pair has no {missing} image"
    else:
        missing = "source" if candidate.source_text is None else "counterfactual"
        yield f"the pair has neither images nor a {missing} text"


def name_problem(kind: str, name: str) -> str | None:
    """Why a name cannot be half of a pair's id and the name of a file; None where it can.

    Example:
        >>> name_problem("source_id", "buu_0004-F-010Y0") is None
        True
    """
    if SEPARATOR in name or name.startswith("_") or name.endswith("_"):
        return f"{kind} {name!r} must not begin or end with _ nor hold __, which parts a pair's id"
    bad = next((c for c in name if c in FORBIDDEN or not c.isprintable()), None)
    if bad is not None or name in {"", ".", ".."} or name != name.strip():
        return f"{kind} {name!r} cannot be the name of a file; use letters, digits, - and single _"
    if len(name) > LONGEST_NAME:
        return f"{kind} {name[:20]!r}… is longer than {LONGEST_NAME} characters"
    return None


def _contradictions(candidates: Iterable[Candidate]) -> Iterable[InputError]:
    """Rows of one source that say different things of it."""
    known: dict[str, Candidate] = {}
    for candidate in candidates:
        before = known.setdefault(candidate.source_id, candidate)
        for name in OF_SOURCE:
            if getattr(before, name) != getattr(candidate, name):
                yield InputError(
                    f"{name} of the source {candidate.source_id!r} is not that at {before.where}",
                    where=candidate.where,
                )


def _images(candidate: Candidate) -> Iterable[Path]:
    return filter(None, (candidate.source_image, candidate.counterfactual_image))


def _read_all(
    candidates: Iterable[Candidate], problems: list[InputError]
) -> dict[Path, ImageFacts]:
    facts: dict[Path, ImageFacts] = {}
    bad: set[Path] = set()
    for candidate in candidates:
        for path in _images(candidate):
            if path in facts or path in bad:
                continue
            try:
                facts[path] = facts_of(path)
            except EvenhandError as error:
                bad.add(path)
                problems.append(
                    error
                    if isinstance(error, InputError)
                    else InputError("is not there", where=str(path))
                )
    return facts


def _same_pictures(
    candidates: Iterable[Candidate], facts: Mapping[Path, ImageFacts]
) -> Iterable[InputError]:
    """Pictures that stand where another should: told once each."""
    sources: dict[str, Candidate] = {}
    edited: dict[str, Candidate] = {}
    told: set[str] = set()
    for candidate in candidates:
        source = _picture(candidate.source_image, facts)
        changed = _picture(candidate.counterfactual_image, facts)
        if changed is not None and changed == source:
            yield InputError(
                "the edited picture is the source's own, pixel for pixel",
                where=str(candidate.counterfactual_image),
            )
        elif (
            changed is not None
            and (before := edited.setdefault(changed, candidate)) is not candidate
        ):
            yield InputError(
                f"shows the same picture as {before.counterfactual_image}",
                where=str(candidate.counterfactual_image),
            )
        if source is None or candidate.source_id in told:
            continue
        before = sources.setdefault(source, candidate)
        if before.source_id != candidate.source_id:
            told.add(candidate.source_id)
            yield InputError(
                f"the sources {before.source_id!r} and {candidate.source_id!r} show the same "
                "picture; give them one source_id",
                where=str(candidate.source_image),
            )


def _picture(path: Path | None, facts: Mapping[Path, ImageFacts]) -> str | None:
    found = facts.get(path) if path is not None else None
    return None if found is None else found.pixels


def _pair(candidate: Candidate, facts: Mapping[Path, ImageFacts]) -> ManifestPair:
    def sha256(path: Path | None) -> str | None:
        return None if path is None else facts[path].sha256

    return ManifestPair(
        pair_id=f"{candidate.source_id}{SEPARATOR}{candidate.edit}",
        source_id=candidate.source_id,
        edit=candidate.edit,
        source_image=candidate.source_image,
        counterfactual_image=candidate.counterfactual_image,
        dataset=candidate.dataset,
        stratum=candidate.stratum,
        source_attributes=dict(candidate.source_attributes),
        source_text=candidate.source_text,
        counterfactual_text=candidate.counterfactual_text,
        source_sha256=sha256(candidate.source_image),
        counterfactual_sha256=sha256(candidate.counterfactual_image),
    )


def _notes(pairs: Sequence[ManifestPair], facts: Mapping[Path, ImageFacts]) -> Iterable[str]:
    turned = [fact for fact in facts.values() if fact.orientation != 1]
    if turned:
        yield (
            f"{_counted(len(turned), 'image is', 'images are')} turned by EXIF (the first: "
            f"{turned[0].path}); not every model turns what it is shown, so save them upright"
        )
    sizes = [_sizes(pair, facts) for pair in pairs]
    unequal = sum(size is not None and size[0] != size[1] for size in sizes)
    if unequal:
        yield (
            f"in {_counted(unequal, 'pair', 'pairs')} the two images differ in size, which a "
            "model can see as well as the edit"
        )
    bare = Counter(pair.source_image is None for pair in pairs)[True]
    if bare and bare < len(pairs):
        yield f"{_counted(bare, 'pair has', 'pairs have')} texts and no images"


def _sizes(
    pair: ManifestPair, facts: Mapping[Path, ImageFacts]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    if pair.source_image is None or pair.counterfactual_image is None:
        return None
    first, second = facts[pair.source_image], facts[pair.counterfactual_image]
    return (first.width, first.height), (second.width, second.height)


def _counted(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
