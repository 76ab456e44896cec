"""Webhooks: the stock pages of the admin, with a form that checks, and a secret shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs.admin.readonly import ModelAdmin
from programs.admin.text import NOTHING, legible, moment
from programs.admin.words import said
from programs.conf import settings
from programs.errors import InvalidUrl
from programs.models import Webhook
from programs.models.webhook import EVENTS, new_secret
from programs.webhooks import signature
from programs.webhooks.address import Target
from programs.webhooks.ends import JOB

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Webhook]
else:
    ModelForm = forms.ModelForm  # it takes no parameter when it runs


class WebhookForm(ModelForm):
    """A webhook as an operator gives it."""

    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=lambda: [(event, capfirst(said(event))) for event in EVENTS],
        initial=EVENTS,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It is called for each program that ends so."),
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_(
            "Signs the calls: whsec_ and 24 to 64 bytes in base64. Leave it empty, and one "
            "is made and shown once, or, of a webhook that has one, kept."
        ),
    )
    new_secret = forms.BooleanField(
        required=False,
        label=_("Make a new secret"),
        help_text=_("The old one is not used any more from then on."),
    )

    class Meta:
        model = Webhook
        fields = ("url", "events", "is_active", "secret")
        widgets = {"url": forms.TextInput(attrs={"class": "vLargeTextField", "inputmode": "url"})}

    is_secret_made = False  # by this form: then it is shown

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            Target.parse(url)
        except InvalidUrl as error:
            raise forms.ValidationError(f"The URL {error}.") from error
        return url

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        typed = given.get("secret", "")
        if typed and given.get("new_secret"):
            self.add_error("new_secret", "Type a secret, or let one be made: not both.")
        elif typed:
            try:
                signature.key_of(typed)
            except ValueError as error:
                self.add_error("secret", f"The secret {error}.")
        elif self.instance.pk is None or given.get("new_secret"):
            given["secret"] = new_secret()
            self.is_secret_made = True
        else:
            given["secret"] = self.instance.secret
        return given


class WebhookAdmin(ModelAdmin):
    """The webhooks. Their deliveries are programs, each with its page in the console."""

    form = WebhookForm
    list_display = ["named", "told", "is_active", "created"]
    list_filter = ["is_active"]
    readonly_fields = ["created", "deliveries"]
    show_full_result_count = False

    class Media:
        css = {"all": ["programs/console.css"]}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what the page shows. To those who may only look, it shows no secret."""
        fields = ["url", "events", "is_active"]
        if obj is None:
            return [*fields, "secret"]
        if self.has_change_permission(request, obj):
            fields += ["secret", "new_secret"]
        return [*fields, "created", "deliveries"]

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Refuse to filter the list by the secret: letter by letter, that would tell it."""
        return not lookup.startswith("secret") and super().lookup_allowed(lookup, value, request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it; one that is switched on is told of what ends from now on."""
        obj.save(using=obj._state.db or settings.DATABASE)
        if change and obj.is_active and "is_active" in form.changed_data:
            Webhook.objects.filter(pk=obj.pk).start()
        if form.is_secret_made:
            request.made_secret = obj.secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._secret_page(request, obj) or super().response_add(
            request, obj, post_url_continue
        )

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._secret_page(request, obj) or super().response_change(request, obj)

    def _secret_page(self, request: HttpRequest, webhook: Webhook) -> HttpResponse | None:
        """Show a secret that was just made. A message would be kept, in a cookie or a session."""
        secret = getattr(request, "made_secret", None)
        if secret is None:
            return None
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The secret of the webhook"),
            "opts": self.opts,
            "media": self.media,
            "name": legible(webhook),
            "secret": secret,
            "back": reverse("admin:programs_webhook_changelist", current_app=self.admin_site.name),
        }
        return TemplateResponse(request, "admin/programs/webhook/secret.html", context)

    @admin.display(description=_("webhook"), ordering="pk")
    def named(self, webhook: Webhook) -> str:
        return legible(webhook)

    @admin.display(description=_("called for"))
    def told(self, webhook: Webhook) -> str:
        return ", ".join(map(said, filter(webhook.tells, EVENTS))) or NOTHING

    @admin.display(description=_("created"), ordering="created_at")
    def created(self, webhook: Webhook) -> str:
        return moment(webhook.created_at)

    @admin.display(description=_("deliveries"))
    def deliveries(self, webhook: Webhook) -> SafeString:
        """Return the way to its deliveries: who created them says which webhook they are of."""
        url = reverse("admin:programs_program_changelist", current_app=self.admin_site.name)
        query = urlencode({"job": JOB, "q": f"webhook {webhook.pk} ("})
        told = gettext("The programs that call it")
        return format_html('<a href="{}?{}">{}</a>', url, query, told)
