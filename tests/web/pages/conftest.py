"""A real chromium before a real arena: what a visitor does, and everything the page said or asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from support.arena_server import ADMIN_TOKEN, ArenaServer, arena_server
from support.bundles import small_bundle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}


@dataclass
class Guest:
    """One browser profile on one page, and what it heard of it."""

    server: ArenaServer
    context: BrowserContext
    page: Page
    requests: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        """Go there, and wait for the page's own script."""
        self.page.goto(self.server.url + path)
        return self.page

    def start(self, path: str = "/") -> Page:
        """The first visit: agree and start."""
        page = self.open(path)
        page.locator("#welcome[open]").wait_for()
        page.check("#agree")
        page.click("#welcome-form button[type=submit]")
        page.locator("#search").wait_for()
        return page

    def battle(self, query: str = "doctor") -> Page:
        """Start, ask for a query, and look at both sides."""
        page = self.start()
        page.fill("#query", query)
        page.press("#query", "Enter")
        page.locator("[data-choice=left]:enabled").wait_for()
        return page

    def sign_in(self, section: str = "overview") -> Page:
        """The admin page, signed in."""
        page = self.open(f"/admin#{section}")
        page.fill("#token", ADMIN_TOKEN)
        page.press("#token", "Enter")
        page.locator("#section[aria-busy=false] h2").wait_for()
        return page

    def posted(self, path: str) -> int:
        """How many times something was posted there."""
        return sum(
            method == "POST" and url == self.server.url + path for method, url in self.requests
        )

    def check_quiet(self) -> None:
        """No other host was asked, and the browser found nothing to complain of."""
        foreign = [
            url for _, url in self.requests if not url.startswith((self.server.url, "data:"))
        ]
        assert foreign == []
        assert self.complaints == []


Visit = Callable[..., Guest]


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArenaServer]:
    """An arena with four models and no reasons asked."""
    folder = tmp_path_factory.mktemp("arena")
    bundle = small_bundle(folder)
    rules = {
        "title": "Test arena",
        "why_rate": 0,
        "early_voters": 500,
        "leaderboard_every_s": 0,
    }
    with arena_server(folder, bundle=bundle, rules=rules) as arena:
        yield arena


@pytest.fixture
def visit(browser: Browser, server: ArenaServer) -> Iterator[Visit]:
    """Opens a guest's profile; at the end none may have asked another host or heard a complaint."""
    with ExitStack() as stack:
        guests: list[Guest] = []

        def open_profile(*, at: Any = server, quiet: bool = True, **options: Any) -> Guest:
            context = browser.new_context(
                **{"viewport": DESKTOP, "locale": "en-GB", "reduced_motion": "reduce", **options}
            )
            stack.callback(context.close)
            guest = Guest(at, context, context.new_page())
            _listen(guest)
            guest.page.set_default_timeout(20_000)
            if quiet:
                guests.append(guest)
            return guest

        yield open_profile
        for guest in guests:
            guest.check_quiet()


def _listen(guest: Guest) -> None:
    page = guest.page
    page.on("request", lambda request: guest.requests.append((request.method, request.url)))
    page.on("pageerror", lambda error: guest.complaints.append(f"error {error}"))
    page.on("dialog", lambda dialog: guest.complaints.append(f"dialog {dialog.message}"))
    # Chromium writes a line for each answer that is not 2xx; the page itself deals with those.
    page.on(
        "console",
        lambda message: (
            guest.complaints.append(f"{message.type} {message.text}")
            if message.type in ("error", "warning")
            and "Failed to load resource" not in message.text
            else None
        ),
    )
