"""The fields of the console's forms that Django has none for."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django import forms
from django.forms.widgets import Script
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

START_TIME = _("Not before this moment ({zone}). Empty: at once.")


class JsonEditor(forms.Textarea):
    """A text area whose JSON is checked while one types, once there is JavaScript."""

    class Media:
        css = {"all": ["programs/editor.css"]}
        js = [Script("programs/editor.js", defer=True)]

    def __init__(self) -> None:
        attrs = {"rows": 8, "spellcheck": "false", "class": "programs-code", "data-json": "object"}
        super().__init__({**attrs, "data-say-format": _("Format")})


class ObjectField(forms.CharField):
    """A JSON object, typed as text. The text is kept as it was typed; the value is the object."""

    widget = JsonEditor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, strip=False, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.strip():
            return {}
        try:
            return json.loads(text)
        except RecursionError as error:
            raise forms.ValidationError("Is nested too deeply.") from error
        except ValueError as error:
            raise forms.ValidationError(f"Is no JSON: {error}.") from error


class StartTimeField(forms.DateTimeField):
    """When a program is to begin, on the clocks of the reader; empty: at once."""

    def __init__(self) -> None:
        attrs = {"type": "datetime-local"}
        widget = forms.DateTimeInput(attrs=attrs, format="%Y-%m-%dT%H:%M")
        super().__init__(required=False, widget=widget, label=_("Run at"))

    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        is_naive = moment is not None and timezone.is_naive(moment)  # where USE_TZ is off
        return timezone.make_aware(moment) if is_naive else moment


class JobNamesField(forms.CharField):
    """Names of jobs in their order: one a line, or by commas. Names that are known hold some."""

    widget = forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "programs-code"})
    known: Collection[str] = ()

    def clean(self, value: Any) -> Any:
        lines = super().clean(value).splitlines()
        names = [name.strip() for line in lines for name in self._names_in(line)]
        return [name for name in names if name]

    def _names_in(self, line: str) -> list[str]:
        return [line] if line.strip() in self.known else line.split(",")
