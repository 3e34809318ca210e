"""A rating as words and strings say it: "4", "4/5", "4 = quite calm", "four", "I give a 4".

Everything is linear in the text: no nested repeats, and long texts are looked at line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evenhand.reading.declining import declines_to_judge
from evenhand.reading.words import fold, strip_article
from evenhand.survey.spec import POINTS

__all__ = ["in_prose", "in_string"]

MAX_STRING = 300
MAX_MARKERS = 16

_Said = tuple[int | None, str]

_WORDS = {
    word: number
    for number, spelled in enumerate(
        ("null zero", "eins one", "zwei two", "drei three", "vier four", "funf fuenf five",
         "sechs six", "sieben seven", "acht eight", "neun nine", "zehn ten")
    )
    for word in spelled.split()
}  # fmt: skip
_NOTHING = frozenset({"n/a", "na", "none", "null", "nan", "keine angabe", "k.a", "k. a", "-", "?"})
# Compatibility folding would turn 3½ into "31⁄2"; these are told apart before it.
_FRACTIONS = re.compile("[\u00bc-\u00be\u2044\u2150-\u215e\u2189]")

_NAME = (
    r"(?:rating|bewertung|gesamtbewertung|antwort|"
    r"answer|score|wert|skalenwert|einschatzung|urteil|punktzahl|option|number|nummer|nr|no|zahl|"
    r"stufe|level|punkt)"
)
_NUMBER = r"(?P<number>[+-]?[0-9]{1,9}(?:[.,][0-9]{1,9})?)"
_OF = r"(?: ?(?:/|von|out of|of) ?(?P<of>[0-9]{1,9}))?"
_UNIT = r"(?: (?:stars?|sterne?n?|points?|punkte?n?))?"
_ALONE = re.compile(rf"(?:{_NAME} ?[.:=#]? ?)?[(\[#]?{_NUMBER}{_OF}[)\]]?{_UNIT}")
_NUMBER_FIRST = re.compile(
    r"[(\[]?(?P<number>[1-5])(?: ?/ ?5)?[)\]]?(?: ?[=:.,;-] ?| (?=\())(?P<words>.+)"
)
_NUMBER_LAST = re.compile(r"(?P<words>[^0-9]+?) ?[(\[=:,-] ?(?P<number>[1-5])(?: ?/ ?5)?[)\]]?")

_ANY_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_SCALE = re.compile(
    r"\b(?:1|eins|one) ?(?:-|bis|to|through) ?(?:5|funf|five)\b|(?<=[0-9]) ?(?:/|von|out of|of) ?5\b"
    r"|\b5-(?:point|punkt)\w*"
)
_MARKER = re.compile(rf"\b{_NAME}\b ?(?:(?:ist|is|lautet|ware|would be)\b|=|:)[:= ]*(?P<rest>.*)")
_MAY_MARK = re.compile(
    r"rating|bewertung|antwort|answer|score|wert|sch\u00e4tzung|urteil|punktzahl|zahl|option|stufe",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"[(\[]?(?P<number>[1-5])(?: ?(?:/|von|out of|of) ?5)?[)\]]?(?![\w/%]|[.,][0-9])"
)
_TAGGED = re.compile(r"<(?:rating|bewertung|score|answer|antwort)>([^<]{0,200})</", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]{0,200})\}")
_FENCE = re.compile(r"^(?:```|~~~)\w*\s*|\s*(?:```|~~~)\s*$")
_GIVES = re.compile(
    r"\b(?:ich (?:wurde |hatte )?(?:\w+ ){0,4}(?:gebe|geben|vergebe|vergeben|wahle|wahlen|nehme|bewerte|"
    r"entscheide mich fur|bei|mit|fur|auf)|wahle(?: ich)?|gebe ich|vergebe ich|bewerte ich|"
    r"i (?:would |will )?(?:\w+ )?(?:give|choose|pick|select|rate|say|go with|settle on|assign|opt for))"
    r"(?: (?!not |nicht )[a-z':]+){0,7} (?P<number>[1-5])(?: ?(?:/|von|out of|of) ?5)?(?![\w/%]|[.,][0-9])"
)
_WITHDRAWN = re.compile(
    r"\b(?:nicht|kein\w*|weder|niemals|not|never|neither|nor|between|zwischen|oder|or|if|wenn|falls|"
    r"unless|except|ausser|statt|instead|rather than)\b"
)


def in_string(text: str, labels: Sequence[str]) -> _Said:
    """The rating that a short string is, and the rule; or None and why not.

    Args:
        text: a JSON string, or a whole short reply.
        labels: the five options as shown, folded; none if unknown.

    Example:
        >>> in_string("4/5", ()), in_string("vier", ()), in_string("3-4", ())
        ((4, 'number'), (4, 'number_word'), (None, 'two_ratings'))
    """
    if _FRACTIONS.search(text[:MAX_STRING]):
        return None, "not_whole"
    folded = fold(text[: MAX_STRING + 1])
    if not folded or folded in _NOTHING:
        return None, "empty"
    if len(folded) <= MAX_STRING:
        said = _whole(folded, labels)
        if said is not None:
            return said
        said = _sentence(folded)
        if said is not None:
            return said
    if declines_to_judge(folded):
        return None, "refusal"
    return None, _why_not(folded)


def in_prose(body: str, labels: Sequence[str], *, truncated: bool) -> _Said:
    """The rating that a reply without JSON gives, and the rule; or None and why not.

    Args:
        body: the reply without its thinking.
        labels: the five options as shown, folded; none if unknown.
        truncated: what stands last may be cut off, and does not count.
    """
    body = _FENCE.sub("", _FENCE.sub("", body)).strip()
    marked = [_behind(rest, labels) for rest in _marked(body, truncated)]
    told = [said for said in marked if said is not None]
    if told:
        values = {value for value, _ in told}
        return told[-1] if len(values) == 1 else (None, "two_ratings")
    if truncated:
        return None, "no_rating"
    if _FRACTIONS.search(body[:MAX_STRING]):
        return None, "no_rating" if len(body) > 20 else "not_whole"
    folded = fold(body[: 4 * MAX_STRING])
    if len(folded) <= MAX_STRING:
        said = _whole(folded, labels)
        if said is not None:
            return said
    if len(body) <= 4 * MAX_STRING:
        said = _sentence(folded)
        if said is not None:
            return said
    return None, "no_rating"


def _whole(folded: str, labels: Sequence[str]) -> _Said | None:
    """What the whole of a text is: an option, a number, a number with its option, a word."""
    if folded in labels:
        return labels.index(folded) + 1, "label"
    alone = _ALONE.fullmatch(folded)
    if alone is not None:
        return _number(alone["number"], alone["of"])
    word = _WORDS.get(strip_article(folded))
    if word is not None:
        return (word, "number_word") if 1 <= word <= POINTS else (None, "out_of_range")
    for pattern in (_NUMBER_FIRST, _NUMBER_LAST):
        found = pattern.fullmatch(folded)
        if found is not None:
            said = _with_words(int(found["number"]), found["words"], labels)
            if said is not None:
                return said
    return None


def _number(text: str, of: str | None) -> _Said:
    if of is not None and int(of) != POINTS:
        return None, "other_scale"
    value = float(text.replace(",", "."))
    if not value.is_integer():
        return None, "not_whole"
    if not 1 <= value <= POINTS:
        return None, "out_of_range"
    return int(value), "number"


def _with_words(number: int, words: str, labels: Sequence[str]) -> _Said | None:
    """A number with words beside it: the words must not name another option or number."""
    words = words.strip(" \"'()[]")
    if words in labels:
        same = labels.index(words) + 1 == number
        return (number, "number_and_label") if same else (None, "two_ratings")
    if _ANY_NUMBER.search(words) or any(word in _WORDS for word in words.split()):
        return None
    if len(words.split()) > 12 or not any(character.isalpha() for character in words):
        return None
    return number, "number_and_words"


def _marked(body: str, truncated: bool) -> Iterator[str]:
    """What stands behind "Rating:" and its like, to the end of the line; tags and boxes."""
    found = [m.group(1) for m in _TAGGED.finditer(body)]
    found += [m.group(1) for m in _BOXED.finditer(body)]
    if _MAY_MARK.search(body):
        lines = body.split("\n")
        if truncated:
            lines.pop()  # the last line may be cut off
        for line in lines:
            if len(line) <= 2_000 and _MAY_MARK.search(line):
                found += [m["rest"] for m in _MARKER.finditer(fold(line))]
    yield from found[-MAX_MARKERS:]


def _behind(rest: str, labels: Sequence[str]) -> _Said | None:
    folded = fold(rest)
    if not folded or _FRACTIONS.search(rest):
        return None
    said = _whole(folded, labels) if len(folded) <= MAX_STRING else None
    if said is not None:
        return said
    leading = _LEADING.match(folded)
    if leading is None:
        return None
    others = _ANY_NUMBER.findall(_SCALE.sub(" ", folded[leading.end() :]))
    if others or re.match(r" ?(?:-|bis|to|or|oder|und|and) ", folded[leading.end() :]):
        return None, "two_ratings"
    return int(leading["number"]), "marked"


def _sentence(folded: str) -> _Said | None:
    """ "I give a 4": one number in the whole text, and a verb that gives it."""
    numbers = _ANY_NUMBER.findall(_SCALE.sub(" ", folded))
    if len(numbers) != 1:
        return None
    found = _GIVES.search(folded)
    if found is None or found["number"] != numbers[0]:
        return None
    if _WITHDRAWN.search(folded):
        return None, "withdrawn"
    return int(found["number"]), "sentence"


def _why_not(folded: str) -> str:
    numbers = _ANY_NUMBER.findall(folded)
    return "two_ratings" if len(numbers) > 1 else "no_rating"
