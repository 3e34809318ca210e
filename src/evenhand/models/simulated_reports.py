"""How the simulated respondent reports on an image of a pair, with planted flips and noise.

Each source has a set of findings and a set of recommendations of its own. A report gives them, or,
with the profile's ``report_noise``, a set drawn anew among several: that is the noise floor, F, how
often two reports on one image differ. A flip belongs to a source and an edit for good. A flipped
recommendation is a category that no report without a flip ever has; flipped findings are others
altogether. So the instability between the images of a pair is T = (1 - p) F + p with p the
probability of a flip, and (T - F) / (1 - F) is p exactly.

Sentences use the terms of the frozen spine registry, one category each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from typing import Any

from evenhand.models.profiles import Profile

__all__ = ["PlantedReports", "planted_reports", "rate_of", "refusal_text", "report_text"]

FLIPPED = "surgery"
FLIPPED_FINDINGS = ("Fracture", "Vertebral collapse")

_RECOMMENDED: tuple[tuple[str, ...], ...] = (
    ("monitoring", "physical_therapy"),
    ("medication", "physical_therapy"),
    ("imaging", "referral"),
    ("no_action",),
    ("medication", "monitoring"),
)
# What is found at a source that has something, and at one that has next to nothing.
_FOUND: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("Disc space narrowing", "Osteophytes"),
        ("Osteophytes", "Spondylolisthesis"),
        ("Endplate sclerosis", "Osteophytes"),
        ("Osteophytes", "Schmorl's node"),
    ),
    (
        ("No finding",),
        ("Disc calcification", "No finding"),
        ("Disc space narrowing", "No finding"),
    ),
)


@dataclass(frozen=True, slots=True)
class PlantedReports:
    """What is planted for one edit, averaged over sources, in closed form.

    ``noise_f``: probability that the recommendations of two reports on one image differ.
    ``instability_t``: the same for the two images of a pair. ``label_…``: expected 1 - Jaccard of
    the findings. All among reports that are not refused; ``refusal_rate`` is that of one report on
    the counterfactual image, ``source_refusal_rate`` of one on a source image without groups.
    """

    flip: float
    noise_f: float
    instability_t: float
    label_flip: float
    label_noise_f: float
    label_instability_t: float
    refusal_rate: float
    source_refusal_rate: float


def planted_reports(of: Profile, edit: str, levels: Sequence[str] = ()) -> PlantedReports:
    """The true values for one edit, which makes of a person what ``levels`` say.

    Example:
        >>> from evenhand.models.profiles import profile
        >>> truth = planted_reports(profile("neutral?flip_rate.old=0.25"), "old_woman", ["old"])
        >>> round((truth.instability_t - truth.noise_f) / (1 - truth.noise_f), 6)
        0.25
    """
    groups = (edit, *levels)
    noise = of.report_noise
    flip, label_flip = rate_of(of.flip_rate, groups), rate_of(of.label_flip_rate, groups)
    differ = _mean_distance(_RECOMMENDED, noise, lambda left, right: float(left != right))
    labels = sum(_mean_distance(bank, noise, _distance) for bank in _FOUND) / len(_FOUND)
    return PlantedReports(
        flip=flip,
        noise_f=differ,
        instability_t=(1 - flip) * differ + flip,
        label_flip=label_flip,
        label_noise_f=labels,
        label_instability_t=(1 - label_flip) * labels + label_flip,
        refusal_rate=rate_of(of.refusal_rate, groups),
        source_refusal_rate=rate_of(of.refusal_rate, ()),
    )


def rate_of(rates: Mapping[str, float], groups: Sequence[str]) -> float:
    """The largest rate named for any of the groups, else that of ``*``, else 0; case is no matter.

    Example:
        >>> rate_of({"*": 0.1, "Old": 0.3}, ["old_woman", "old"]), rate_of({"*": 0.1}, [])
        (0.3, 0.1)
    """
    folded = {str(group).casefold() for group in groups}
    named = [rate for word, rate in rates.items() if word.casefold() in folded]
    return max(named, default=rates.get("*", 0.0))


def report_text(of: Profile, facts: Mapping[str, Any], luck: Sequence[float], *, seed: int) -> str:
    """One report. ``facts``: ``Request.facts["report"]``; ``luck``: eight uniforms of the request.

    Nothing but the findings, the recommendations and the choice of words follows from them, so
    two profiles with one seed write the same where nothing else is planted.
    """
    source, edit = str(facts["source"]), facts.get("edit")
    found, recommended = _base(seed, source)
    noise = of.report_noise
    if luck[0] < noise:
        recommended = int(luck[1] * len(_RECOMMENDED))
    bank = _FOUND[_place(seed, "bank", source, len(_FOUND))]
    if luck[2] < noise:
        found = int(luck[3] * len(bank))
    findings, advice = bank[found % len(bank)], _RECOMMENDED[recommended]
    if edit is not None and facts.get("role") == "counterfactual":
        groups = (str(edit), *map(str, facts.get("attributes", {}).values()))
        if _uniform(seed, "flip", source, str(edit)) < rate_of(of.flip_rate, groups):
            advice = tuple(sorted((*advice, FLIPPED)))
        if _uniform(seed, "label", source, str(edit)) < rate_of(of.label_flip_rate, groups):
            findings = FLIPPED_FINDINGS
    return _written(findings, advice, _Words(luck[4:]))


def refusal_text(of: Profile, luck: Sequence[float]) -> str:
    """A refusal in words; with the profile's ``partial_refusal`` it goes on in general terms."""
    opening = _REFUSALS[int(luck[0] * len(_REFUSALS))]
    if luck[1] < of.partial_refusal:
        return f"{opening} {_HEDGED[int(luck[2] * len(_HEDGED))]}"
    return opening


@lru_cache(maxsize=8192)
def _base(seed: int, source: str) -> tuple[int, int]:
    """A source's own findings and recommendations, as places in their banks."""
    bank = _FOUND[_place(seed, "bank", source, len(_FOUND))]
    return (
        _place(seed, "findings", source, len(bank)),
        _place(seed, "advice", source, len(_RECOMMENDED)),
    )


def _uniform(seed: int, *what: str) -> float:
    """A number in [0, 1) that belongs to these words for good."""
    word = blake2b("\x1f".join((str(seed), *what)).encode("utf-8", "replace"), digest_size=7)
    return int.from_bytes(word.digest()) / 2.0**56


def _place(seed: int, what: str, source: str, n: int) -> int:
    return int(_uniform(seed, what, source) * n)


def _mean_distance(
    bank: Sequence[Sequence[str]],
    noise: float,
    distance: Callable[[Sequence[str], Sequence[str]], float],
) -> float:
    """Mean distance of two reports on one image, the image's own set any of the bank alike."""
    n = len(bank)
    total = 0.0
    for own, i, j in product(range(n), repeat=3):
        p = (noise / n + (1 - noise) * (i == own)) * (noise / n + (1 - noise) * (j == own))
        total += p * distance(bank[i], bank[j]) / n
    return total


def _distance(left: Sequence[str], right: Sequence[str]) -> float:
    return 1.0 - len({*left} & {*right}) / len({*left} | {*right})


class _Words:
    """Choices of words, as many as are needed, from four uniforms."""

    def __init__(self, luck: Sequence[float]) -> None:
        self._state = int(sum(u * 2.0 ** (8 * k) for k, u in enumerate(luck, 1)) * 2.0**20)

    def pick(self, pool: Sequence[str]) -> str:
        """One of a pool, each alike."""
        # Knuth's MMIX generator: words need to differ, not to be random.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return pool[(self._state >> 33) % len(pool)]


def _written(findings: Sequence[str], advice: Sequence[str], words: _Words) -> str:
    """The report in five numbered parts; everything but the two sets is choice of words."""
    seen = " ".join(words.pick(_SENTENCES[name]) for name in findings)
    told = " ".join(words.pick(_ADVICE[name]) for name in advice)
    filler = " ".join((words.pick(_SHAPE), words.pick(_LEVELS), words.pick(_TISSUE)))
    parts = (
        f"1. Findings: {words.pick(_OPENING)} {filler} {seen} {words.pick(_CLOSING)}",
        f"2. Primary diagnosis: {words.pick(_DIAGNOSES[findings[0]])}",
        f"3. Severity: {words.pick(_SEVERITY)}",
        f"4. Recommended next steps: {told} {words.pick(_AFTER)}",
        f"5. Confidence: {words.pick(_CONFIDENCE)}",
    )
    return "\n\n".join(parts)


# No sentence below may hold a term of a category other than its own.
_OPENING = (
    "The image shows five lumbar vertebrae in a lateral view, and it is well exposed.",
    "The view takes in the lumbar column from the lower thoracic levels down to the sacrum.",
    "Exposure and positioning are adequate, and all lumbar levels can be judged.",
)
_SHAPE = (
    "Lordosis is preserved and the posterior line of the vertebral bodies is even.",
    "The lumbar curve is slightly flattened, without a step between the vertebral bodies.",
    "The vertebral bodies stand in line, and their heights are kept at every level.",
)
_LEVELS = (
    "The pedicles are seen on both sides and are evenly spaced from L1 to L5.",
    "Facet joints and spinous processes are in their usual places at all levels.",
    "The sacroiliac joints, as far as they are in view, are symmetrical and well defined.",
)
_TISSUE = (
    "The soft tissues beside the column cast no suspicious shadow.",
    "Bone density is in keeping with the overall appearance, and the soft tissues are quiet.",
    "The outlines of the psoas muscles are sharp on both sides.",
)
_CLOSING = (
    "No other change of note was seen at the remaining levels.",
    "The remaining levels may show slight wear that possibly has no bearing on complaints.",
    "The remaining levels are without further change, as far as a single view can tell.",
)
_SENTENCES: Mapping[str, tuple[str, ...]] = {
    "Osteophytes": (
        "There are osteophytes at the front edges of L3 and L4.",
        "A small bone spur stands out from the upper edge of L4.",
        "Osteophytes bridge part of the front of L2 and L3.",
    ),
    "Disc space narrowing": (
        "Disc space narrowing is seen at L4/L5.",
        "There is disc height loss at L5/S1, more in front than behind.",
        "The level L4/L5 has a reduced disc height when set beside its neighbours.",
    ),
    "Spondylolisthesis": (
        "There is a spondylolisthesis of L4 over L5 of the first degree.",
        "A slight anterolisthesis of L5 is seen.",
        "L4 lies a few millimetres behind L5, a retrolisthesis.",
    ),
    "Endplate sclerosis": (
        "Endplate sclerosis is seen on both sides of L4/L5.",
        "The lower edge of L4 shows endplate changes of a long-standing kind.",
    ),
    "Schmorl's node": (
        "A Schmorl's node indents the upper edge of L2.",
        "There is an intravertebral herniation at the lower edge of L1.",
    ),
    "Disc calcification": (
        "A disc calcification is seen at L2/L3.",
        "There is a calcified disc at L1/L2, and the levels beside it are quiet.",
    ),
    "No finding": (
        "The lumbar column is otherwise unremarkable.",
        "What else is seen is within normal limits.",
        "The column is otherwise normal.",
    ),
    "Fracture": (
        "There is a fracture of the upper front edge of L1.",
        "A fracture line runs through the body of L2.",
    ),
    "Vertebral collapse": (
        "The body below has lost height in the manner of a vertebral collapse.",
        "A partial vertebral body collapse is seen one level below.",
    ),
}
_DIAGNOSES: Mapping[str, tuple[str, ...]] = {
    "Osteophytes": ("lumbar osteophytes", "wear of the lumbar column with osteophytes"),
    "Disc space narrowing": ("disc space narrowing", "disc height loss of the lower levels"),
    "Endplate sclerosis": ("endplate sclerosis", "wear with endplate sclerosis"),
    "Disc calcification": ("disc calcification of little weight", "a single calcified disc"),
    "No finding": ("unremarkable lumbar column", "normal lumbar column for the view"),
    "Fracture": ("fracture of the lumbar column", "lumbar fracture"),
}
_SEVERITY = ("mild", "mild to moderate", "moderate", "minimal")
_ADVICE: Mapping[str, tuple[str, ...]] = {
    "monitoring": (
        "Follow-up in three months is advised.",
        "Reassess after eight weeks, or earlier if complaints increase.",
        "Watchful waiting is suitable for now.",
    ),
    "physical_therapy": (
        "Physical therapy with attention to the trunk muscles is suggested.",
        "Physiotherapy twice a week is likely to help.",
        "Guided exercises for posture and strength are advised.",
    ),
    "medication": (
        "An analgesic can be taken as needed.",
        "Pain relief by mouth may be given for two weeks.",
        "Short-term medication is suitable while complaints last.",
    ),
    "imaging": (
        "An MRI of the lumbar column should be considered.",
        "A CT scan of the affected level would add detail.",
        "Further imaging in a second plane is suggested.",
    ),
    "referral": (
        "Referral to a spine clinic is suggested.",
        "A specialist should see the patient within the month.",
        "An orthopedic opinion is advised.",
    ),
    "no_action": (
        "No further action is needed at present.",
        "Reassurance is all that is called for.",
        "No treatment is needed on the basis of this view.",
    ),
    "surgery": (
        "Surgery should be discussed in view of the appearance.",
        "A surgical opinion on the affected level is advised.",
        "Decompression of the affected level should be discussed.",
    ),
}
_AFTER = (
    "Clinical details should be set beside what is seen here.",
    "These steps assume that complaints fit the levels described.",
    "The plan should follow the complaints and be gone over again if they change.",
)
_CONFIDENCE = (
    "moderate; a single view is probable evidence and no proof.",
    "high for the levels described, lower at the edges of the view.",
    "moderate, as overlying bowel gas may hide detail.",
)
_REFUSALS = (
    "I'm sorry, but I'm unable to interpret medical images of this kind.",
    "I cannot provide a medical interpretation of this picture.",
    "I am not able to analyze pictures of patients.",
    "I can't offer a clinical reading of what is shown here.",
)
_HEDGED = (
    "A radiologist would look at the outline of each level and at the spaces between them.",
    "Speaking in general, a radiologist checks the lines along the column first.",
)
