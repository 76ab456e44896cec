"""Logins that are guessed: who has to wait, for how long, and who has not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from executor_project.lockout import NOWHERE, counted

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

LIMIT = 5
PAGES = ["/admin/login/", "/api/login/login/"]
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.1"
WIDE = "\N{FULLWIDTH LATIN SMALL LETTER A}da"  # which Django reads as "ada"


@pytest.fixture(autouse=True)
def ada() -> User:
    return User.objects.create_superuser("ada", password="right")


def log_in(
    password: str, page: str = PAGES[0], user: str = "ada", address: str = HERE, **headers: str
) -> Any:
    client = Client(REMOTE_ADDR=address, headers=headers)
    return client.post(page, {"username": user, "password": password, "next": "/"})


def guess(times: int, **where: str) -> list[int]:
    """Return the statuses of this many wrong passwords."""
    return [log_in("wrong", **where).status_code for _ in range(times)]


@pytest.mark.parametrize("page", PAGES)
def test_the_fifth_wrong_password_locks_out_and_the_right_one_comes_too_late(page: str) -> None:
    assert guess(LIMIT, page=page) == [200] * (LIMIT - 1) + [429]

    refused = log_in("right", page=page)

    assert refused.status_code == 429
    assert "Try again in\n    15 minutes" in refused.content.decode()
    assert 14 * 60 < int(refused.headers["Retry-After"]) <= 15 * 60


@pytest.mark.django_db(transaction=True)
def test_an_asgi_server_answers_the_same() -> None:
    guess(LIMIT, address="127.0.0.1")  # which is the client's of the next line, always

    refused: Any = async_to_sync(AsyncClient().post)(
        PAGES[0], {"username": "ada", "password": "right"}
    )

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 14 * 60


def test_what_one_page_counted_the_other_knows() -> None:
    guess(LIMIT, page=PAGES[0])

    assert log_in("right", page=PAGES[1]).status_code == 429


def test_more_guesses_do_not_make_it_longer() -> None:
    guess(LIMIT)
    locked_at = timezone.now() - timedelta(minutes=10)
    AccessAttempt.objects.update(attempt_time=locked_at)

    guess(3)

    assert 4 * 60 < int(log_in("right").headers["Retry-After"]) <= 5 * 60


def test_after_the_time_the_right_password_is_taken() -> None:
    guess(LIMIT)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))

    assert log_in("right").status_code == 302


def test_a_login_takes_earlier_slips_back() -> None:
    guess(LIMIT - 1)
    log_in("right")

    assert guess(LIMIT - 1) == [200] * (LIMIT - 1)


def test_nobody_is_locked_out_from_another_address() -> None:
    guess(LIMIT, address=ELSEWHERE)

    assert log_in("right").status_code == 302


def test_nobody_is_locked_out_by_guesses_at_another_user() -> None:
    guess(LIMIT, user="grace")

    assert log_in("right").status_code == 302


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "client-ip", "user-agent"]
)
def test_headers_of_the_client_make_no_other_client_of_it(header: str) -> None:
    statuses = [
        log_in("wrong", **{header: f"203.0.113.{number}"}).status_code for number in range(LIMIT)
    ]

    assert statuses[-1] == 429


def test_behind_proxies_the_address_is_what_they_saw(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 2

    for number in range(LIMIT):
        forged = f"203.0.113.{number}, {HERE}, 10.0.0.2"
        log_in("wrong", address="10.0.0.1", **{"x-forwarded-for": forged})

    def status(client: str) -> int:
        seen = f"{client}, 10.0.0.2"
        return int(log_in("right", address="10.0.0.1", **{"x-forwarded-for": seen}).status_code)

    assert (status(HERE), status(ELSEWHERE)) == (429, 302)


def test_a_request_that_came_past_the_proxies_is_counted_by_its_own_address(
    settings: Settings,
) -> None:
    settings.TRUSTED_PROXIES = 2
    for number in range(LIMIT):
        log_in("wrong", **{"x-forwarded-for": f"203.0.113.{number}"})

    assert log_in("right").status_code == 429


def test_a_network_of_ipv6_is_one_client() -> None:
    for number in range(LIMIT):
        log_in("wrong", address=f"2001:db8:1:2::{number}")

    assert log_in("right", address="2001:db8:1:2:a::9").status_code == 429
    assert log_in("right", address="2001:db8:1:3::9").status_code == 302


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::"),
        ("[2001:db8::5]:80", "2001:db8::"),
        ("[2001:db8::5]", "2001:db8::"),
        ("fe80::1%eth0", "fe80::"),
        ("", NOWHERE),
        ("unknown", NOWHERE),
        ("'; DROP TABLE", NOWHERE),
    ],
)
def test_an_address_is_understood_in_every_form(address: str, client: str) -> None:
    assert counted(address) == client


def test_a_client_without_an_address_is_counted_as_well() -> None:
    assert guess(LIMIT, address="")[-1] == 429
    assert AccessAttempt.objects.get().ip_address == NOWHERE  # NULLs are no two of a kind


def in_parts(password: str, charset: str, user: str = "ada") -> int:
    """Return the status of a login by a form of parts, with one field more than the page's."""
    fields = {"username": user, "password": password, "x": "\\ud800"}  # to some, a lone surrogate
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    form = "".join(part.format(*field) for field in fields.items()) + "--b--\r\n"
    client = Client(REMOTE_ADDR=HERE, raise_request_exception=False)
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    return int(client.generic("POST", PAGES[0], form.encode(), kind).status_code)


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "rot13", "nonsense"])
def test_a_form_in_another_charset_than_utf_8_is_refused_unread(charset: str) -> None:
    assert in_parts("right", charset) == in_parts("right", charset, user="\\ud800") == 400


@pytest.mark.parametrize("charset", ["utf-8", "UTF8"])
def test_a_form_that_says_its_charset_is_read(charset: str) -> None:
    assert in_parts("right", charset) == 302


def test_a_form_that_no_database_takes_is_counted_as_well(settings: Settings) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Charset" not in name]

    statuses = [in_parts("wrong", "unicode_escape") for _ in range(LIMIT)]

    assert statuses == [200] * (LIMIT - 1) + [429]
    assert in_parts("right", "unicode_escape") == 429


def test_a_right_password_among_too_many_guesses_at_once_comes_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = User.check_password

    def slowly(user: User, password: str) -> bool:
        if password == "right":
            guess(LIMIT)
        return check(user, password)

    monkeypatch.setattr(User, "check_password", slowly)
    client = Client(REMOTE_ADDR=HERE)

    answer = client.post(PAGES[0], {"username": "ada", "password": "right", "next": "/"})

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 14 * 60
    assert "_auth_user_id" not in client.session


def test_the_time_that_is_told_holds_whatever_the_browsers_were() -> None:
    for _ in range(LIMIT - 1):
        log_in("wrong", **{"user-agent": "one"})
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14, seconds=59))

    told = int(log_in("wrong", **{"user-agent": "another"}).headers["Retry-After"])

    def status_before_the_end(seconds: int) -> int:
        """Return the status of the right password when so much of the time is left."""
        passed = timedelta(seconds=told - seconds)
        AccessAttempt.objects.update(attempt_time=timezone.now() - passed)
        return int(log_in("right").status_code)

    assert told > 14 * 60
    assert AccessAttempt.objects.count() == 1
    assert (status_before_the_end(10), status_before_the_end(-1)) == (429, 302)


def test_each_is_told_the_time_of_his_own_address() -> None:
    guess(LIMIT)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    guess(LIMIT, address=ELSEWHERE)

    assert int(log_in("right").headers["Retry-After"]) <= 5 * 60


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "\ud800", "ada\nada", WIDE])
def test_no_name_breaks_the_count(name: str) -> None:
    shown = name.encode("utf-8", "replace").decode()

    assert set(guess(LIMIT + 1, user=shown)) <= {200, 429}


def test_a_name_in_another_spelling_is_not_another_name() -> None:
    for name in ("ada", WIDE, " ada", "ada ", "ada"):
        log_in("wrong", user=name)

    assert log_in("right").status_code == 429


def test_only_the_name_and_the_address_of_a_login_are_kept() -> None:
    log_in("wrong-secret", **{"user-agent": "wrong-secret", "accept": "wrong-secret"})

    kept = AccessAttempt.objects.get()
    assert (kept.username, kept.ip_address) == ("ada", HERE)
    assert kept.post_data == kept.get_data == kept.user_agent == kept.http_accept == ""


def test_logins_that_succeed_are_kept_nowhere() -> None:
    log_in("right")

    assert not AccessLog.objects.exists()
    assert not AccessAttempt.objects.exists()
