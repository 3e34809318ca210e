"""The admin pages in a real browser: signing in, live figures, settings, sessions, and hostile text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from support.arena_server import ADMIN_TOKEN, ArenaServer

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
NEW_YORK = "America/New_York"


def fill(server: ArenaServer) -> None:
    """Twenty voters with two votes each, enough that every model meets others and has an interval."""
    for _ in range(20):
        voter = server.voter(nickname="somebody")
        voter.vote("left", seen={"left": 3, "right": 4})
        voter.vote("right")


def ready(page: Any, section: str) -> None:
    """Open a section and wait until it is drawn."""
    page.click(f".tabs a[href='#{section}']")
    page.locator(f".tabs a[href='#{section}'][aria-current=page]").wait_for()
    page.locator("#section[aria-busy=false] h2").wait_for()


def test_a_vote_is_seen_by_the_admin_and_on_the_board(visit: Visit, server: ArenaServer) -> None:
    """What somebody votes in one browser stands on the admin page of another, and counts on the board."""
    fill(server)
    before = len(server.hall.box.votes())
    voter = visit().battle("nurse")
    voter.keyboard.press("1")
    voter.locator("#after .saved").wait_for()
    page = visit().sign_in()
    page.locator(".tiles").wait_for()
    assert page.inner_text(".tiles dd >> nth=0") == str(before + 1)
    ready(page, "votes")
    newest = page.locator("tbody tr").first.inner_text()
    assert "nurse" in newest
    assert "Left" in newest
    ready(page, "board")
    page.locator(".board tbody tr").first.wait_for()
    assert page.locator(".board tbody tr").count() == 4
    assert page.locator(".board .whisker").count() == 4


@pytest.mark.slow
def test_figures_refresh_by_themselves_and_the_side_test_has_words(
    visit: Visit, server: ArenaServer
) -> None:
    """The side test says what was found with its interval; every pair has a cell; reasons have denominators."""
    fill(server)
    page = visit().sign_in()
    page.locator(".overview .card").first.wait_for()
    words = page.inner_text(".overview")
    assert "decided votes" in words
    assert "95% interval" in words
    assert page.locator(".matrix tbody td").count() == len(server.hall.bundle.models) ** 2
    for heading in (
        "Votes per search",
        "Choices",
        "Votes over time",
        "Reasons",
        "Time for a vote",
    ):
        assert page.get_by_role("heading", name=heading).count() == 1


def test_the_token_is_kept_nowhere(visit: Visit) -> None:
    """Signing in leaves the token in no address and no storage; a page loaded again is still signed in (S3)."""
    guest = visit()
    page = guest.sign_in()
    stored = (
        "JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + document.cookie"
    )
    assert ADMIN_TOKEN not in page.evaluate(stored)
    assert "evenhand_admin" not in page.evaluate("document.cookie")
    assert all(ADMIN_TOKEN not in url for _, url in guest.requests)
    page.reload()
    page.locator("#signed-in").wait_for()
    ready(page, "sessions")
    page.fill("#session-name", "after a reload")
    page.click("#section form button[type=submit]")
    page.locator(".now").wait_for()
    page.click(".now button")
    page.locator(".now").wait_for(state="detached")
    page.click("#sign-out")
    page.locator("#sign-in").wait_for()
    page.reload()
    page.locator("#sign-in").wait_for()


@pytest.mark.slow
def test_a_wrong_token_is_refused_in_words(visit: Visit) -> None:
    """The form says what was wrong, and is empty again."""
    page = visit().open("/admin")
    page.fill("#token", "a wrong token")
    page.press("#token", "Enter")
    page.locator("#problem:not([hidden])").wait_for()
    assert "not the admin token" in page.inner_text("#problem")
    assert page.input_value("#token") == ""
    assert page.locator("#signed-in").is_hidden()


def test_a_start_time_is_sent_with_its_zone(visit: Visit, server: ArenaServer) -> None:
    """The form names the reader's zone, and what is typed there means that zone (B14)."""
    page = visit(timezone_id=NEW_YORK).sign_in("sessions")
    assert NEW_YORK in page.inner_text("#session-zone")
    page.fill("#session-name", "winter")
    page.fill("#session-at", "2026-01-15T08:30")
    page.click("#section form button[type=submit]")
    page.locator(".now").wait_for()
    found = server.hall.box.sessions()[0]
    assert found.name == "winter"
    assert found.started_at == datetime(2026, 1, 15, 13, 30, tzinfo=UTC)
    assert "8:30" in page.inner_text(".now")
    page.click(".now button")
    page.locator(".now").wait_for(state="detached")


def test_settings_are_checked_at_their_field(visit: Visit, server: ArenaServer) -> None:
    """A value that cannot be is told beside it and changes nothing; a good one holds, and can be given back."""
    page = visit().sign_in("settings")
    page.fill("#setting-undo_s", "-3")
    page.fill("#setting-title", "A title that is not kept")
    page.click(".save button")
    page.locator("#setting-undo_s-problem:not([hidden])").wait_for()
    assert page.evaluate("document.activeElement.id") == "setting-undo_s"
    assert server.hall.rules.undo_s == 8
    assert server.hall.rules.title == "Test arena"
    page.fill("#setting-undo_s", "5")
    page.fill("#setting-title", "Another name")
    page.click(".save button")
    page.locator("#done:not([hidden])").wait_for()
    assert server.hall.rules.title == "Another name"
    assert server.hall.rules.undo_s == 5
    for key in ("title", "undo_s"):
        page.locator(f"#setting-{key}-note button").click()
        page.locator(f"#setting-{key}-note button").wait_for(state="detached")
    assert server.hall.rules.title == "Test arena"
    assert server.hall.rules.undo_s == 8


def test_script_in_every_field_stays_text(visit: Visit, server: ArenaServer) -> None:
    """Nickname, reasons, session name and profile arrive on the admin page as the text they are (S2)."""
    admin = server.admin()
    admin.post("/api/admin/config", {"arena": {"why_rate": 1, "title": SCRIPT}})
    admin.post("/api/admin/sessions", {"name": SCRIPT})
    voter = server.voter(nickname=SCRIPT[:60])
    battle = voter.battle()
    sent = {"battle": battle["battle"], "choice": "left", "why_freetext": SCRIPT}
    assert voter.post("/api/votes", sent).status == 201
    guest = visit()
    page = guest.sign_in("votes")
    assert SCRIPT in page.inner_text("tbody tr >> nth=0")
    assert page.inner_text(".brand") == SCRIPT
    for section in ("overview", "sessions", "settings", "voters", "audit", "datasets", "searches"):
        ready(page, section)
    guest.open("/")
    admin.post("/api/admin/sessions/stop", {})
    for key in ("why_rate", "title"):
        admin.delete(f"/api/admin/config/{key}")
    assert page.locator("script:not([src])").count() == 0
    assert guest.complaints == []


@pytest.mark.slow
def test_a_voter_can_be_flagged_and_invitations_are_shown_once(
    visit: Visit, server: ArenaServer
) -> None:
    """Flagging shows at once; invitation links carry their code behind the #, which is sent to nobody."""
    voter = server.voter(nickname="hasty")
    voter.vote()
    guest = visit()
    page = guest.sign_in("voters")
    row = page.locator("tbody tr", has_text="hasty")
    row.get_by_role("button").click()
    page.locator("tbody tr", has_text="hasty").locator("[aria-pressed=true]").wait_for()
    ready(page, "invites")
    page.fill("#invite-count", "3")
    page.click("#section form button[type=submit]")
    page.locator("#invite-codes").wait_for()
    links = page.input_value("#invite-codes").splitlines()
    assert len(links) == 3
    assert all(link.startswith(f"{server.url}/#invite=") for link in links)


def test_withdrawing_deletes_what_is_kept(visit: Visit, server: ArenaServer) -> None:
    """The about page shows what is kept, and deletes it after asking (S11)."""
    guest = visit()
    page = guest.battle()
    page.keyboard.press("2")
    page.locator("#after .saved").wait_for()
    before = len(server.hall.box.votes())
    page = guest.open("/about")
    page.locator("#mine dl").wait_for()
    page.click("#withdraw")
    page.click("#withdraw-dialog button[value=keep]")
    assert len(server.hall.box.votes()) == before
    page.click("#withdraw")
    page.click("#withdraw-dialog button[value=withdraw]")
    page.locator("#mine .done").wait_for()
    assert "1 vote" in page.inner_text("#mine")
    assert len(server.hall.box.votes()) == before - 1
    guest.open("/")
    page.locator("#welcome[open]").wait_for()


def test_the_board_shows_intervals_and_stays_private_when_asked(
    visit: Visit, server: ArenaServer
) -> None:
    """Ranks, strengths with drawn intervals and a warning while it is early; nothing while it is private."""
    fill(server)
    guest = visit()
    page = guest.open("/leaderboard")
    page.locator(".board tbody tr").first.wait_for()
    assert page.locator(".board tbody tr").count() == 4
    assert "Too early to tell" in page.inner_text(".notice")
    guest.open("/leaderboard?lang=de")
    page.locator(".notice").wait_for()
    assert "Noch zu früh" in page.inner_text(".notice")
    guest.open("/leaderboard?lang=en")
    server.admin().post("/api/admin/config", {"arena": {"public_leaderboard": False}})
    page.reload()
    page.locator("#problem:not([hidden])").wait_for()
    assert "not public" in page.inner_text("#problem")
    assert page.locator(".board").count() == 0
    server.admin().delete("/api/admin/config/public_leaderboard")
