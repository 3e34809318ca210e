"""Shells, languages and files of the arena's pages, without a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import NotFound
from evenhand.web.pages import (
    LANGUAGES,
    PAGES,
    language_of,
    render,
    static_address,
    static_file,
    static_version,
    texts_of,
)
from support.arena_server import arena_server
from support.bundles import small_bundle

STATIC = files("evenhand.web").joinpath("static")
SCRIPTS = {
    item.name: item.read_text("utf-8") for item in STATIC.iterdir() if item.name.endswith(".js")
}
SHEETS = {
    item.name: item.read_text("utf-8") for item in STATIC.iterdir() if item.name.endswith(".css")
}
HOSTILE = "<script>alert(1)</script>\"'&"


class Tags(HTMLParser):
    """Every start tag of a page with its attributes, and the text in scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        """Note what stands in a script or style."""
        if self._open in ("script", "style"):
            self.inline += data.strip()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_shell_has_nothing_inline_and_nothing_foreign(page: str, language: str) -> None:
    """No inline script, style or handler, no address of another host, and a hostile title is text (S2)."""
    shell = render(page, language=language, title=HOSTILE, retention_days=30)
    tags = Tags(shell)
    assert tags.inline == ""
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        for name in ("src", "href", "action"):
            assert not (attributes.get(name) or "").startswith(("http", "//", "javascript:")), tag
    assert HOSTILE not in shell
    assert shell.count("<script") == 1
    assert f'<html lang="{language}"' in shell


@pytest.mark.parametrize("page", PAGES)
def test_ids_are_unique_and_labels_lead_somewhere(page: str) -> None:
    """Every ``for``, ``aria-labelledby``, ``aria-describedby`` and ``aria-controls`` names an id that is there."""
    tags = Tags(render(page, language="en"))
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert sorted(set(ids)) == sorted(ids)
    for tag, attributes in tags.found:
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            for named in (attributes.get(name) or "").split():
                assert named in ids, f"{tag} {name}={named}"


def test_every_language_has_the_same_texts() -> None:
    """The same keys, and in each text the same things filled in."""
    names = {code: texts_of(code) for code in LANGUAGES}
    english = names["en"]
    for code, texts in names.items():
        assert sorted(texts) == sorted(english), code
        for key, text in texts.items():
            assert placeholders(text) == placeholders(english[key]), f"{code}: {key}"
            assert text.strip() == text != "", f"{code}: {key}"


def placeholders(text: str) -> set[str]:
    """What is filled into a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_texts_files_are_those_of_the_languages() -> None:
    """A file without a language, or a language without a file, is a mistake."""
    there = {Path(item.name).stem for item in files("evenhand.web").joinpath("texts").iterdir()}
    assert there == set(LANGUAGES)


def test_every_text_that_a_script_names_is_there() -> None:
    """``t("…")`` with a fixed key finds it; counted texts have both forms; keys made of parts have some."""
    english = texts_of("en")
    for name, script in SCRIPTS.items():
        for key in re.findall(r"\bt\(\s*\"([\w.]+)\"", script):
            assert key in english or {f"{key}.one", f"{key}.other"} <= set(english), (
                f"{name}: {key}"
            )
        for start in re.findall(r"\bt\(\s*`([\w.]+)\$\{", script):
            assert any(key.startswith(start) for key in english), f"{name}: {start}"


def test_scripts_write_text_and_never_markup() -> None:
    """No way from data to markup or code, and no other host, in any script or style sheet (S2)."""
    forbidden = (
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
        "DOMParser", "srcdoc", "setAttribute(\"style\"", "sessionStorage",
    )  # fmt: skip
    for name, text in {**SCRIPTS, **SHEETS}.items():
        assert not [word for word in forbidden if word in text], name
        assert set(re.findall(r"https?://[^\s\"']+", text)) <= {"http://www.w3.org/2000/svg"}, name
        assert "@import" not in text, name
        assert "url(" not in text, name


def test_scripts_import_only_each_other() -> None:
    """Every module that a script names is one of ours, and none is left over."""
    named = {
        target
        for script in SCRIPTS.values()
        for target in re.findall(r"from \"\./([\w-]+\.js)\"", script)
    }
    entries = {f"{page}.js" for page in PAGES}
    assert named | entries == set(SCRIPTS)
    shell = render("vote", language="en")
    preloaded = re.findall(r'rel="modulepreload" href="/static/\w+/([\w-]+\.js)"', shell)
    assert {"api.js", "dom.js", "panels.js", "texts.js"} <= set(preloaded)
    assert len(preloaded) == len(set(preloaded))


def test_the_address_of_a_file_changes_with_the_files() -> None:
    """One digest of the whole folder stands in every address, so each may be kept for ever."""
    assert re.fullmatch(r"/static/[0-9a-f]{16}/base\.css", static_address("base.css"))
    assert static_file("base.css").media_type.startswith("text/css")
    assert json.loads(static_file("texts/de.json").content) == dict(texts_of("de"))


@pytest.mark.parametrize(
    "name",
    ["../pages.py", "..%2fpages.py", "/etc/passwd", "", ".", "texts/../pages.py", "texts/xx.json",
     "base.css/", ".base.css.swp", "a\0b"],
)  # fmt: skip
def test_only_our_own_files_are_served(name: str) -> None:
    """No path leads out of the folder, and there is no listing (B20)."""
    with pytest.raises(NotFound):
        static_file(name)


@given(st.text(max_size=200), st.one_of(st.none(), st.text(max_size=5)))
def test_any_header_gives_a_language_that_is_offered(accepted: str, chosen: str | None) -> None:
    """Whatever the browser or a cookie says, the answer is one of the languages offered."""
    assert language_of(accepted, chosen=chosen, offered=("de", "en")) in ("de", "en")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("de", "de"), ("de-CH,en;q=0.8", "de"), ("fr", "en"), ("", "en"), ("en;q=0.1, de;q=0.9", "de"),
     ("de;q=0", "en"), ("*", "en"), ("de;q=banana", "en")],
)  # fmt: skip
def test_the_browsers_wish_decides(accepted: str, expected: str) -> None:
    """Weights of ``Accept-Language`` are heeded (RFC 9110, 12.5.4); a refused language is not taken."""
    assert language_of(accepted, chosen=None, offered=("en", "de")) == expected


def test_pages_over_http(tmp_path: Path) -> None:
    """Fresh shells with the policy, files for ever, a chosen language kept, and nothing under other names."""
    with arena_server(tmp_path, bundle=small_bundle(tmp_path), rules={"title": HOSTILE}) as server:
        visitor = server.visitor()
        for page in ("/", "/leaderboard", "/about", "/admin"):
            found = visitor.get(page)
            assert found.status == 200, page
            assert found.headers["content-type"] == "text/html; charset=utf-8"
            assert "script-src 'self'" in found.headers["content-security-policy"]
            assert HOSTILE.encode() not in found.body
            assert "no-cache" in found.headers["cache-control"]
        script = visitor.get(static_address("vote.js"))
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        german = visitor.get("/about?lang=de")
        assert german.headers["content-language"] == "de"
        assert "evenhand_language=de" in german.headers["set-cookie"]
        kept = visitor.get("/about", cookie="evenhand_language=de", accept_language="en")
        assert kept.headers["content-language"] == "de"
        hostile = visitor.get("/about?lang=%3Cscript%3E")
        assert hostile.headers["content-language"] == "en"
        assert "set-cookie" not in hostile.headers
        for path in (
            "/static/", "/static", f"/static/{static_version()}/", "/static/old/vote.js",
            f"/static/{static_version()}/..%2f..%2fpages.py",
        ):  # fmt: skip
            assert visitor.get(path).status == 404, path
