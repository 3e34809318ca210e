"""What a browser makes of a report: nothing is fetched, nothing complains, nothing sticks out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conversation.example_report import example
from evenhand.report import html
from evenhand.report.blocks import Report
from evenhand.report.browse import BrowseItem, BrowseMessage, write_pages
from evenhand.report.forest import estimate_table
from evenhand.stats.estimate import Estimate, Result
from report.material import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium, driven by playwright; CI must have one."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs chromium: apt-get install chromium")
        pytest.skip("no chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield started
        started.close()


def opened(
    browser: Browser, path: Path, *, width: int = 1280, dark: bool = False
) -> tuple[Page, list[str]]:
    """The page at that file, and everything it asked for or complained of."""
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme="dark" if dark else "light"
    )
    heard: list[str] = []
    page.on("request", lambda request: heard.append(f"request {request.url[:200]}"))
    page.on("console", lambda message: heard.append(f"console {message.text}"))
    page.on("pageerror", lambda error: heard.append(f"error {error}"))
    page.on("dialog", lambda dialog: heard.append(f"dialog {dialog.message}"))
    page.goto(path.as_uri())
    return page, [line for line in heard if line != f"request {path.as_uri()}"]


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example report as a file."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(example()), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_report_is_quiet_and_fits(browser: Browser, report_file: Path, width: int) -> None:
    """No request, no console line, and no sideways scrolling of the page at any width."""
    page, heard = opened(browser, report_file, width=width)
    assert heard == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_landmarks_headings_and_tables_are_named(browser: Browser, report_file: Path) -> None:
    """Title, one main, one h1, no heading level skipped, every table captioned, every picture named."""
    page, _ = opened(browser, report_file)
    assert page.title() == "Does identity change the answer?"
    for role in ("banner", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.get_by_role("navigation").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    assert page.evaluate("[...document.images].length") == 0
    pictures = page.evaluate(
        "[...document.querySelectorAll('.picture')].map(p => [p.role || p.getAttribute('role'), p.ariaLabel])"
    )
    assert pictures
    assert all(role == "img" and label for role, label in pictures)
    page.close()


def test_one_drawing_of_each_picture_is_shown(browser: Browser, report_file: Path) -> None:
    """The wide drawing on a wide page, the narrow one on a phone, at a size that can be read."""
    for width, shown in ((1280, "wide"), (390, "narrow")):
        page, _ = opened(browser, report_file, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        for kind in ("wide", "narrow"):
            seen = page.locator(f".picture.both .{kind} svg:visible").count()
            total = page.locator(f".picture.both .{kind} svg").count()
            assert seen == (total if kind == shown else 0)
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('.picture svg text')]"
            ".filter(t => t.checkVisibility()).map(t => t.getBoundingClientRect().height))"
        )
        assert smallest >= 10
        page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_the_paper(browser: Browser, report_file: Path, dark: bool) -> None:
    """Text of every kind has a contrast of at least 4.5 to 1, in pictures too, light and dark."""
    page, _ = opened(browser, report_file, dark=dark)
    least = page.evaluate(CONTRAST)
    assert least >= 4.5
    page.close()


CONTRAST = """() => {
  const rgb = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = c => rgb(c).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { while (e) { const b = getComputedStyle(e).backgroundColor;
    if (!b.startsWith('rgba(0, 0, 0, 0')) return b; e = e.parentElement; } return 'rgb(255,255,255)'; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const words = [...document.querySelectorAll('p,li,dt,dd,th,td,a,summary,figcaption,h1,h2,h3,strong,code')]
    .map(e => ratio(getComputedStyle(e).color, behind(e)));
  const paper = getComputedStyle(document.body).backgroundColor;
  const halo = paper;
  const drawn = [...document.querySelectorAll('svg text')].map(e => getComputedStyle(e).fill)
    .filter(f => f !== halo).map(f => ratio(f, paper));
  return Math.min(...words, ...drawn);
}"""


def test_the_skip_link_is_first_and_leads_to_main(browser: Browser, report_file: Path) -> None:
    """A keyboard reaches the findings with two keys."""
    page, _ = opened(browser, report_file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.close()


def load_ms(browser: Browser, path: Path) -> float:
    """From navigation to the end of loading."""
    page, heard = opened(browser, path)
    assert heard == []
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    page.close()
    return float(took)


def test_ten_thousand_estimates_open_as_fast_as_a_bare_table(
    browser: Browser, tmp_path: Path, gaps: list[Estimate]
) -> None:
    """Our look adds little to what the cells alone cost (0.7 s for both on a quiet machine)."""
    table = estimate_table([gaps[n % 6] for n in range(10_000)], caption="All")
    ours, bare = tmp_path / "ours.html", tmp_path / "bare.html"
    ours.write_text(html.render(Report("T", "", [table], Result((), ()))), encoding="utf-8")
    rows = ("".join(f"<td>{cell}</td>" for cell in row) for row in table.rows)
    bare.write_text(f"<!doctype html><table><tr>{'<tr>'.join(rows)}</table>", encoding="utf-8")
    ratios: list[float] = []
    while len(ratios) < 6 and min(ratios, default=9.0) >= 1.5:
        ratios.append(load_ms(browser, ours) / load_ms(browser, bare))
    assert min(ratios) < 1.5


def test_hostile_transcripts_stay_quiet(browser: Browser, tmp_path: Path) -> None:
    """Words that try to run, load or break out do none of it, and the pages fit a phone."""
    message = BrowseMessage(agent=HOSTILE, text=HOSTILE * 20, reading="refusal", rule=HOSTILE)
    item = BrowseItem(
        key="k", question=HOSTILE, context="w" * 900, groups=(HOSTILE,), rounds=((message,),)
    )
    write_pages([item], tmp_path, title=HOSTILE)
    for path in sorted(tmp_path.rglob("*.html")):
        page, heard = opened(browser, path, width=390)
        assert heard == [], path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name
        page.close()
