"""A JSON object as a form, made from the serializers that check it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.text import capfirst

from programs.admin.text import as_editable, legible, names_of
from programs.admin.typed_choice import (
    CHOICES_AT_MOST,
    ChoiceField,
    ChoicesField,
    SwitchField,
    keys_of,
)
from programs.admin.typed_field import (
    ABSENT,
    DecimalField,
    EmailField,
    FloatField,
    IntegerField,
    JsonField,
    TextField,
    TypedField,
    UrlField,
    default_of,
)
from programs.admin.typed_time import ClockField, DayField, MomentField, SpanField
from programs.conf import settings
from programs.data import JsonObject
from programs.redaction import is_secret

FIELDS_AT_MOST = 200  # of one form: a request may hold a thousand in all
REST = ".rest"  # what the serializers do not know; no field of theirs has such a name
AS_JSON = ".json"  # behind the name of a field whose value its kind cannot show


# By the names of REST framework's classes: it need not be installed for this to be imported.
KINDS: dict[str, type[TypedField]] = {
    "CharField": TextField,
    "EmailField": EmailField,
    "URLField": UrlField,
    "UUIDField": TextField,
    "IPAddressField": TextField,
    "IntegerField": IntegerField,
    "FloatField": FloatField,
    "DecimalField": DecimalField,
    "BooleanField": SwitchField,
    "DateField": DayField,
    "TimeField": ClockField,
    "DateTimeField": MomentField,
    "DurationField": SpanField,
    "MultipleChoiceField": ChoicesField,
    "FilePathField": ChoiceField,
    "ChoiceField": ChoiceField,
}


class NotDrawable(Exception):
    """The serializers do not tell what they take."""


class TypedForm(forms.Form):
    """The keys of a JSON object that serializers know; the others go through as they are.

    Nothing but JSON is checked here. What is typed is read by `value`, also from a form that is
    wrong, and the serializers' errors are put beside their fields by `refuse`.
    """

    required_css_class = "required"

    def __init__(
        self,
        classes: Sequence[type[Any]],
        value: JsonObject | None = None,
        data: Any = None,
        *,
        prefix: str,
    ) -> None:
        """Raise `NotDrawable`. `value`: the object to begin with; `data`: what was sent."""
        super().__init__(data, prefix=prefix, use_required_attribute=False)
        sources = _sources(classes)
        given = dict(value or {})
        for name, source in sources.items():
            field = _drawn(source, name, given.pop(name, ABSENT), self._was_json(name))
            self.fields[name] = field
        rest = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
        rest.initial = as_editable(given) if given else ""
        self.fields[REST] = rest

    def add_prefix(self, field_name: str) -> str:
        field = self.fields.get(field_name)
        mark = AS_JSON if isinstance(field, TypedField) and field.is_fallback else ""
        return f"{super().add_prefix(field_name)}{mark}"

    def _was_json(self, name: str) -> bool:
        return self.is_bound and f"{self.prefix}-{name}{AS_JSON}" in self.data

    @property
    def value(self) -> JsonObject:
        """Return the object as it was typed; what cannot be read stays a text in it."""
        value = dict(self._rest)
        for name, field in self.fields.items():
            if isinstance(field, TypedField):
                raw = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
                if (typed := field.value_of(raw)) is not ABSENT:
                    value[name] = typed
        return value

    @property
    def kept(self) -> str:
        """Return the names of the keys that no serializer knows, in words."""
        return names_of(list(self._rest))

    @property
    def _rest(self) -> JsonObject:
        text = self[REST].value() or "{}"
        try:
            rest = json.loads(text)
        except (ValueError, RecursionError):
            rest = None
        return rest if isinstance(rest, dict) else {}

    def refuse(self, path: str, reason: str) -> None:
        """Put an error beside its field. `path`: inside of the object, such as `days[2]`."""
        names = [name for name in self.fields if _is_inside(path, name)]
        name = max(names, key=len, default=None)
        if not hasattr(self, "cleaned_data"):
            self.cleaned_data: dict[str, Any] = {}  # of a form that is begun anew
        told = (
            reason if name is None or path == name else f"{path[len(name) :].lstrip('.')}: {reason}"
        )
        if name is None and path:
            told = f"{path}: {reason}"
        self.add_error(name, capfirst(legible(told)))


def _is_inside(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))


def _sources(classes: Sequence[type[Any]]) -> Mapping[str, Any]:
    """Return the fields of the serializers that take something in, by their names."""
    found: dict[str, Any] = {}
    for each in classes:
        try:
            for name, source in each().fields.items():
                is_hidden = any(kind.__name__ == "HiddenField" for kind in type(source).__mro__)
                if not (source.read_only or is_hidden):
                    found.setdefault(str(name), source)
        except Exception as error:
            told = f"{each.__qualname__} raised {type(error).__name__}: {error}"
            raise NotDrawable(told) from error
    if len(found) > FIELDS_AT_MOST:
        raise NotDrawable(f"it has {len(found)} fields; at most {FIELDS_AT_MOST} are drawn")
    return found


def _drawn(source: Any, name: str, value: Any, was_json: bool) -> TypedField:
    """Return the field, as JSON where its serializer's field is stranger than expected."""
    try:
        default = default_of(source)
    except Exception:  # noqa: BLE001 (it may need a request, which creation has not either)
        default = ABSENT
    # Not even to who may see secrets: for others, no stored one is there that a mask could mean.
    is_discreet = is_secret(name, settings.SECRET_KEYS) and _tells(default)
    is_hidden = is_discreet and value is ABSENT
    initial = default if value is ABSENT and not is_hidden else value
    try:
        field = field_for(source, name, initial, as_json=was_json)
        is_empty = value is None or value in ("", [])  # which an empty field need not mean
        if is_empty and (is_discreet or field.empty() != value):
            field = field_for(source, name, value, as_json=True)
        if is_hidden:
            field.hide_default()
        return field
    except Exception as error:
        raise NotDrawable(f"its field {name} raised {type(error).__name__}: {error}") from error


def _tells(default: Any) -> bool:
    return default is not ABSENT and default is not None and not isinstance(default, bool)


def field_for(source: Any, name: str, value: Any, *, as_json: bool = False) -> TypedField:
    """Return the field that shows `value` as the serializer's field wants it.

    `as_json`: it was drawn so. What a serializer's field cannot be asked for is drawn so, too.
    """
    kinds = (KINDS.get(each.__name__) for each in type(source).__mro__)
    kind = next((each for each in kinds if each is not None), JsonField)
    if kind is ChoicesField and len(keys_of(source)) > CHOICES_AT_MOST:
        kind = JsonField
    field = kind(source, name)
    is_shown = field.shows_null if value is None else value is ABSENT or field.shows(value)
    if as_json or not is_shown:
        field = JsonField(source, name)
        field.is_fallback = True
    if value is not ABSENT and (value is not None or isinstance(field, JsonField)):
        field.initial = field.shown(value)
    return field
