"""Values of which there are some to choose from, as fields of a form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from programs.admin.text import legible
from programs.admin.typed_field import ABSENT, TypedField, has_default, is_plain

CHOICES_AT_MOST = 500  # of a list; where there are more, the choice is typed
BOXES_AT_MOST = 30  # choices of which several may be ticked


class SwitchField(TypedField):
    """Yes or no; where neither may be meant as well, a list of all."""

    def drawn(self) -> forms.Widget:
        if self._is_certain:
            return forms.CheckboxInput()
        return forms.Select(choices=[("", "---------"), ("true", _("Yes")), ("false", _("No"))])

    @property
    def shows_null(self) -> bool:  # type: ignore[override]
        return not self._is_certain

    @property
    def _is_certain(self) -> bool:
        is_given = self.source.required or has_default(self.source)
        return bool(is_given) and not self.source.allow_null

    def shows(self, value: Any) -> bool:
        return isinstance(value, bool)

    def shown(self, value: Any) -> Any:
        return value if self._is_certain else str(value).lower()

    def read(self, raw: Any) -> Any:
        return {"true": True, "false": False}.get(str(raw).lower(), raw)

    def value_of(self, raw: Any) -> Any:
        return self.read(raw) if self._is_certain else super().value_of(raw)


class ChoiceField(TypedField):
    """One of some values. Many of them make no list: the value is typed then."""

    def drawn(self) -> forms.Widget:
        self.keys = keys_of(self.source)
        if len(self.keys) > CHOICES_AT_MOST:
            return super().drawn()
        is_needed = self.source.required and not self.source.allow_null
        blank = [("", _("Choose…") if is_needed else "---------")]
        return forms.Select(choices=[*blank, *labelled(self.source.grouped_choices)])

    def limits(self) -> list[str]:
        many = len(self.keys)
        return [_("One of {number} choices").format(number=many)] if many > CHOICES_AT_MOST else []

    def shows(self, value: Any) -> bool:
        is_text = not isinstance(value, (dict, list, bool)) and value is not None
        return is_text and is_plain(str(value)) and self._is_offered(value)

    def _is_offered(self, value: Any) -> bool:
        return str(value) in self.keys or len(self.keys) > CHOICES_AT_MOST

    def shown(self, value: Any) -> Any:
        return str(value)

    def read(self, raw: Any) -> Any:
        return self.keys.get(raw, raw)


class ChoicesField(TypedField):
    """Several of some values."""

    def drawn(self) -> forms.Widget:
        self.keys = keys_of(self.source)
        choices = labelled(self.source.grouped_choices)
        if len(self.keys) > BOXES_AT_MOST:
            return forms.SelectMultiple(choices=choices)
        return forms.CheckboxSelectMultiple(choices=choices)

    def shows(self, value: Any) -> bool:
        return isinstance(value, list) and all(str(each) in self.keys for each in value)

    def shown(self, value: Any) -> Any:
        return [str(each) for each in value]

    def read(self, raw: Any) -> Any:
        return [self.keys.get(each, each) for each in raw]

    def empty(self) -> Any:
        return [] if self.source.required or has_default(self.source) else ABSENT


def keys_of(source: Any) -> dict[str, Any]:
    """Return what the choices of a field stand for, by their texts."""
    keys = (key for key in source.choices if key not in (None, ""))
    return {str(key): key if isinstance(key, (str, int, float)) else str(key) for key in keys}


def labelled(choices: Any) -> list[Any]:
    """Return the choices of a list, and groups of them, legible."""
    return [
        (legible(key), labelled(label)) if isinstance(label, dict) else (key, legible(label))
        for key, label in choices.items()
        if key not in (None, "")
    ]
