"""Axe and a look at reflow: every page and dialog, in light and dark, on a phone and on a desktop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
LOOKS = {
    "phone-dark": {**PHONE, "color_scheme": "dark"},
    "desktop-light": {**DESKTOP, "color_scheme": "light"},
    "phone-light": {**PHONE, "color_scheme": "light"},
    "desktop-dark": {**DESKTOP, "color_scheme": "dark"},
}


def looks(quick: str) -> Any:
    """Every look as a parameter; all but one are left to the slow tests."""
    return pytest.mark.parametrize(
        "look",
        [
            pytest.param(look, id=name, marks=[] if name == quick else pytest.mark.slow)
            for name, look in LOOKS.items()
        ],
    )


RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`))"""


def violations(page: Page) -> list[str]:
    """What axe finds: rule and element. It is put into a page once, and only its findings come back."""
    from axe_playwright_python.sync_playwright import Axe

    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found: list[str] = page.evaluate(RUN)
    return found


def look_both_sides(page: Page) -> None:
    """On a phone the other side must be opened first."""
    page.locator("#panel-left img").first.wait_for()
    if page.locator(".switcher").is_visible():
        page.click("[data-show=right]")
    page.locator("[data-choice=left]:enabled").wait_for()


@looks(quick="phone-dark")
def test_axe_finds_nothing_on_the_vote_page(visit: Visit, server: Any, look: Any) -> None:
    """From the welcome to a saved vote, with each dialog and the list open, and with a problem told."""
    asked = {"why_rate": 1, "both_good": True, "both_bad": True}
    server.admin().post("/api/admin/config", {"arena": asked})
    guest = visit(**look)
    page = guest.open()
    page.locator("#welcome[open]").wait_for()
    page.locator("#voluntary summary").click()
    page.click("#welcome-form button[type=submit]")
    found = violations(page)
    page.check("#agree")
    page.click("#welcome-form button[type=submit]")
    page.locator("#search").wait_for()
    page.click("#query")
    page.keyboard.press("ArrowDown")
    found += violations(page)
    page.keyboard.press("Enter")
    look_both_sides(page)
    found += violations(page)
    page.click("#open-view")
    found += violations(page)
    page.keyboard.press("Escape")
    page.click("[data-choice=both_good]")
    page.locator("#reasons[open]").wait_for()
    page.get_by_label("fewer stereotypes").check()
    found += violations(page)
    page.click("#reasons button[value=without]")
    page.locator("#next").wait_for()
    found += violations(page)
    page.fill("#query", "nothing of ours")
    page.press("#query", "Enter")
    found += violations(page)
    for key in asked:
        server.admin().delete(f"/api/admin/config/{key}")
    assert found == []


@looks(quick="desktop-light")
def test_axe_finds_nothing_on_the_other_pages(visit: Visit, server: Any, look: Any) -> None:
    """Leaderboard, about with its dialog, and every section of the admin page."""
    for choice in ("left", "right", "tie"):
        server.voter().vote(choice)
    guest = visit(**look)
    page = guest.open("/leaderboard")
    page.locator("#board .board").wait_for()
    found = violations(page)
    guest.start()
    guest.open("/about")
    page.click("#withdraw")
    found += violations(page)
    guest.open("/admin")
    page.locator("#sign-in").wait_for()
    found += violations(page)
    guest.sign_in()
    for section in page.locator(".tabs a").evaluate_all("links => links.map(a => a.hash)"):
        page.click(f".tabs a[href='{section}']")
        page.locator(f".tabs a[href='{section}'][aria-current=page]").wait_for()
        page.locator("#section[aria-busy=false] h2").wait_for()
        found += [f"{section} {line}" for line in violations(page)]
    assert found == []


def test_nothing_sticks_out_at_four_times_zoom(visit: Visit) -> None:
    """At 320 pixels, a desktop at 400 %, no page scrolls sideways and voting works (WCAG 1.4.10)."""
    guest = visit(viewport={"width": 320, "height": 512})
    page = guest.start()
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 320
    page.click("#random")
    look_both_sides(page)
    assert page.evaluate(wide) == 320
    for path in ("/leaderboard", "/about", "/admin"):
        guest.open(path)
        assert page.evaluate(wide) == 320, path


@pytest.mark.slow
def test_a_page_at_double_size_can_be_used(visit: Visit) -> None:
    """At 640 by 400, a laptop at 200 %, both sides, the choices and the question can be reached."""
    page = visit(viewport={"width": 640, "height": 400}).battle()
    page.keyboard.press("3")
    page.locator("#after .saved").wait_for()
    assert page.locator("#next").is_visible()


def test_focus_stays_in_a_dialog_and_comes_back(visit: Visit) -> None:
    """Tab does not leave an open dialog, and closing it returns the focus to the button that opened it."""
    page = visit().start()
    page.focus("#open-view")
    page.keyboard.press("Enter")
    page.locator("#view[open]").wait_for()
    for _ in range(6):
        page.keyboard.press("Tab")
        inside = "document.activeElement === document.body || Boolean(document.activeElement.closest('#view'))"
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "open-view"


@pytest.mark.slow
def test_motion_can_be_reduced_and_colours_forced(visit: Visit) -> None:
    """Nothing moves for those who ask for it, and with forced colours a choice still shows."""
    page = visit(reduced_motion="reduce", forced_colors="active").battle()
    page.keyboard.press("1")
    page.locator("#undo").wait_for()
    assert page.locator("#undo .bar").is_hidden()
    outline = "getComputedStyle(document.querySelector('#panel-left')).outlineStyle"
    assert page.evaluate(outline) == "solid"
