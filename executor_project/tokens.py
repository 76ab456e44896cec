"""Tokens of the API: how they are checked, and the page on which they are made and revoked.

django-rest-knox keeps only a hash of each, can hold several for a user, and is maintained (it is
tested with Django 5.2 and 6.0); REST framework's own tokens stand in the database as they are.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.db import router
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from knox.admin import AuthTokenAdmin
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken, get_digest_token
from knox.settings import CONSTANTS
from rest_framework.exceptions import AuthenticationFailed

from programs.models.clock import Utc

LIFE = timedelta(days=90)
LONGEST = timedelta(days=366)
FORM = re.compile(rb"[0-9A-Za-z]{16,128}")


class Authentication(TokenAuthentication):  # type: ignore[misc]
    """A token in the header `Authorization: Token …`."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, str]:
        """Find the user by the whole hash: an index holds it, and one statement is enough.

        The package's own looks for all tokens of the user's, at each request.
        """
        if not FORM.fullmatch(token):  # a database might fail at it
            raise AuthenticationFailed("Invalid token.")
        digest = hash_token(token.decode())
        alias = router.db_for_read(AuthToken)
        user = next(iter(User.objects.using(alias).raw(statement(alias), [digest])), None)
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        if not user.is_active:
            raise AuthenticationFailed("User inactive or deleted.")
        return user, digest


@cache
def statement(alias: str) -> str:
    """Return what Django makes of the question: to make it takes longer than to answer it."""
    lives = Q(auth_token_set__expiry=None) | Q(auth_token_set__expiry__gt=Utc())
    owners = User.objects.using(alias).filter(lives, auth_token_set__digest="")
    sql, given = owners.query.get_compiler(alias).as_sql()
    assert given == ("",)  # in its place: the digest
    return str(sql)


class AuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the schema says of it."""

    target_class = "executor_project.tokens.Authentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        scheme: dict[str, Any] = build_bearer_security_scheme_object(
            header_name="Authorization",
            token_prefix="Token",  # noqa: S106 (a word of the header)
        )
        return scheme


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # (no subscript at run time)
    """Whose token it shall be, and for how long. What it is, is told once, when it is made."""

    class Meta:
        model = AuthToken
        fields = ["user", "expiry"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.token = ""
        self.fields["expiry"].required = True
        self.fields["expiry"].help_text = f"At most {LONGEST.days} days from now."
        self.fields["expiry"].initial = lambda: timezone.now() + LIFE

    def clean_expiry(self) -> Any:
        expiry = self.cleaned_data["expiry"]
        if not timezone.now() < expiry <= timezone.now() + LONGEST:
            raise forms.ValidationError(
                f"Must be later than now, and within {LONGEST.days} days from now."
            )
        return expiry

    def save(self, commit: bool = True) -> Any:
        made = super().save(commit=False)
        made.digest, self.token = get_digest_token()
        made.token_key = self.token[: CONSTANTS.TOKEN_KEY_LENGTH]
        return made


class TokenAdmin(AuthTokenAdmin):  # type: ignore[misc]
    """Tokens: made, and deleted to revoke them. Who is no superuser sees and makes their own.

    A token does what its user may: whoever could make one for another would be that other.
    """

    add_form = TokenForm
    list_display = ["token_key", "user", "created", "expiry"]
    search_fields = ["token_key"]
    raw_id_fields = ()

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(user=request.user)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if not isinstance(request.user, AnonymousUser):
            users = User.objects.filter(is_active=True)
            mine = users if request.user.is_superuser else users.filter(pk=request.user.pk)
            kwargs |= {"queryset": mine, "initial": request.user.pk}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.save()
        # Not the token first: the page would begin it with a capital.
        told = f"Copy the token now, it is not shown again: {form.token}"
        self.message_user(request, told, messages.WARNING)

    def response_add(self, request: HttpRequest, obj: Any, *_: Any) -> HttpResponse:
        """Go back to the list, without the message that would tell the hash."""
        back: HttpResponse = self.response_post_save_add(request, obj)
        return back


def register() -> None:
    """Put our page in the place of the package's."""
    admin.site.unregister(AuthToken)
    admin.site.register(AuthToken, TokenAdmin)
