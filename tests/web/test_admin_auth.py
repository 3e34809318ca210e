"""Signing in as admin: tokens, cookies, CSRF, lock-out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.errors import Denied, InputError, TooMany
from evenhand.web.admin_auth import AdminAuth

TOKEN = "correct horse battery staple"


def test_a_session_lasts_until_its_time_is_over() -> None:
    """The cookie of a sign-in is good until eight hours have passed."""
    auth = AdminAuth(TOKEN)
    session = auth.sign_in(TOKEN, address="a", now=0)
    auth.check_cookie(session.cookie, now=8 * 3600 - 1)
    with pytest.raises(Denied, match="ended") as caught:
        auth.check_cookie(session.cookie, now=8 * 3600)
    assert caught.value.status == 401


def test_signing_out_ends_the_session() -> None:
    """A cookie that was signed out is refused at once; another session goes on."""
    auth = AdminAuth(TOKEN)
    one, other = (auth.sign_in(TOKEN, address="a", now=0) for _ in range(2))
    auth.sign_out(one.cookie)
    with pytest.raises(Denied, match="ended"):
        auth.check_cookie(one.cookie, now=1)
    auth.check_cookie(other.cookie, now=1)


def test_every_worker_knows_the_cookie_and_none_with_another_token_does() -> None:
    """A second process with the same token takes the cookie; one with a new token refuses it."""
    session = AdminAuth(TOKEN).sign_in(TOKEN, address="a", now=0)
    AdminAuth(TOKEN).check_cookie(session.cookie, now=1)
    with pytest.raises(Denied, match="not signed in"):
        AdminAuth(TOKEN + "!").check_cookie(session.cookie, now=1)


def test_a_csrf_token_belongs_to_one_session() -> None:
    """The CSRF token of one session is 403 with another's cookie."""
    auth = AdminAuth(TOKEN)
    one, other = (auth.sign_in(TOKEN, address="a", now=0) for _ in range(2))
    auth.check_csrf(one.cookie, auth.csrf_of(one.cookie))
    with pytest.raises(Denied, match="CSRF") as caught:
        auth.check_csrf(one.cookie, other.csrf)
    assert caught.value.status == 403


def test_five_wrong_tokens_lock_the_address_out() -> None:
    """After five guesses even the right token waits, longer each time; other addresses do not."""
    auth = AdminAuth(TOKEN)
    for _ in range(5):
        with pytest.raises(Denied):
            auth.sign_in("guess", address="a", now=0)
    with pytest.raises(TooMany) as caught:
        auth.sign_in(TOKEN, address="a", now=1)
    assert caught.value.retry_after_s == 59
    auth.sign_in(TOKEN, address="b", now=1)
    with pytest.raises(Denied):
        auth.sign_in("guess", address="a", now=61)
    with pytest.raises(TooMany):
        auth.sign_in(TOKEN, address="a", now=61 + 119)
    auth.sign_in(TOKEN, address="a", now=61 + 121)


def test_guesses_from_many_addresses_take_no_memory_for_ever() -> None:
    """A hundred thousand guessing addresses leave at most ten thousand entries."""
    auth = AdminAuth(TOKEN)
    for number in range(20_000):
        with pytest.raises(Denied):
            auth.check_token("guess", address=str(number), now=0)
    assert len(auth._tries) <= 10_000


def test_a_token_that_is_quickly_guessed_is_refused() -> None:
    """The reference's default token cannot be used."""
    with pytest.raises(InputError, match="8 characters is quickly guessed"):
        AdminAuth("changeme")


@given(cookie=st.text(max_size=200))
def test_no_invented_cookie_signs_in(cookie: str) -> None:
    """Whatever text stands in the cookie, it is refused with 401, never an error of ours."""
    auth = AdminAuth(TOKEN)
    with pytest.raises(Denied):
        auth.check_cookie(cookie, now=0)
    with pytest.raises(Denied):
        auth.check_csrf(cookie, cookie)


@given(change=st.integers(min_value=0, max_value=10**6))
def test_a_changed_cookie_is_refused(change: int) -> None:
    """A cookie with one character changed is nobody's."""
    auth = AdminAuth(TOKEN)
    cookie = auth.sign_in(TOKEN, address="a", now=0).cookie
    place = change % len(cookie)
    other = "A" if cookie[place] != "A" else "B"
    with pytest.raises(Denied):
        auth.check_cookie(cookie[:place] + other + cookie[place + 1 :], now=1)
