"""What a population.yaml says, before its tables are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from evenhand.errors import InputError
from evenhand.runs.document import Document
from evenhand.survey.population.fields import Fields, close_to
from evenhand.survey.population.spec import AGE, Level, Source

__all__ = [
    "AttributeLayout",
    "GroupLayout",
    "GroupingLayout",
    "Layout",
    "Rake",
    "SettingLayout",
    "code_trouble",
    "read_layout",
]

FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# Words that name columns of tables, of the database or of an export.
_TAKEN = frozenset(
    [
        "id",
        "role",
        "level",
        "weight",
        "share",
        "age_from",
        "age_to",
        "code",
        "stated",
        "pair_id",
        "changed_attribute",
        "name",
        "appearance",
        "biography",
    ]
)
_LONGEST_CODE = 60


@dataclass(frozen=True, slots=True)
class SettingLayout:
    """A number that a user may change, with its range."""

    name: str
    default: float
    low: float
    high: float
    about: str


@dataclass(frozen=True, slots=True)
class Rake:
    """The attribute's distribution over everybody must be that of the table ``total``.

    ``remainder`` names the row (a level of each parent named) that starts with what the other
    rows leave of the total, though at least ``floor`` times the total's own share. A level of
    which they leave less is first cut in all of them by one factor, and those people get
    ``excess_to``.
    """

    total: str
    remainder: Mapping[str, str]
    floor: float
    excess_to: str | None


@dataclass(frozen=True, slots=True)
class AttributeLayout:
    """One attribute: its levels (or the file that lists them), parents, table and rules."""

    name: str
    labels: Mapping[str, str]
    levels: tuple[Level, ...]
    levels_file: str | None
    parents: tuple[str, ...]
    table: str
    sources: tuple[Source, ...]
    shares: Mapping[str, str] = field(default_factory=dict)
    pooled: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    profile: str | None = None
    rake: Rake | None = None
    unit: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """One group: a range of years (``first`` to ``last``), or the codes of its ``members``."""

    level: Level
    first: int | None = None
    last: int | None = None
    members: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class GroupingLayout:
    """A coarser view of an attribute; ``column`` of its levels file says who is in which group."""

    name: str
    of: str
    labels: Mapping[str, str]
    column: str | None
    groups: tuple[GroupLayout, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole population.yaml."""

    name: str
    title: str
    year: str
    languages: tuple[str, ...]
    settings: tuple[SettingLayout, ...]
    notes: tuple[str, ...]
    attributes: tuple[AttributeLayout, ...]
    groupings: tuple[GroupingLayout, ...]


def read_layout(document: Document, problems: list[InputError]) -> Layout:
    """Read the document; everything that is wrong with it is added to ``problems``."""
    problems.extend(document.faults)
    top = Fields(document, (), problems)
    if top.has("format") and top.values["format"] != FORMAT:
        top.fault(f"this version reads format {FORMAT}, not {top.values['format']!r}", "format")
    languages = top.texts("languages", ("en",))
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            top.fault(f"{language!r} is no language code such as en or de", "languages")
    layout = Layout(
        name=top.text("name"),
        title=top.text("title", top.values.get("name") or ""),
        year=top.text("year", ""),
        languages=languages,
        settings=tuple(_setting(fields) for fields in top.each("settings", required=False)),
        notes=top.texts("notes", ()),
        attributes=tuple(_attribute(fields, languages) for fields in top.each("attributes")),
        groupings=tuple(
            _grouping(fields, languages) for fields in top.each("groupings", required=False)
        ),
    )
    top.close()
    _check_names(top, layout)
    _check_parents(top, layout)
    return layout


def _setting(fields: Fields) -> SettingLayout:
    setting = SettingLayout(
        name=_name(fields),
        default=fields.number("default"),
        low=fields.number("from", 0.0),
        high=fields.number("to", 1.0),
        about=fields.text("about", ""),
    )
    fields.close()
    return setting


def _attribute(fields: Fields, languages: tuple[str, ...]) -> AttributeLayout:
    name = _name(fields)
    in_file = isinstance(fields.values.get("levels"), str)
    levels: tuple[Level, ...] = ()
    if name == AGE:
        if fields.has("levels"):
            fields.fault("age takes its levels from its table: one for each year", "levels")
    elif not in_file:
        levels = tuple(_level(one, languages) for one in fields.each("levels"))
    attribute = AttributeLayout(
        name=name,
        labels=_labels(fields.child("labels"), languages, fields),
        levels=levels,
        levels_file=fields.text("levels") if in_file else None,
        parents=fields.texts("parents", ()),
        table=fields.text("table"),
        sources=tuple(_source(one) for one in fields.each("sources")),
        shares=_text_mapping(fields.child("shares")),
        pooled=_pooled(fields.child("pooled")),
        profile=fields.text("profile") if fields.has("profile") else None,
        rake=_rake(fields.child("rake")),
        unit=_unit(fields.child("unit")),
    )
    _check_codes(fields, [level.code for level in levels])
    fields.close()
    return attribute


def _level(fields: Fields, languages: tuple[str, ...], extra: tuple[str, ...] = ()) -> Level:
    code = fields.text("code")
    trouble = code_trouble(code)
    if trouble:
        fields.fault(trouble, "code")
    labels = {language: fields.text(language) for language in languages}
    level = Level(code, labels, fields.truth("stated", True))
    for key in extra:
        fields.has(key)
    fields.close()
    return level


def code_trouble(code: str) -> str | None:
    """What is wrong with the code of a level, or None.

    Example:
        >>> code_trouble("a|b")
        "'a|b' must be at most 60 characters, without comma, |, * or quotation mark"
    """
    if len(code) <= _LONGEST_CODE and not set(code) & set(',|*"\n'):
        return None
    brief = code if len(code) <= _LONGEST_CODE else code[:_LONGEST_CODE] + "..."
    return f"{brief!r} must be at most {_LONGEST_CODE} characters, without comma, |, * or quotation mark"


def _source(fields: Fields) -> Source:
    source = Source(
        publisher=fields.text("publisher"),
        table=fields.text("table"),
        year=fields.text("year"),
        unit=fields.text("unit"),
        note=fields.text("note", ""),
    )
    fields.close()
    return source


def _labels(
    fields: Fields | None, languages: tuple[str, ...], parent: Fields
) -> Mapping[str, str]:
    if fields is None:
        parent.fault("is missing: labels")
        return {}
    labels = {language: fields.text(language) for language in languages}
    fields.close()
    return labels


def _text_mapping(fields: Fields | None) -> Mapping[str, str]:
    return {} if fields is None else {key: fields.text(key) for key in fields.values}


def _pooled(fields: Fields | None) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    if fields is None:
        return {}
    pooled = {}
    for parent in fields.values:
        inner = fields.child(parent)
        pooled[parent] = {} if inner is None else {key: inner.texts(key) for key in inner.values}
    return pooled


def _rake(fields: Fields | None) -> Rake | None:
    if fields is None:
        return None
    rake = Rake(
        total=fields.text("total"),
        remainder=_text_mapping(fields.child("remainder")),
        floor=fields.number("floor", 0.05),
        excess_to=fields.text("excess_to") if fields.has("excess_to") else None,
    )
    if not 0 < rake.floor <= 1:
        fields.fault(f"must be above 0 and at most 1, not {rake.floor:g}", "floor")
    fields.close()
    return rake


def _unit(fields: Fields | None) -> Mapping[str, tuple[str, str]]:
    if fields is None:
        return {}
    unit = {}
    for language in fields.values:
        words = fields.texts(language)
        if len(words) == 2:
            unit[language] = (words[0], words[1])
        else:
            fields.fault("must be two words: for one and for more, [year, years]", language)
    return unit


def _grouping(fields: Fields, languages: tuple[str, ...]) -> GroupingLayout:
    name = _name(fields)
    groups = []
    for one in fields.each("levels"):
        years = (one.whole("from"), one.whole("to")) if one.has("from") else (None, None)
        members = one.texts("members") if one.has("members") else None
        level = _level(one, languages, ("from", "to", "members"))
        groups.append(GroupLayout(level, years[0], years[1], members))
    column = fields.text("column") if fields.has("column") else None
    labels = _labels(fields.child("labels"), languages, fields)
    grouping = GroupingLayout(name, fields.text("of"), labels, column, tuple(groups))
    _check_codes(fields, [group.level.code for group in groups])
    fields.close()
    return grouping


def _name(fields: Fields) -> str:
    name = fields.text("name")
    if name and (not _NAME.fullmatch(name) or name in _TAKEN):
        fields.fault(
            f"{name!r} must be lower-case letters, digits and _, and none of {', '.join(sorted(_TAKEN))}",
            "name",
        )
    return name


def _check_codes(fields: Fields, codes: list[str]) -> None:
    for code in sorted({code for code in codes if codes.count(code) > 1 and code}):
        fields.fault(f"the code {code!r} is there twice", "levels")


def _check_names(top: Fields, layout: Layout) -> None:
    names = [attribute.name for attribute in layout.attributes]
    names += [grouping.name for grouping in layout.groupings]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        top.fault(f"two attributes or groupings are called {name!r}", "attributes")
    if layout.attributes and layout.attributes[0].name != AGE:
        top.fault(
            f"the first attribute must be {AGE}, not {layout.attributes[0].name!r}", "attributes"
        )
    for place, grouping in enumerate(layout.groupings):
        if grouping.of and grouping.of not in names[: len(layout.attributes)]:
            hint = close_to(grouping.of, names)
            top.fault(f"there is no attribute {grouping.of!r}{hint}", "groupings", place, "of")


def _check_parents(top: Fields, layout: Layout) -> None:
    before: list[str] = []
    every = [attribute.name for attribute in layout.attributes]
    for place, attribute in enumerate(layout.attributes):
        where = ("attributes", place, "parents")
        for parent in attribute.parents:
            if parent not in every:
                top.fault(f"there is no attribute {parent!r}{close_to(parent, every)}", *where)
            elif parent not in before:
                top.fault(
                    f"{parent} must stand before {attribute.name}, which depends on it", *where
                )
        if len(set(attribute.parents)) != len(attribute.parents):
            top.fault("names a parent twice", *where)
        if attribute.name == AGE and attribute.parents:
            top.fault("age comes first and has no parents", *where)
        before.append(attribute.name)
