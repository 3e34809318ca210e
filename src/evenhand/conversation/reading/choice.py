"""Match the words of one answer to one displayed option, or say why that cannot be done.

The rules run from strict to lenient and stop at the first that speaks: exact text, folded text,
label, label with text, ordinal, refusal, named option, distinctive words, misspelling. A rule
that finds a conflict (two options, a denial, label against text) ends the search as unreadable:
no later, weaker rule may overrule it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from evenhand.conversation.spec import Choice
from evenhand.reading import words as say

__all__ = ["Match", "Options", "match", "options_of"]

MAX_NAMED_CHARS = 20_000
MAX_FUZZY_CHARS = 200


class Match(NamedTuple):
    """What one answer says. ``choice`` is an option's id when ``kind`` is ``choice``."""

    kind: Literal["choice", "refusal", "unreadable"]
    choice: str | None
    rule: str

    @property
    def silent(self) -> bool:
        """Whether the answer names nothing at all, so that another source may speak."""
        return self.kind == "unreadable" and self.rule in {"no_option", "empty"}


def _no(rule: str) -> Match:
    return Match("unreadable", None, rule)


def _yes(choice: str, rule: str) -> Match:
    return Match("choice", choice, rule)


_NO_OPTION = _no("no_option")


@dataclass(frozen=True, slots=True)
class Options:
    """A question's options prepared for matching. ``order`` holds the ids as displayed."""

    exact: dict[str, str]
    folded: dict[str, str]
    order: tuple[str, ...]
    labels: Literal["letter", "arabic", "roman", "none"]
    letters_clear: bool
    named: re.Pattern[str] | None
    ids_by_name: dict[str, str]
    unknown: str | None
    words: dict[str, Counter[str]]
    polar: frozenset[str]

    def labelled(self, label: str) -> tuple[str | None, bool] | None:
        """The id that a label stands for and whether that label was displayed.

        ``None`` when it is no label here; an id of ``None`` when it is out of range or unclear.
        """
        if label.isdigit():
            position, shown = int(label), self.labels == "arabic"
        elif self.labels == "roman" and label in _ROMAN:
            position, shown = _ROMAN[label], True
        elif len(label) == 1:
            if not self.letters_clear:
                return None, False
            position, shown = ord(label) - ord("a") + 1, self.labels == "letter"
        elif label in _ROMAN:
            position, shown = _ROMAN[label], False
        else:
            return None
        inside = 1 <= position <= len(self.order)
        return (self.order[position - 1] if inside else None), shown


_ROMAN = {
    name: value
    for value, name in enumerate(
        ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"], start=1
    )
}
_ORDINALS = {
    name: value
    for value, name in enumerate(["first", "second", "third", "fourth", "fifth", "sixth"], start=1)
}
_LABEL = r"([a-z]|\d{1,2}|[ivx]{1,4})"
_WORD_BEFORE = r"(?:(?:i )?(?:choose|pick|select) )?(?:(?:the )?(?:answer|option|choice|letter|number)(?: is)? ?:? ?)?"
_BARE = re.compile(rf"^{_WORD_BEFORE}[(\[]?{_LABEL}[)\].:]{{0,2}}$")
_LABEL_FIRST = re.compile(
    rf"^(?:(?:option|choice|answer) ?:? ?)?(?:[(\[]{_LABEL}[)\]][.:]?|{_LABEL}(?:[.):\]](?= )| -)) ?(\S.*)$"
)
_LABEL_LAST = re.compile(rf"^(.*\S) ?[(\[](?:option |choice )?{_LABEL}[)\]]$")
_TWO_LABELS = re.compile(
    rf"^(?:not )?[(\[]?{_LABEL}[)\]]? ?(?:,|/|&|and|or|und|oder) ?[(\[]?{_LABEL}[)\]]?$"
)
_ORDINAL = re.compile(
    r"^(?:i (?:choose|pick|select) )?(?:the )?(first|second|third|fourth|fifth|sixth)(?: (?:option|one|choice|answer))?$"
)
_NOT_LABEL = re.compile(rf"^not [(\[]?{_LABEL}[)\]]?$")


def _letters_clear(order: Sequence[str], labels: str) -> bool:
    # Where no letters are displayed, the first option as shown and the option with id A may
    # differ; a letter is then a guess. Displayed letters always count from the top.
    return labels == "letter" or tuple(order) == tuple(sorted(order))


def _unique(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    counts = Counter(name for name, _ in pairs)
    return {name: id for name, id in pairs if counts[name] == 1 and name}


def _naming(names: Sequence[str]) -> re.Pattern[str] | None:
    # Longest first: "not Hispanic" is one name, not "not" and "Hispanic".
    usable = sorted((n for n in names if not n.isdigit()), key=len, reverse=True)
    if not usable:
        return None
    body = "|".join(re.escape(name) for name in usable)
    return re.compile(rf"(?<![\w'-])(?:{body})(?![\w-]|'s\b)")


@lru_cache(maxsize=4096)
def options_of(choices: tuple[Choice, ...], order: tuple[str, ...], choice_format: str) -> Options:
    """Prepare a question's options; remembered, as agents and rounds share a question.

    Example:
        >>> yes_no = (Choice("A", "Yes"), Choice("B", "No"))
        >>> options_of(yes_no, ("B", "A"), "letter_dot").labelled("a")
        ('B', True)
    """
    folded = [(say.fold(choice.text), choice.id) for choice in choices]
    whole = _unique(folded)
    names = whole | {
        name: id
        for name, id in _unique([(say.strip_article(text), id) for text, id in folded]).items()
        if name not in whole
    }
    prefix = choice_format.partition("_")[0]
    labels: Literal["letter", "arabic", "roman", "none"] = (
        prefix if prefix in {"letter", "arabic", "roman"} else "none"  # type: ignore[assignment]
    )
    unknown = [id for text, id in folded if say.is_unknown_option(text)]
    return Options(
        exact=_unique([(choice.text, choice.id) for choice in choices]),
        folded=names,
        order=order or tuple(choice.id for choice in choices),
        labels=labels,
        letters_clear=_letters_clear(order, labels),
        named=_naming(list(names)),
        ids_by_name=names,
        unknown=unknown[0] if len(unknown) == 1 else None,
        words={id: Counter(say.words(text)) for text, id in folded},
        polar=frozenset(id for text, id in folded if text in {"yes", "no"}),
    )


def match(answer: str, options: Options, *, threshold: float = 0.75) -> Match:
    """Read the text of one answer against the options.

    Args:
        answer: the words, complete (a cut-off answer is the caller's to reject).
        options: from ``options_of``.
        threshold: least ``difflib`` ratio, 0..1, for a misspelt option; 1 turns that rule off.

    Returns:
        The option and the rule that found it, a refusal, or unreadable with the reason.

    Example:
        >>> options = options_of((Choice("A", "The man"), Choice("B", "The woman")), ("A", "B"), "letter_dot")
        >>> [match(text, options)[1:] for text in ("b", "A. The woman", "not the man", "woman.")]
        [('B', 'label'), (None, 'label_against_text'), (None, 'negated'), ('B', 'normalised')]
    """
    folded = say.fold(answer)
    if not any(character.isalnum() for character in folded):
        return _no("empty")
    by_text = options.exact.get(answer.strip())
    rule = "exact" if by_text else "normalised"
    by_text = (
        by_text or options.folded.get(folded) or options.folded.get(say.strip_article(folded))
    )
    by_label = _bare_label(folded, options)
    if by_text is not None:
        against = by_label is not None and by_label.choice not in {None, by_text}
        shown = options.labelled(folded.strip("()[].: "))
        if against and shown is not None and shown[1]:
            return _no("label_against_text")
        return _yes(by_text, rule)
    if by_label is not None:
        return by_label
    if _TWO_LABELS.match(folded) or _NOT_LABEL.match(folded):
        return _no("negated" if folded.startswith("not ") else "two_options")
    ordinal = _ORDINAL.match(folded)
    if ordinal:
        position = _ORDINALS[ordinal.group(1)]
        found = options.order[position - 1] if position <= len(options.order) else None
        return _yes(found, "label") if found else _no("label_out_of_range")
    return _label_and_text(folded, options, threshold) or _in_words(folded, options, threshold)


def _bare_label(folded: str, options: Options) -> Match | None:
    found = _BARE.match(folded)
    if found is None:
        return None
    label = options.labelled(found.group(1))
    if label is None:
        return None
    id, _ = label
    if id is not None:
        return _yes(id, "label")
    unclear = found.group(1).isalpha() and not options.letters_clear
    return _no("label_unclear" if unclear else "label_out_of_range")


def _label_and_text(folded: str, options: Options, threshold: float) -> Match | None:
    """A label in front of or behind a text: both must name the same option."""
    first = _LABEL_FIRST.match(folded)
    if first:
        label, rest = first.group(1) or first.group(2), first.group(3)
    else:
        last = _LABEL_LAST.match(folded)
        if last is None:
            return None
        label, rest = last.group(2), last.group(1)
    labelled = options.labelled(label)
    head = folded[: len(folded) - len(rest)] if first else None
    if labelled is None or (head and any(name.startswith(head) for name in options.folded)):
        return None  # "J. W. Johnston" is an option, no label
    id, shown = labelled
    by_text = options.folded.get(say.fold(rest))
    if by_text is None:
        worded = _in_words(rest, options, threshold)
        if worded.kind != "choice":
            return _label_with_gist(id, rest, worded, options) if shown and first else worded
        by_text = worded.choice
    elif not shown:
        return _yes(by_text, "normalised")  # the label is not ours, the text is
    if by_text is None or (id != by_text and (shown or id is not None)):
        return _no("label_against_text")
    return _yes(by_text, "label_and_text")


def _label_with_gist(id: str | None, rest: str, worded: Match, options: Options) -> Match:
    # "(c) Neither group" for "neither Sikhs nor Jains": the label decides when its own option
    # shares more words with the text than any other does.
    if worded.rule != "no_option" or id is None:
        return worded
    said = set(say.words(rest)) - say.PLAIN_WORDS
    shared = {other: len(said & set(bag)) for other, bag in options.words.items()}
    best_other = max((n for other, n in shared.items() if other != id), default=0)
    return _yes(id, "label_and_text") if shared[id] > best_other else worded


def _in_words(folded: str, options: Options, threshold: float) -> Match:
    if say.is_refusal(folded):
        return Match("refusal", None, "refusal")
    found = _named(folded, options)
    if found is not None:
        return found
    if len(folded) > MAX_FUZZY_CHARS:
        return _NO_OPTION
    return _by_words(folded, options, threshold)


_NOT_BUT = re.compile(
    r"^(?:it (?:was|is) )?not (?:the |a |an )?\x01(\d+)\x02[,;]? (?:but |rather |instead )?(?:the |a |an )?\x01(\d+)\x02$"
)
_THIS_NOT_THAT = re.compile(
    r"^(?:it (?:was|is) )?(?:the |a |an )?\x01(\d+)\x02,? (?:and |but )?(?:not|rather than|instead of) (?:the |a |an )?\x01(\d+)\x02$"
)
_BECAUSE = re.compile(
    r"(\x02)[^\w\x01]{0,4}\b(?:because|since|as|given|who|weil|da|(?:is|was) the (?:one|person) (?:who|that))\b.*$"
)
_TOKEN = re.compile(r"\x01(\d+)\x02")


def _named(folded: str, options: Options) -> Match | None:
    """The one option that the words name, when nothing denies it; None when none is named."""
    if options.named is None or len(folded) > MAX_NAMED_CHARS:
        return None
    ids = list(options.words)

    def token(found: re.Match[str]) -> str:
        return f"\x01{ids.index(options.ids_by_name[found.group()])}\x02"

    marked = options.named.sub(token, folded)
    tokens = _TOKEN.findall(marked)
    if not tokens:
        return _unknown_in_words(folded, options)
    if say.commands(marked):
        return _no("instruction")
    polar = _polar(marked, ids, options)
    if polar is not None:
        return polar
    if len(set(tokens)) > 1:
        return _contrast(marked, options)
    id = ids[int(tokens[0])]
    core = _BECAUSE.sub(r"\1", marked)
    if say.denies(core):
        return _no("negated")
    if say.reports(core):
        return _no("reported")
    if id == options.unknown and say.says_unknown(folded):
        return _yes(id, "named")
    if id != options.unknown and say.says_unknown(core) is not False:
        return _no("two_options")
    return _yes(id, "named") if _stands_free(core) else _no("no_option")


_BOTH = re.compile(
    r"^(both|neither) (?:the |an? )?(?:\x01\d+\x02) (?:and|or|nor|&) (?:the |an? )?(?:\x01\d+\x02)$"
)
_BOTH_ALONE = re.compile(
    r"^(both|neither)(?: (?:of (?:them|these|the two)|countr(?:y|ies)|(?:social )?groups?|individuals?|"
    r"options?|persons?|people|one))?$"
)


def _within(part: str, whole: str, options: Options) -> bool:
    """Whether one option's words all stand in another's, as "Norway" in "neither Norway nor Brazil"."""
    return set(options.words[part]) - say.PLAIN_WORDS <= set(options.words[whole])


def _opening_with(word: str, options: Options) -> str | None:
    """The one option that opens with "both" or "neither"."""
    found = [id for name, id in options.folded.items() if name.startswith(word + " ")]
    return found[0] if len(set(found)) == 1 else None


def _contrast(marked: str, options: Options) -> Match:
    ids = list(options.words)
    core = _BECAUSE.sub(r"\1", marked)
    joint = _BOTH.match(core)
    if joint:
        id = _opening_with(joint.group(1), options)
        named = {ids[int(token)] for token in _TOKEN.findall(core)}
        if id and id not in named and all(_within(one, id, options) for one in named):
            return _yes(id, "both_or_neither")
    first = _NOT_BUT.match(core)
    if first and first.group(1) != first.group(2):
        return _yes(ids[int(first.group(2))], "contrast")
    second = _THIS_NOT_THAT.match(core)
    if second and second.group(1) != second.group(2):
        return _yes(ids[int(second.group(1))], "contrast")
    tokens = _TOKEN.findall(core)
    if len(set(tokens)) == 1 and not say.denies(core) and _stands_free(core):
        return _yes(ids[int(tokens[0])], "named")
    return _no("two_options")


_OPENS = re.compile(r"^\x01(\d+)\x02[,.!;:]")


def _polar(marked: str, ids: Sequence[str], options: Options) -> Match | None:
    """A sentence that opens with yes or no; what follows may hold a "no" that answers nothing."""
    opening = _OPENS.match(marked)
    if opening is None or ids[int(opening.group(1))] not in options.polar:
        return None
    if {t.group(1) for t in _TOKEN.finditer(marked) if _is_free(marked, t)} - {opening.group(1)}:
        return _no("two_options")
    if say.conditional(marked):  # "Yes, but only if" takes half of it back
        return _no("conditional")
    return _yes(ids[int(opening.group(1))], "named")


_ARTICLE_LAST = re.compile(r"(?:^|\s)(?:the|an?|der|die|das|den|dem|eine?[nrm]?)\s*$")
_AFTER = re.compile(r"^[)\]\"']* ?")


def _stands_free(marked: str) -> bool:
    """Whether an option is named as such at least once, and never questioned."""
    found = list(_TOKEN.finditer(marked))
    if any(marked[token.end() :].lstrip(" \"'").startswith("?") for token in found):
        return False
    return any(_is_free(marked, token) for token in found)


def _is_free(marked: str, token: re.Match[str]) -> bool:
    before = marked[max(0, token.start() - 60) : token.start()]
    after = _AFTER.sub("", marked[token.end() : token.end() + 60], count=1)
    clause = re.split(r"[^\w' -]|(?<=\w)-(?=\s)| - ", before.rstrip("([\"' "))[-1]
    return say.points_at(_ARTICLE_LAST.sub("", clause).strip()) and say.only_explains(after)


def _unknown_in_words(folded: str, options: Options) -> Match | None:
    if options.unknown is None:
        return None
    said = say.says_unknown(folded)
    if said:
        return _yes(options.unknown, "unknown_in_words")
    return _NO_OPTION if said is None else None


def _by_words(folded: str, options: Options, threshold: float) -> Match:
    """By the words that set an option apart, then by one slip of the pen in such a word."""
    alone = _BOTH_ALONE.match(folded)
    id_alone = _opening_with(alone.group(1), options) if alone else None
    if id_alone:
        return _yes(id_alone, "both_or_neither")
    said = Counter(say.words(folded))
    content = {word for word in said if word not in say.PLAIN_WORDS}
    own = {id: _distinctive(id, options) for id in options.words}
    hits = [id for id, mine in own.items() if mine & content]
    if len(hits) > 1:
        return _no("two_options")
    if len(hits) == 1:
        id = hits[0]
        if own[id] <= content and content <= set(options.words[id]):
            return _yes(id, "distinctive_words")
    if say.denies(folded) and not any(say.denies(" ".join(b)) for b in options.words.values()):
        return _no("negated")
    return _misspelt(folded, options, threshold)


def _distinctive(id: str, options: Options) -> set[str]:
    others: set[str] = set()
    for other, bag in options.words.items():
        if other != id:
            others |= set(bag)
    return set(options.words[id]) - others - say.PLAIN_WORDS


def _misspelt(folded: str, options: Options, threshold: float) -> Match:
    said = say.words(say.strip_article(folded))
    near: list[str] = []
    for name, id in options.ids_by_name.items():
        meant = say.words(say.strip_article(name))
        if id in near or len(meant) != len(said):
            continue
        slips = [(s, m) for s, m in zip(said, meant, strict=True) if s != m]
        if len(slips) == 1 and _distance_one(*slips[0]):
            near.append(id)
    if len(near) > 1:
        return _no("two_options")
    for name, id in options.ids_by_name.items():
        if id in near and _slipped(said, say.words(say.strip_article(name))):
            ratio = SequenceMatcher(None, folded, name, autojunk=False).ratio()
            article_free = SequenceMatcher(
                None, say.strip_article(folded), say.strip_article(name), autojunk=False
            ).ratio()
            if max(ratio, article_free) >= threshold:
                return _yes(id, "misspelt")
    return _NO_OPTION


def _slipped(said: Sequence[str], meant: Sequence[str]) -> bool:
    if len(said) != len(meant):
        return False
    slips = [(s, m) for s, m in zip(said, meant, strict=True) if s != m]
    return len(slips) == 1 and _is_slip(*slips[0])


def _is_slip(said: str, meant: str) -> bool:
    """A letter left out, two swapped, or i for y: slips that rarely make another word.

    A letter put in or exchanged makes one too easily: "banker" for "baker", "sailor" for "tailor".
    """
    if len(meant) < 5 or said[:1] != meant[:1] or any(c.isdigit() for c in said + meant):
        return False
    if len(said) == len(meant) - 1:
        return any(meant[:at] + meant[at + 1 :] == said for at in range(1, len(meant)))
    if len(said) != len(meant):
        return False
    at = [place for place, (s, m) in enumerate(zip(said, meant, strict=True)) if s != m]
    if len(at) == 1:
        return {said[at[0]], meant[at[0]]} == {"i", "y"}
    swapped = len(at) == 2 and at[1] == at[0] + 1
    return swapped and said[at[0]] == meant[at[1]] and said[at[1]] == meant[at[0]]


def _distance_one(left: str, right: str) -> bool:
    """Whether one letter put in, left out, exchanged or two swapped turn one into the other."""
    if _is_slip(left, right) or _is_slip(right, left):
        return True
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    tail_left, tail_right = left[start:], right[start:]
    if len(left) == len(right):
        return tail_left[1:] == tail_right[1:] or (
            tail_left[:2] == tail_right[1::-1] and tail_left[2:] == tail_right[2:]
        )
    longer, shorter = sorted((tail_left, tail_right), key=len, reverse=True)
    return longer[1:] == shorter
