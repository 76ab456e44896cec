"""Forms that serializers draw: each kind of value, and what of it a browser would send back."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from rest_framework import serializers

from programs.admin.typed_form import NotDrawable, TypedForm
from tests.browsing import fields_of
from tests.typed import DAY, DayData, Item, serializer_of

HOSTILE = "<script>alert(1)</script>'\"\u202e"


def drawn(data_class: type[Any], value: dict[str, Any] | None = None) -> TypedForm:
    return TypedForm([data_class], value, prefix="x")


def sent_back(data_class: type[Any], form: TypedForm, **typed: Any) -> TypedForm:
    """Return the form as a browser sends it, with what was typed into it."""
    fields = fields_of(str(form)) | {f"x-{name}": [text] for name, text in typed.items()}
    sent: Any = QueryDict(mutable=True)
    sent.update(MultiValueDict(fields))
    return TypedForm([data_class], None, sent, prefix="x")


def of(field: Any) -> type[Any]:
    return serializer_of(value=field)


# Each kind --------------------------------------------------------------------------------------


TYPED: list[tuple[Any, str, Any]] = [
    (serializers.CharField(), " a b ", " a b "),
    (serializers.CharField(style={"base_template": "textarea.html"}), "a\r\nb", "a\nb"),
    (serializers.IntegerField(), " 12 ", 12),
    (serializers.IntegerField(), "1e3", "1e3"),
    (serializers.FloatField(), "1.5", 1.5),
    (serializers.FloatField(), "2", 2),
    (serializers.FloatField(), "nan", "nan"),
    (serializers.FloatField(), "1,5", "1,5"),
    (serializers.DecimalField(5, 2), "1.50", "1.50"),
    (serializers.DateField(), "2026-11-24", "2026-11-24"),
    (serializers.TimeField(), "07:30", "07:30"),
    (serializers.DurationField(), "2 00:00:00", "2 00:00:00"),
    (serializers.DateTimeField(), "2026-11-24T10:00", "2026-11-24T10:00:00+01:00"),
    (serializers.DateTimeField(), "2026-11-24T10:00Z", "2026-11-24T10:00Z"),
    (serializers.DateTimeField(), "tomorrow", "tomorrow"),
    (serializers.UUIDField(), "x", "x"),
    (serializers.EmailField(), "ada@example.com", "ada@example.com"),
    (serializers.URLField(), "https://example.com/", "https://example.com/"),
    (serializers.ChoiceField([(1, "one"), ("b", "two")]), "1", 1),
    (serializers.ChoiceField([(1, "one")]), "other", "other"),
    (serializers.ChoiceField(range(10_000)), "9999", 9999),
    (serializers.BooleanField(required=False), "true", True),
    (serializers.BooleanField(required=False), "false", False),
    (serializers.JSONField(), '{"a": [1, null]}', {"a": [1, None]}),
    (serializers.JSONField(), "[1,", "[1,"),
    (serializers.ListField(), "[1, 2]", [1, 2]),
    (serializers.DictField(), "{}", {}),
    (Item(), '{"name": "a"}', {"name": "a"}),
]


@pytest.mark.parametrize(("field", "typed", "value"), TYPED, ids=lambda each: type(each).__name__)
def test_what_is_typed_becomes_a_value(field: Any, typed: str, value: Any) -> None:
    with timezone.override("Europe/Berlin"):
        sent = sent_back(of(field), drawn(of(field)), value=typed)

        assert sent.value == {"value": value}


EMPTY: list[tuple[Any, dict[str, Any]]] = [
    (serializers.CharField(), {}),
    (serializers.CharField(allow_blank=True), {"value": ""}),
    (serializers.CharField(required=False, allow_blank=True), {}),
    (serializers.CharField(default="x", allow_blank=True), {"value": ""}),
    (serializers.IntegerField(allow_null=True), {"value": None}),
    (serializers.IntegerField(allow_null=True, required=False), {}),
    (serializers.IntegerField(allow_null=True, default=3), {"value": None}),
    (serializers.IntegerField(default=3), {}),
    (serializers.BooleanField(required=False), {}),
    (serializers.BooleanField(allow_null=True), {"value": None}),
    (serializers.ListField(required=False), {}),
    (serializers.ChoiceField(["a"], required=False), {}),
]


@pytest.mark.parametrize(("field", "value"), EMPTY, ids=lambda each: type(each).__name__)
def test_an_empty_field_is_no_key_unless_it_must_be_one(field: Any, value: Any) -> None:
    assert sent_back(of(field), drawn(of(field)), value="").value == value


def test_a_box_is_yes_or_no() -> None:
    ticked = drawn(of(serializers.BooleanField(default=True)))
    open_ = drawn(of(serializers.BooleanField()))

    assert sent_back(of(serializers.BooleanField(default=True)), ticked).value == {"value": True}
    assert sent_back(of(serializers.BooleanField()), open_).value == {"value": False}


def test_several_choices_are_ticked() -> None:
    for number in (3, 40):
        data_class = of(serializers.MultipleChoiceField(choices=range(number)))
        form = drawn(data_class, {"value": [0, 2]})

        assert sent_back(data_class, form).value == {"value": [0, 2]}


def test_a_form_begins_with_defaults() -> None:
    form = drawn(DayData)

    assert sent_back(DayData, form).value == {"limit": 100, "is_dry": False}


# Nothing is lost --------------------------------------------------------------------------------

VALUES: list[Any] = [
    "",
    "text",
    "two\nlines",
    "return\rand\r\nmore",
    "\u202eturned\x00",
    " spaces ",
    "***",
    '"quoted"',
    "5",
    "[1, 2]",
    "[1,",
    "null",
    5,
    -1.5,
    1e300,
    10**40,
    True,
    False,
    None,
    [],
    ["a", None],
    {},
    {"a": {"b": "\u202e"}},
    "2026-11-24",
    "2026-13-45",
    "2026-11-24T10:00:00.123456Z",
    "2026-11-24T10:00:00Z",
    "07:30:00.5",
    "a",
    ["a", "b"],
    ["b", 1],
]
FIELDS: list[Any] = [
    serializers.CharField(),
    serializers.CharField(allow_blank=True, allow_null=True, default="x"),
    serializers.CharField(style={"input_type": "password"}),
    serializers.IntegerField(),
    serializers.FloatField(),
    serializers.DecimalField(5, 2),
    serializers.BooleanField(),
    serializers.BooleanField(allow_null=True),
    serializers.DateField(),
    serializers.DateField(input_formats=["%d.%m.%Y"]),
    serializers.TimeField(),
    serializers.DurationField(),
    serializers.ChoiceField(["a", 1, "5"]),
    serializers.ChoiceField(range(1000)),
    serializers.MultipleChoiceField(choices=["a", "b"]),
    serializers.MultipleChoiceField(choices=[f"{number}" for number in range(1000)]),
    serializers.UUIDField(),
    serializers.JSONField(),
    serializers.ListField(),
    Item(),
]
NOTHING: Any = ("", None, [])  # which an empty field stands for, or leaves out


@pytest.mark.parametrize("field", FIELDS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was_drawn(field: Any, value: Any) -> None:
    data_class = of(field)
    form = drawn(data_class, {"value": value})

    found = sent_back(data_class, form).value

    if value in NOTHING and type(value) is not bool:
        assert found.get("value") in NOTHING
    else:
        assert found.get("value") == value or str(found["value"]) == str(value)


MOMENTS = [
    "2026-11-24T10:00:00Z",
    "2026-11-24T10:00:00.123456+00:00",
    "2026-10-25T00:30:00Z",  # half past two, in summer
    "2026-10-25T01:30:00Z",  # half past two, in winter
    "2026-11-24T10:00:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "yesterday",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_comes_back_as_the_same_moment(moment: str) -> None:
    data_class = of(serializers.DateTimeField())
    with timezone.override("Europe/Berlin"):
        found = sent_back(data_class, drawn(data_class, {"value": moment})).value["value"]

        assert found == moment or parsed(found) == parsed(moment)


def parsed(text: str) -> Any:
    return serializers.DateTimeField().to_internal_value(text)


def test_what_the_serializer_does_not_know_goes_through() -> None:
    more = {"page": 3, "cursor": {"\u202e": None}, "fields": [1]}
    form = drawn(DayData, {**DAY, **more})

    assert form.kept == "page, cursor, fields"
    assert sent_back(DayData, form).value == {**DAY, **more, "limit": 100, "is_dry": False}


def test_what_is_sent_in_the_place_of_the_rest_is_harmless() -> None:
    for rest in ("[1]", "{no json", "[" * 100_000, "1" * 5000):
        form = TypedForm([DayData], None, QueryDict(mutable=True) | {"x-.rest": rest}, prefix="x")

        assert form.value == {"is_dry": False}


def test_json_that_is_none_is_told_beside_it() -> None:
    data_class = of(serializers.ListField())

    form = sent_back(data_class, drawn(data_class), value="[1,")

    assert not form.is_valid()
    assert str(form.errors["value"][0]).startswith("Is no JSON: ")


# What is told -----------------------------------------------------------------------------------


def test_labels_help_and_limits_are_told() -> None:
    number = serializers.IntegerField(label="How many", help_text="Of all.", min_value=1)
    html = str(drawn(serializer_of(number=number, day=serializers.DateField(required=False))))

    assert '<label for="id_x-number" class="required"><bdi>How many</bdi>:</label>' in html
    assert "Of all. At least 1." in html
    assert 'type="date"' in html
    assert '<label for="id_x-day"><bdi>Day</bdi>:</label>' in html


def test_an_error_is_put_beside_its_field() -> None:
    form = drawn(DayData)

    for path in ("day", "items[1].name", "elsewhere", "", "daylight.x"):
        form.refuse(path, "is wrong.")

    assert form.errors == {
        "day": ["Is wrong."],
        "items": ["[1].name: is wrong."],
        "__all__": ["Elsewhere: is wrong.", "Is wrong.", "Daylight.x: is wrong."],
    }


def test_what_serializers_say_is_escaped() -> None:
    choices = [("<script>", HOSTILE), ("b", HOSTILE)]
    field = serializers.ChoiceField(choices, label=HOSTILE, help_text=HOSTILE)
    form = drawn(of(field), {"value": "b", HOSTILE: HOSTILE})
    form.refuse("value", HOSTILE)

    html = str(form)

    assert "<script>" not in html
    assert "\u202e" not in html


# Serializers that are strange -------------------------------------------------------------------


def broken(self: Any, *args: Any, **options: Any) -> None:
    raise ValueError(HOSTILE)


@pytest.mark.parametrize("method", ["__init__", "get_fields"])
def test_a_serializer_that_raises_is_not_drawn(method: str) -> None:
    with pytest.raises(NotDrawable, match="MadeData raised ValueError"):
        drawn(serializer_of(**{method: broken}))


def test_a_default_that_raises_is_none() -> None:
    def default() -> Any:
        raise ValueError

    data_class = of(serializers.IntegerField(default=default))

    assert sent_back(data_class, drawn(data_class)).value == {}


def test_a_form_of_too_many_fields_is_not_drawn() -> None:
    many = {f"f{number}": serializers.CharField() for number in range(201)}

    with pytest.raises(NotDrawable, match="it has 201 fields; at most 200 are drawn"):
        drawn(serializer_of(**many))


def test_ten_thousand_choices_make_no_list() -> None:
    choice = serializers.ChoiceField(range(10_000))
    several = serializers.MultipleChoiceField(choices=range(10_000))

    html = str(drawn(serializer_of(one=choice, several=several)))

    assert "One of 10000 choices." in html
    assert len(html) < 5_000


def test_fields_that_only_go_out_or_are_hidden_are_not_drawn() -> None:
    data_class = serializer_of(
        shown=serializers.CharField(read_only=True),
        hidden=serializers.HiddenField(default=1),
        typed=serializers.CharField(),
    )

    assert list(drawn(data_class).fields) == ["typed", ".rest"]


def test_groups_of_choices_are_groups() -> None:
    field = serializers.ChoiceField([("Fruit", [("a", "Apple")]), ("z", "Zinc")])

    html = str(drawn(of(field)))

    assert '<optgroup label="Fruit">' in html
    assert '<option value="a">Apple</option>' in html
