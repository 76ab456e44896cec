"""Tokens of the API: made and revoked in the admin, stored as hashes, as good as their user."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from tests.clients import ADD, VIEW, client_of, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:No directory at"),  # nobody has collected static files
]

PROGRAMS, TOKENS = "/api/programs/", "/admin/knox/authtoken/"
KEEPER = ("add_authtoken", "view_authtoken", "delete_authtoken")


def made(client: Client, user: User, **expiry: Any) -> Any:
    """Make a token in the admin and return the page that comes then."""
    at = timezone.now() + timedelta(**(expiry or {"days": 30}))
    form = {"user": user.pk, "expiry_0": f"{at:%Y-%m-%d}", "expiry_1": f"{at:%H:%M:%S}"}
    return client.post(f"{TOKENS}add/", form, follow=True)


def token_in(page: Any) -> str:
    (token,) = re.findall(r"not shown again: (\w+)<", page.content.decode())
    return str(token)


def ask(token: str, **headers: str) -> Any:
    return Client().get(PROGRAMS, headers={"authorization": f"Token {token}", **headers})


def test_a_token_made_in_the_admin_opens_the_api() -> None:
    client = client_of(VIEW, *KEEPER)

    token = token_in(made(client, User.objects.get()))

    assert ask(token).status_code == 200


def test_a_token_is_shown_once_and_stored_as_a_hash() -> None:
    client = client_of(VIEW, *KEEPER)
    token = token_in(made(client, User.objects.get()))

    row = AuthToken.objects.get()

    assert token not in client.get(TOKENS).content.decode()
    assert token not in (row.digest, row.token_key)
    assert len(row.token_key) < len(token) / 2


def test_a_revoked_token_opens_nothing() -> None:
    client = client_of(VIEW, *KEEPER)
    token = token_in(made(client, User.objects.get()))

    client.post(f"{TOKENS}{AuthToken.objects.get().pk}/delete/", {"post": "yes"})

    assert ask(token).status_code == 401


def test_an_expired_token_opens_nothing() -> None:
    client_of(VIEW)
    token = AuthToken.objects.create(User.objects.get(), expiry=timedelta(seconds=-1))[1]

    assert ask(token).status_code == 401


def test_a_token_of_a_user_who_is_out_opens_nothing() -> None:
    client_of(VIEW)
    token = AuthToken.objects.create(User.objects.get())[1]
    User.objects.update(is_active=False)

    assert ask(token).status_code == 401


@pytest.mark.parametrize(
    "sent",
    ["", "x", "x" * 64, "é" * 64, "\0" * 64, "a b", "x" * 5000, "' OR 1=1 --", "ff" * 32],
)
def test_what_is_no_token_is_a_401(sent: str) -> None:
    client_of(VIEW)
    AuthToken.objects.create(User.objects.get())

    assert ask(sent.encode().decode("latin-1")).status_code == 401


@pytest.mark.parametrize("expiry", [{"days": -1}, {"days": 400}])
def test_a_token_that_would_live_too_long_or_not_at_all_is_not_made(expiry: Any) -> None:
    page = made(client_of(*KEEPER), User.objects.get(), **expiry)

    assert "within 366 days from now" in page.content.decode()
    assert not AuthToken.objects.exists()


def test_nobody_makes_or_sees_a_token_of_another() -> None:
    client = client_of(*KEEPER)
    ada = User.objects.create_superuser("ada")
    AuthToken.objects.create(ada)

    page = made(client, ada)

    assert "Select a valid choice" in page.content.decode()
    assert AuthToken.objects.count() == 1
    assert "ada" not in client.get(TOKENS).content.decode()
    key = AuthToken.objects.get().pk
    assert client.post(f"{TOKENS}{key}/delete/", {"post": "yes"}).status_code == 302
    assert AuthToken.objects.exists()


def test_a_superuser_makes_tokens_for_others() -> None:
    ada = Client()
    ada.force_login(User.objects.create_superuser("ada"))
    client_of(VIEW)

    token = token_in(made(ada, User.objects.get(username="grace")))

    assert ask(token).status_code == 200
    assert "sessionid" not in ask(token).cookies


def test_a_token_needs_no_csrf_and_creates_in_the_name_of_its_user() -> None:
    client_of(ADD)
    token = AuthToken.objects.create(User.objects.get())[1]
    client = Client(enforce_csrf_checks=True, headers={"authorization": f"Token {token}"})

    answer = post(client, PROGRAMS, {"jobs": ["noop"]})

    assert (answer.status_code, answer.json()["created_by"]) == (201, "grace")


def test_a_creation_takes_three_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client_of(ADD)
    token = AuthToken.objects.create(User.objects.get())[1]
    client = Client(headers={"authorization": f"Token {token}"})

    # Token and user, permissions, the program; MySQL tells the row's time when it is asked.
    with django_assert_num_queries(3 if connection.features.can_return_columns_from_insert else 4):
        post(client, PROGRAMS, {"jobs": ["noop"]})


def test_permissions_of_groups_count() -> None:
    client = client_of()
    group = Group.objects.create(name="readers")
    group.permissions.set(Permission.objects.filter(codename=VIEW))
    assert client.get(PROGRAMS).status_code == 403

    group.user_set.add(User.objects.get())

    assert client.get(PROGRAMS).status_code == 200
