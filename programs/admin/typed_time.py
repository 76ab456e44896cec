"""Dates, times and spans of JSON as fields of a form."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from programs.admin.typed_field import TypedField

ISO = "iso-8601"  # as REST framework names it
LOCAL = "%Y-%m-%dT%H:%M:%S"


class DayField(TypedField):
    """A date, by the browser's calendar where the serializer takes what that sends."""

    kind = "date"
    parse: ClassVar[Any] = staticmethod(parse_date)

    def drawn(self) -> Any:
        widget: Any = super().drawn()
        if takes_iso(self.source):
            widget.input_type = self.kind
        return widget

    def limits(self) -> list[str]:
        if takes_iso(self.source):
            return []
        return [
            gettext("Written as {forms}").format(
                forms=gettext(" or ").join(map(str, self.source.input_formats))
            )
        ]

    def shown(self, value: Any) -> Any:
        if not self._is_regular(value):
            self.widget.input_type = "text"  # shown as it is
        return value

    def _is_regular(self, value: str) -> bool:
        try:
            return self.parse(value) is not None
        except ValueError:
            return False


class ClockField(DayField):
    kind = "time"
    parse = staticmethod(parse_time)

    def drawn(self) -> Any:
        widget = super().drawn()
        widget.attrs["step"] = "any"
        return widget


class MomentField(DayField):
    """A moment, in the zone of whoever is at the console."""

    kind = "datetime-local"

    def drawn(self) -> Any:
        widget = super().drawn()
        widget.attrs["step"] = "any"
        return widget

    def limits(self) -> list[str]:
        zone = timezone.get_current_timezone_name()
        return (
            super().limits()
            if not takes_iso(self.source)
            else [gettext("In {zone}").format(zone=zone)]
        )

    def shown(self, value: Any) -> Any:
        local = local_form(value) if takes_iso(self.source) else None
        if local is None:
            self.widget.input_type = "text"
        return value if local is None else local

    def read(self, raw: Any) -> Any:
        try:
            moment = parse_datetime(raw)
        except ValueError:
            return raw
        if moment is None or moment.utcoffset() is not None or not takes_iso(self.source):
            return raw
        return timezone.make_aware(moment).isoformat()


class SpanField(TypedField):
    hint = _("Days and time, such as 00:30:00 or 2 12:00:00")

    def limits(self) -> list[str]:
        return []


def takes_iso(source: Any) -> bool:
    """Tell whether the field takes what browsers send; others have formats of their own."""
    formats = getattr(source, "input_formats", None) or [ISO]
    return any(str(each).lower() == ISO for each in formats)


def local_form(value: str) -> str | None:
    """Return a moment as browsers take it; None where that would not be the same moment."""
    try:
        moment = parse_datetime(value)
        if moment is None or moment.utcoffset() is None:
            return None
        local = timezone.make_naive(moment)
        is_same = not moment.microsecond and timezone.make_aware(local) == moment
    except (ValueError, OverflowError):
        return None
    return local.strftime(LOCAL).removesuffix(":00") if is_same and local.year > 999 else None
