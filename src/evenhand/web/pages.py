"""The arena's pages as HTML: which language, which texts, and the files that go with them.

A page is a shell: headings, landmarks, forms and words. What changes from voter to voter is asked
for by the page's own script. Texts of every language are one flat JSON file in ``texts/``, and the
scripts read the same file, so a page never speaks two languages.

Every file under ``/static`` has the digest of the whole folder in its address: it may be kept for
ever, and a new release has new addresses.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import TYPE_CHECKING

from evenhand.errors import NotFound

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "LANGUAGES",
    "PAGES",
    "StaticFile",
    "language_of",
    "render",
    "static_address",
    "static_file",
    "static_version",
    "texts_of",
]

PAGES = ("vote", "leaderboard", "about", "admin")

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "de": "Deutsch"})
"""Code and own name of each language that has a file in ``texts/``."""

IMPORTED = re.compile(r'from "\./([\w-]+\.js)"')

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of ``/static``, whole."""

    content: bytes
    media_type: str


def language_of(accepted: str, *, chosen: str | None, offered: Sequence[str]) -> str:
    """The language to answer in: the chosen one if offered, else the best that is accepted.

    Args:
        accepted: the header ``Accept-Language`` (RFC 9110, section 12.5.4); may be empty.
        chosen: what the visitor picked on the page, if anything.
        offered: codes that the configuration offers; the first is what remains.

    Example:
        >>> language_of("fr, de-AT;q=0.9, en;q=0.5", chosen=None, offered=("en", "de"))
        'de'
        >>> language_of("de", chosen="en", offered=("en", "de"))
        'en'
    """
    codes = [code for code in offered if code in LANGUAGES] or ["en"]
    if chosen in codes:
        return str(chosen)
    wishes = sorted(_wishes(accepted), key=lambda wish: -wish[1])
    named = (name.partition("-")[0] for name, weight in wishes if weight > 0)
    return next((name for name in named if name in codes), codes[0])


def _wishes(accepted: str) -> Iterator[tuple[str, float]]:
    for part in accepted[:1000].lower().split(","):
        name, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") or "1"
        try:
            yield name.strip(), float(weight)
        except ValueError:
            continue


@cache
def texts_of(language: str) -> Mapping[str, str]:
    """Every text of a language, by key.

    Example:
        >>> texts_of("de")["choice.left"]
        'Links'
    """
    if language not in LANGUAGES:
        raise NotFound("language", language, hint=f"there are {', '.join(LANGUAGES)}")
    found = json.loads(_folder("texts").joinpath(f"{language}.json").read_text("utf-8"))
    return MappingProxyType(found)


def render(
    page: str,
    *,
    language: str,
    title: str = "Arena",
    offered: Sequence[str] = tuple(LANGUAGES),
    public_leaderboard: bool = True,
    retention_days: float | None = None,
) -> str:
    """A page's shell, from ``<!doctype html>`` on.

    Args:
        page: one of ``PAGES``.
        title: the arena's name, from the configuration; escaped here.
        offered: languages to choose from.
        public_leaderboard: whether the navigation leads there.
        retention_days: after how many days recordings are deleted; ``None`` is not by themselves.

    Example:
        >>> shell = render("about", language="de", title="Faces & <b>names</b>")
        >>> '<html lang="de"' in shell, "Faces &amp; &lt;b&gt;names&lt;/b&gt;" in shell
        (True, True)
    """
    if page not in PAGES:
        raise NotFound("page", page)
    return (
        _environment()
        .get_template(f"{page}.html.j2")
        .render(
            page=page,
            title=title,
            language=language,
            languages=[(code, LANGUAGES[code]) for code in offered if code in LANGUAGES],
            public_leaderboard=public_leaderboard,
            retention_days=retention_days,
            t=texts_of(language),
            static=static_address,
            modules=_modules_of(f"{page}.js"),
        )
    )


@cache
def static_version() -> str:
    """Sixteen hexadecimal digits of everything that ``/static`` serves."""
    digest = hashlib.sha256()
    for name in sorted(_static_names()):
        content = _static_source(name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def static_address(name: str) -> str:
    """Where a page finds a file.

    Example:
        >>> static_address("base.css") == f"/static/{static_version()}/base.css"
        True
    """
    return f"/static/{static_version()}/{name}"


@cache
def static_file(name: str) -> StaticFile:
    """A file of ``/static`` by its name there. Only names that the package has are looked up.

    Raises:
        NotFound: any other name, however it is spelled.
    """
    if name not in _static_names():
        raise NotFound("page", f"/static/…/{name[:80]}")
    suffix = name[name.rfind(".") :]
    kind = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return StaticFile(_static_source(name).read_bytes(), kind)


@cache
def _modules_of(name: str) -> tuple[str, ...]:
    """What a script imports, directly or not: the page names it all, so that nothing waits in line."""
    text = _static_source(name).read_text("utf-8")
    found = dict.fromkeys(IMPORTED.findall(text))
    return tuple(dict.fromkeys(m for own in found for m in (own, *_modules_of(own))))


def _static_source(name: str) -> Traversable:
    if name.startswith("texts/"):
        return _folder("texts").joinpath(name.removeprefix("texts/"))
    return _folder("static").joinpath(name)


@cache
def _static_names() -> frozenset[str]:
    own = {item.name for item in _folder("static").iterdir() if item.is_file()}
    return frozenset(own | {f"texts/{code}.json" for code in LANGUAGES})


def _folder(name: str) -> Traversable:
    return files("evenhand.web").joinpath(name)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("evenhand.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
