"""What a clause denies: the stretches of it in which a finding or a measure is said not to be.

A word of negation denies what follows it to the end of its subclause ("no fracture or lesion but
osteophytes"); "is not seen", "ruled out", ": none" deny what stands before them. Words that only seem
to deny ("cannot be excluded", "no interval change in") do nothing. What is named only as a question
("to rule out", "evaluate for", "risk of") counts as not said.

The rules follow the idea of NegEx (Chapman et al. 2001, J Biomed Inform 34: 301-310): triggers,
pseudo-triggers and terminators, with scope by subclause instead of a fixed number of words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

__all__ = ["CUE_WORDS", "clause_ends", "denied"]

_CUES = """
    no not t without absent absence lack lacks free negative deny denies denied neither nor none nil
    never cannot unlikely unnecessary contraindicated ruled rule rules ruling exclude excluded
    excludes excluding avoid avoids avoiding instead rather discontinue stop risk risks evaluate
    evaluation assess assessment look looking screen screening check nothing r
"""
CUE_WORDS = frozenset(_CUES.split())
"""Words of which each denial holds at least one."""

# One set of characters up front lets the search skip everything else at once.
_EDGE = re.compile(r"[.!?;\n](?:(?<!\n)(?=[\s\"')\]*]|$)|(?<=\n)[^\S\n]*(?=[\n\-*•#>A-Z\d]|$))")

# Ends of sentences that are quickly found; between them the others are looked for.
_SURE_ENDS = (". ", ".\n")

_ADVERBS = r"(?: (?:been|be|currently|yet|at this (?:time|stage|point)|\w+ly))*"
_SEEN = (
    r"(?:seen|identified|present|evident|visible|visuali[sz]ed|noted|detected|demonstrated|found|"
    r"appreciated|observed|apparent|shown|suspected|needed|required|indicated|recommended|advised|"
    r"warranted|necessary|appropriate|justified|performed|done|detectable|discernible|confirmed)"
)
_STEADY = (
    r"(?:change|doubt|progression|improvement|worsening|response|relief|contraindications?|"
    r"difference|increase|decrease|displacement|loosening|complications?|retropulsion|involvement|"
    r"extension|delay)"
)
_SEEMS = (
    r"(?:cannot|\bcan not|n't|\bnot|\bunable to|\bdifficult to|\bwithout)(?: \w+){0,3}? "
    r"(?:exclud\w+|ruled? out|ruling out)\b"
    rf"|\b(?:no|without)(?: (?:signs?|evidence) of)?(?: (?:any|significant|interval|further|major|new))* {_STEADY}\b"
    r"|\bnot only\b"
    r"|(?:\bnot|n't|\bfails? to)(?: \w+ly)? (?:chang\w+|improv\w+|respon\w+|resolv\w+|settl\w+|help\w*|"
    r"progress\w*|displac\w+|involv\w+|exten\w+|heal\w*|unite\w*)\b"
)
_BACKWARD = (
    rf"(?:\bnot|\bnever|\bno longer|n't|\bcannot){_ADVERBS} {_SEEN}\b"
    r"|\b(?:absent|unlikely|unnecessary|contraindicated|ruled out|excluded|negative(?! for))\b"
    r"|\b(?:is|are|was|were) not(?= *(?:[,)]|$))"
    r"|[:\-–—] *(?:none|nil|no|not)\b(?= *(?:[,.;)]|$|seen|required|needed|indicated))"
)
_FORWARD = (
    r"\b(?:no|not|without|neither|nor|never|none of|cannot|den(?:y|ies|ied)|absence of|lack of|lacks|"
    r"free (?:of|from)|negative for|nothing|rul(?:e|es|ing) out|ruled out (?=an?y? )|r/o|"
    r"exclud(?:e|es|ing)|avoid(?:s|ing)?|instead of|rather than|discontinue|stop|risks? (?:of|for)|"
    r"(?:evaluat(?:e|ion)|assess(?:ment)?|look(?:ing)?|screen(?:ing)?|check) for)\b|n't\b"
)
# The look ahead is only for speed: a cue begins at a word, at "n't" or at a colon or dash.
_CUE = re.compile(
    r"(?:\b(?=n[eio]|w[aei]|c[aho]|un|di|fa|fr|a[brsv]|r[aiu/]|e[vx]|l[ao]|de|i[ns]|s[ct])|(?=n't)|"
    r"(?=[:\-–—] *n))"
    rf"(?:(?P<seems>{_SEEMS})|(?P<back>{_BACKWARD})|(?P<ahead>{_FORWARD}))"
)

_FRESH = (
    r"(?:mild|moderate|severe|small|large|marked|minimal|slight|multiple|several|possible|probable|"
    r"chronic|old|degenerative|bilateral|diffuse|there|positive|only|also|some|known|normal|stable|"
    r"continue|begin|recommend|consider|refer|start|advise|obtain|repeat|suggest|review)"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|shows?|demonstrates?|reveals?|seen|noted|present|"
    r"identified|visible|evident|do|does|did|can|cannot|could|may|should|will)\b"
)
_SAYS = r"(?:is|are|was|were|has|have|shows?|seen|noted|present|identified|visible|evident|only|can|cannot|should|may)"
_ENDS = re.compile(
    r"\b(?:but|however|although|though|except|yet|while|whereas|apart from|aside from|other than|"
    r"which|there (?:is|are)|positive for|and (?:to|then))\b"
    r"| [-–—] |(?:,| and) (?=no\b)"
    rf"|(?:,| and| with)(?: and)? (?={_FRESH}\b)"
    rf"|,(?! and\b)(?=[^,]*\b{_SAYS}\b)(?![^,]*\b(?:or|nor)\b)"
)
_AND = re.compile(r",? and (?=(?:[\w-]+ ){1,6}(?:is|are|was|were|has|have)\b)")


def clause_ends(text: str, cues: Sequence[int]) -> list[int]:
    """Where the clauses around some places end, in a text as it was written.

    At full stops, semicolons, and line breaks after which a line starts anew; one within a sentence
    ends nothing. ``cues`` are sorted; of sentences without one only some ends are told.

    Example:
        >>> clause_ends("No fracture. A lesion of\\nthe disc\\n- no L4.5 normal;", [0, 37])
        [11, 33, 50]
    """
    ends: list[int] = []
    done = 0
    following = {mark: text.find(mark) for mark in _SURE_ENDS}
    for cue in cues:
        if cue < done:
            continue
        begin = max(done, *(text.rfind(mark, done, cue) for mark in _SURE_ENDS))
        for mark, at in following.items():
            if -1 < at < cue:
                following[mark] = text.find(mark, cue)
        done = min((at for at in following.values() if at >= 0), default=len(text))
        found = (m.start() for m in _EDGE.finditer(text, begin, done + 1))
        ends += [at for at in found if not ends or at > ends[-1]]
    return ends


def denied(clause: str) -> list[tuple[int, int]]:
    """The stretches (start, end) of a clause, in lower case, that it denies.

    Example:
        >>> clause = "no fracture or lesion but osteophytes"
        >>> [clause[a:b] for a, b in denied(clause)]
        [' fracture or lesion ']
        >>> denied("a fracture cannot be excluded")
        []
    """
    cues = [m for m in _CUE.finditer(clause) if m.lastgroup != "seems"]
    if not cues:
        return []
    ends = list(_subclause_ends(clause))
    found = []
    for cue in cues:
        place = bisect_right(ends, cue.start())
        start = ends[place - 1] if place else 0
        end = ends[place] if place < len(ends) else len(clause)
        if cue.lastgroup == "back" and clause[start : cue.start()].strip():
            found.append((start, cue.start()))
        else:
            found.append((cue.end(), end))
    return found


def _subclause_ends(clause: str) -> Iterator[int]:
    """Where what a negation reaches ends, in order."""
    hard = {m.start() for m in _ENDS.finditer(clause)}
    soft = {m.start() for m in _AND.finditer(clause)}
    begun = 0
    for at in sorted(hard | soft):
        # "and" joins nouns unless both sides have a verb of their own.
        if at in hard or _VERB.search(clause, begun, at):
            yield at
            begun = at
