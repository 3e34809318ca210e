"""The vote page in a real browser: by key, by touch, in German, and when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from evenhand.arena.spec import CHOICES
from support.arena_server import ArenaServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def choices_in(server: ArenaServer) -> list[str]:
    """What was voted so far, in order."""
    return [CHOICES[code] for code in server.hall.box.votes().choice]


def saved(page: Page) -> str:
    """The line below the panels once a vote is saved."""
    page.locator("#after .saved").wait_for()
    return page.inner_text("#after .saved")


def until(page: Page, holds: str) -> None:
    """Wait for an expression to hold; the page's policy forbids playwright's own way to."""
    for _ in range(200):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(25)
    raise AssertionError(holds)


def change(server: ArenaServer, **rules: Any) -> None:
    """Change rules as an admin does."""
    answer = server.admin().post("/api/admin/config", {"arena": rules})
    assert answer.status == 200, answer.body


def test_a_vote_by_keyboard_alone(visit: Visit, server: ArenaServer) -> None:
    """From the first visit to two saved votes without touching the mouse."""
    before = len(choices_in(server))
    guest = visit()
    page = guest.open()
    page.locator("#welcome[open]").wait_for()
    page.keyboard.press("Tab")  # behind the heading, the consent text can be scrolled
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.locator("#search").wait_for()
    page.focus("#query")
    page.keyboard.type("nur")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("[data-choice=left]:enabled").wait_for()
    assert page.inner_text("#battle-heading") == "nurse"
    page.keyboard.press("1")
    assert saved(page) == "Saved: Left"
    assert page.evaluate("document.activeElement.id") == "next"
    page.keyboard.press("Enter")
    page.locator("[data-choice=left]:enabled").wait_for()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.choice") == "right"
    page.keyboard.press("Enter")
    assert saved(page) == "Saved: Right"
    assert page.inner_text("#progress") == "2 votes from you"
    assert choices_in(server)[before:] == ["left", "right"]


def test_a_vote_by_touch_after_both_sides_were_seen(visit: Visit, server: ArenaServer) -> None:
    """On a phone nobody can vote having seen one side only (B13); tapping the other side opens it."""
    before = len(choices_in(server))
    guest = visit(**PHONE)
    page = guest.start()
    page.tap("#suggestions li:nth-child(2) button")
    page.locator("#battle").wait_for()
    page.locator("#panel-left img").first.wait_for()
    page.wait_for_timeout(200)
    assert page.locator("#choices button:enabled").count() == 0
    assert "both sides" in page.inner_text("#ballot-hint")
    page.tap("[data-show=right]")
    page.locator("[data-choice=tie]:enabled").wait_for()
    page.tap("[data-choice=tie]")
    assert saved(page) == "Saved: Tie"
    assert choices_in(server)[before:] == ["tie"]
    newest = server.hall.box.recent(1)[0]
    assert newest["seen_left"] > 0
    assert newest["seen_right"] > 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_undo_takes_the_vote_back(visit: Visit, server: ArenaServer) -> None:
    """Within the undo time the same comparison can be voted anew."""
    before = len(choices_in(server))
    page = visit().battle()
    page.keyboard.press("1")
    saved(page)
    images = page.locator("#panel-left img").first.get_attribute("src")
    page.click("#undo")
    page.locator("[data-choice=right]:enabled").wait_for()
    assert len(choices_in(server)) == before
    assert page.inner_text("#progress") == "0 votes from you"
    page.keyboard.press("3")
    assert saved(page) == "Saved: Right"
    assert page.locator("#panel-left img").first.get_attribute("src") == images
    assert choices_in(server)[before:] == ["right"]


@pytest.mark.slow
def test_undo_goes_when_its_time_is_over(visit: Visit, server: ArenaServer) -> None:
    """The button does not stay longer than the server would take it."""
    change(server, undo_s=1)
    page = visit().battle()
    page.keyboard.press("1")
    saved(page)
    page.locator("#undo").wait_for()
    page.locator("#undo").wait_for(state="detached", timeout=3000)
    change(server, undo_s=8)


def test_a_double_click_posts_one_vote(visit: Visit, server: ArenaServer) -> None:
    """However often a choice is pressed, one vote is sent and one is counted (B13)."""
    before = len(choices_in(server))
    guest = visit()
    page = guest.battle()
    page.evaluate(
        "() => { const b = document.querySelector('[data-choice=left]'); b.click(); b.click(); b.click(); }"
    )
    saved(page)
    page.keyboard.press("3")
    page.wait_for_timeout(100)
    assert guest.posted("/api/votes") == 1
    assert choices_in(server)[before:] == ["left"]


def test_nothing_is_called_saved_that_is_not(visit: Visit, server: ArenaServer) -> None:
    """Without a connection the page says so, keeps the choice, and sends it when it is back (B13)."""
    before = len(choices_in(server))
    guest = visit()
    page = guest.battle()
    guest.context.set_offline(True)
    page.keyboard.press("1")
    page.locator("#problem:not([hidden])").wait_for()
    assert "not saved" in page.inner_text("#problem")
    assert page.locator("#offline").is_visible()
    assert page.locator("#after").is_hidden()
    assert page.inner_text("#progress") == "0 votes from you"
    guest.context.set_offline(False)
    assert saved(page) == "Saved: Left"
    assert page.locator("#problem").is_hidden()
    assert choices_in(server)[before:] == ["left"]


@pytest.mark.slow
def test_a_battle_whose_time_is_over_makes_room_for_a_new_one(
    visit: Visit, server: ArenaServer
) -> None:
    """A late vote is not counted; the page says why and offers the next comparison."""
    before = len(choices_in(server))
    change(server, battle_lives_s=0.3)
    page = visit().battle()
    change(server, battle_lives_s=1800)
    page.wait_for_timeout(400)
    page.keyboard.press("1")
    page.locator("#problem button").wait_for()
    assert "time for this comparison is over" in page.inner_text("#problem")
    page.click("#problem button")
    page.locator("[data-choice=left]:enabled").wait_for()
    assert page.locator("#problem").is_hidden()
    page.keyboard.press("1")
    saved(page)
    assert choices_in(server)[before:] == ["left"]


@pytest.mark.slow
def test_a_search_that_is_not_offered_is_explained(visit: Visit) -> None:
    """Free text while open queries are off asks the server for nothing and leaves the page usable (B13)."""
    guest = visit()
    page = guest.start()
    page.fill("#query", "astronaut <b>")
    page.keyboard.press("Enter")
    page.locator("#problem:not([hidden])").wait_for()
    assert "“astronaut <b>” is not on the list" in page.inner_text("#problem")
    assert guest.posted("/api/battles") == 0
    page.click("#random")
    page.locator("[data-choice=left]:enabled").wait_for()
    assert page.locator("#problem").is_hidden()


def test_reasons_stay_with_their_vote(visit: Visit, server: ArenaServer) -> None:
    """What was written for an abandoned choice is gone, and is not sent with the next vote (B13)."""
    change(server, why_rate=1)
    page = visit().battle()
    change(server, why_rate=0)
    page.keyboard.press("1")
    page.locator("#reasons[open]").wait_for()
    page.fill("#reason-text", "left over")
    page.get_by_label("fewer stereotypes").check()
    page.keyboard.press("Escape")
    page.locator("[data-choice=left]:focus").wait_for()
    assert page.locator("#after").is_hidden()
    page.keyboard.press("3")
    page.locator("#reasons[open]").wait_for()
    assert page.input_value("#reason-text") == ""
    assert page.locator("#reason-tags input:checked").count() == 0
    page.get_by_label("better overall").check()
    page.click("#reasons button[value=send]")
    assert saved(page) == "Saved: Right"
    newest = server.hall.box.recent(1)[0]
    assert list(newest["why_tags"]) == ["better overall"]
    assert newest["why_freetext"] == ""
    page.keyboard.press("Enter")
    page.locator("[data-choice=left]:enabled").wait_for()
    page.keyboard.press("1")
    saved(page)
    assert list(server.hall.box.recent(1)[0]["why_tags"]) == []


def test_no_model_is_named_before_the_vote(visit: Visit) -> None:
    """Neither the page nor anything it loaded tells who stands where (S1)."""
    guest = visit()
    texts: list[str] = []
    guest.page.on(
        "response",
        lambda answer: (
            texts.append(answer.text())
            if "/api/" in answer.url and "/image/" not in answer.url
            else None
        ),
    )
    page = guest.battle()
    page.locator("#panel-right img").first.wait_for()
    everything = "".join(texts) + page.content()
    assert "Model 0" not in everything
    assert '"m0"' not in everything


def test_the_page_speaks_german(visit: Visit) -> None:
    """By the browser's wish at first, by the visitor's choice afterwards."""
    guest = visit(locale="de-DE")
    page = guest.start()
    page.click("#random")
    page.locator("[data-choice=left]:enabled").wait_for()
    assert page.inner_text("#question-text") == "Welche Seite bildet Menschen besser ab?"
    page.keyboard.press("2")
    assert saved(page) == "Gespeichert: Gleich gut"
    page.click(".languages a[lang=en]")
    assert page.title() == "Vote · Test arena"
    guest.open("/about")
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.slow
def test_images_load_as_they_come_near_and_both_sides_scroll_in_step(visit: Visit) -> None:
    """Not all fifty are fetched at once; scrolling one side moves the other, unless switched off."""
    page = visit(viewport={"width": 1280, "height": 700}).battle()
    left = page.locator("#panel-left .pane")
    loaded = "document.querySelectorAll('#panel-left img[src]').length"
    assert 12 <= page.evaluate(loaded) < 50
    left.evaluate("pane => { pane.scrollTop = 600; }")
    until(page, "document.querySelector('#panel-right .pane').scrollTop === 600")
    until(page, f"{loaded} > 20")
    page.click("#open-view")
    page.uncheck("#in-step")
    page.keyboard.press("Escape")
    left.evaluate("pane => { pane.scrollTop = 100; }")
    page.wait_for_timeout(100)
    assert page.evaluate("document.querySelector('#panel-right .pane').scrollTop") == 600


@pytest.mark.slow
def test_keys_can_be_switched_off(visit: Visit) -> None:
    """Whoever dictates or mistypes can vote with buttons only (WCAG 2.1.4)."""
    guest = visit()
    page = guest.battle()
    page.click("#open-view")
    page.uncheck("#keys-on")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.wait_for_timeout(100)
    assert guest.posted("/api/votes") == 0


def test_consent_comes_first(visit: Visit) -> None:
    """Without the tick nobody is registered, and Escape does not get past the question."""
    guest = visit()
    page = guest.open()
    page.locator("#welcome[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("#welcome[open]").wait_for()
    page.click("#welcome-form button[type=submit]")
    assert "tick the box" in page.inner_text("#agree-problem")
    assert page.evaluate("document.activeElement.id") == "agree"
    assert guest.posted("/api/register") == 0
