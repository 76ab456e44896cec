"""One value of a JSON object as a field of a form, drawn as a serializer's field asks for.

These fields refuse next to nothing: the serializer does. What they cannot read they hand on as the
text that was typed, so that nothing typed is lost on the way to raw JSON and back.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Collection
from typing import Any

from django import forms
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from programs.admin.fields import JsonEditor
from programs.admin.text import Words, as_editable, legible

ABSENT: Any = object()  # the object has no such key
WHOLE = re.compile(r"[+-]?\d{1,4000}")


class TypedField(forms.Field):
    """A value that is typed as a text, of whatever kind the serializer makes of it."""

    widget: Any = forms.TextInput
    inputmode = ""
    hint: Words = ""  # how it is written, where that is not plain
    shows_null = True  # by an empty field
    is_fallback = False  # the value is none that the kind can show: it is drawn as JSON
    hides_default = False  # of a secret: the serializer fills it in, where nothing is typed

    def __init__(self, source: Any, name: str) -> None:
        """`source`: the field of the serializer."""
        self.source = source
        is_needed = bool(source.required) and not source.allow_null
        label = legible(source.label or name.replace("_", " ").capitalize())
        super().__init__(
            required=is_needed, label=format_html("<bdi>{}</bdi>", label), widget=self.drawn()
        )
        told = [legible(source.help_text).strip(), str(self.hint), *self.limits()]
        ended = (part if part[-1] in ".!?:" else f"{part}." for part in told if part)
        self.help_text = format_html("{}", " ".join(ended))  # Django's own pages do not escape it

    def drawn(self) -> forms.Widget:
        """Return the widget."""
        widget = self.widget(attrs={"autocomplete": "off"})
        if self.inputmode:
            widget.attrs["inputmode"] = self.inputmode
        return widget  # type: ignore[no-any-return]

    def limits(self) -> list[str]:
        """Return what the serializer's field allows, in words."""
        least = getattr(self.source, "min_value", None)
        most = getattr(self.source, "max_value", None)
        told = [_("at least {number}").format(number=least) if least is not None else ""]
        told.append(_("at most {number}").format(number=most) if most is not None else "")
        return [capfirst(", ".join(part for part in told if part))]

    def shows(self, value: Any) -> bool:
        """Tell whether the widget can show the value as it is."""
        return isinstance(value, str) and is_plain(value)

    def shown(self, value: Any) -> Any:
        """Return what the widget begins with."""
        return value

    def read(self, raw: Any) -> Any:
        """Return the value that was typed; what cannot be read stays a text."""
        return raw

    def value_of(self, raw: Any) -> Any:
        """Return the value that was typed, or what an empty field stands for."""
        if raw in (None, "", []):
            return ABSENT if self.hides_default else self.empty()
        return self.read(raw)

    def hide_default(self) -> None:
        """Let an empty field stand for the default, which is not shown."""
        self.hides_default = True
        self.help_text = format_html("{} {}", self.help_text, _("Empty: its default."))

    def empty(self) -> Any:
        """Return null or nothing where only that can be meant, else no key: the default's case."""
        if self.source.required or has_default(self.source):
            if getattr(self.source, "allow_blank", False):
                return ""
            if self.source.allow_null:
                return None
        return ABSENT

    def clean(self, value: Any) -> Any:
        return self.value_of(value)


class TextField(TypedField):
    """Text of one line or, where the serializer's style says so, of several."""

    def drawn(self) -> forms.Widget:
        style = getattr(self.source, "style", None) or {}
        widget = super().drawn()
        if style.get("input_type") == "password":
            widget = forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=True)
        elif style.get("base_template") == "textarea.html":
            widget = forms.Textarea(attrs={"rows": 5})
        if isinstance(most := getattr(self.source, "max_length", None), int):
            widget.attrs["maxlength"] = most
        return widget

    def shows(self, value: Any) -> bool:
        return isinstance(value, str) and is_plain(value, lines=True)

    def shown(self, value: Any) -> Any:
        if "\n" in value:  # a line would lose it
            self.widget = forms.Textarea(attrs={"rows": 5})
        return value

    def read(self, raw: Any) -> Any:
        return raw.replace("\r\n", "\n")


class EmailField(TextField):
    inputmode = "email"


class UrlField(TextField):
    inputmode = "url"


class IntegerField(TypedField):
    """A whole number. A text, so that no browser throws away what is none."""

    inputmode = "numeric"

    def shows(self, value: Any) -> bool:
        return type(value) is int or super().shows(value)

    def read(self, raw: Any) -> Any:
        return int(raw) if WHOLE.fullmatch(raw.strip()) else raw


class FloatField(TypedField):
    inputmode = "decimal"

    def shows(self, value: Any) -> bool:
        return type(value) in (int, float) or super().shows(value)

    def read(self, raw: Any) -> Any:
        try:
            number = float(raw)
        except ValueError:
            return raw
        if WHOLE.fullmatch(raw.strip()):
            return int(raw)
        return number if math.isfinite(number) else raw


class DecimalField(TypedField):
    """A number that keeps its digits: as text."""

    inputmode = "decimal"

    def shows(self, value: Any) -> bool:
        return type(value) in (int, float) or super().shows(value)


class JsonField(TypedField):
    """Any value, as JSON: lists, objects, and what no other kind of field can show."""

    def drawn(self) -> forms.Widget:
        widget = JsonEditor()
        widget.attrs |= {"rows": 4, "data-json": "any"}
        return widget

    def limits(self) -> list[str]:
        return [_("As JSON")]

    def shows(self, value: Any) -> bool:
        return True

    def shown(self, value: Any) -> Any:
        if isinstance(value, str) and value[:1] in ("[", "{") and is_plain(value, lines=True):
            return value if unreadable(value) else as_editable(value)  # JSON that is not yet one
        return as_editable(value)

    def read(self, raw: Any) -> Any:
        text = raw.replace("\r\n", "\n")
        return text if unreadable(text) else json.loads(text)

    def value_of(self, raw: Any) -> Any:
        return super().value_of((raw or "").strip())

    def clean(self, value: Any) -> Any:
        if (value or "").strip() and (problem := unreadable(value)):
            raise forms.ValidationError(problem)
        return self.value_of(value)


def default_of(source: Any) -> Any:
    """Return the default of a serializer's field as JSON."""
    if not has_default(source):
        return ABSENT
    default = source.default() if callable(source.default) else source.default
    shown = default if default is None else source.to_representation(default)
    return json.loads(json.dumps(shown, cls=DjangoJSONEncoder))


def has_default(source: Any) -> bool:
    """Tell whether the field has a default; REST framework marks none by a class `empty`."""
    default = source.default
    return not (inspect.isclass(default) and default.__name__ == "empty")


def is_plain(text: str, *, lines: bool = False) -> bool:
    """Tell whether a text can stand in a field as it is, and come back from it the same."""
    breaks: Collection[str] = "\r" if lines else "\r\n"
    return legible(text) == text and not any(each in text for each in breaks)


def unreadable(text: str) -> str:
    """Return why a text is no JSON; empty where it is."""
    try:
        json.loads(text)
    except RecursionError:
        return "Is nested too deeply."
    except ValueError as error:
        return f"Is no JSON: {error}."
    return ""
