"""Typed data: what a job says that its data must be, held against what it is given.

A job says it by a serializer of Django REST framework, which is used here by its methods alone:
where no job has one, REST framework need not be installed.
"""

from __future__ import annotations

import copy
import json
import logging
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from programs import data as json_data
from programs import registry
from programs.conf import settings
from programs.data import JsonObject
from programs.errors import InvalidData, InvalidProgram
from programs.models import Program
from programs.models.deadlines import own_code
from programs.redaction import MASK, is_secret

MOST_ERRORS = 100  # that are told: a list of 10,000 items may have 10,000
MESSAGE_LENGTH = 500  # characters; a message may repeat what was given
TELLING = 4  # characters from which on a secret is looked for in all messages

ABSENT = object()  # stands where nothing was given

logger = logging.getLogger(__name__)


class Encoder(DjangoJSONEncoder):
    """What serializers show, as JSON: dates, numbers, UUIDs, and the sets of several choices."""

    def default(self, o: Any) -> Any:
        return sorted(o, key=str) if isinstance(o, (set, frozenset)) else super().default(o)


class FieldError(NamedTuple):
    """What is wrong with one value, by its keys and indexes; of an empty path: with all of it."""

    path: tuple[str | int, ...]
    message: str

    @property
    def field(self) -> str:
        """Return the path as errors name fields: `job_data.import_orders.days[2]`."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return "".join(steps).removeprefix(".")


def errors_of(serializer_class: type[Any], value: Any) -> list[FieldError]:
    """Return what of `value` does not fit, by the serializer's word. A secret is in no message."""
    return _fitted(serializer_class, value)[1]


def checked(serializer_class: type[Any], value: JsonObject, field: str) -> JsonObject:
    """Return `value` as it is to be stored: with defaults filled in, and dates as ISO text.

    Keys that the serializer does not know stay. Raises `InvalidProgram` with the errors inside of
    `field`.
    """
    fitted, errors = _fitted(serializer_class, value)
    _refuse([FieldError((field, *error.path), error.message) for error in errors])
    return _stored(field, fitted)


def checked_data(
    jobs: Sequence[str],
    program_data: JsonObject | None,
    job_data: JsonObject | None,
    *,
    data_class: type[Any] | None = None,
    only: Collection[str] | None = None,
) -> tuple[JsonObject | None, JsonObject | None]:
    """Return both kinds of data as they are to be stored; None, which is not looked at, stays.

    They are given as `data.stored` returns them. `data_class`: another serializer of the program
    data, beside those of the jobs. `only`: the jobs whose own data is looked at; None: that of all.
    Raises `InvalidProgram` with all errors.
    """
    errors: list[FieldError] = []
    new: dict[str, JsonObject] = {}  # by field: what serializers have made of it
    if program_data is not None:
        for each in program_data_classes(jobs, data_class):
            fitted, found = _fitted(each, new.get("program_data", program_data))
            errors += _inside(("program_data",), found)
            new["program_data"] = fitted
    if job_data is not None:
        for name, each in job_data_classes(jobs).items():
            if only is None or name in only:
                fitted, found = _fitted(each, job_data.get(name, {}))
                errors += _inside(("job_data", name), found)
                if fitted or name in job_data:
                    new["job_data"] = {**new.get("job_data", job_data), name: fitted}
    _refuse(_once(errors))
    stored = {field: _stored(field, data) for field, data in new.items()}
    return stored.get("program_data", program_data), stored.get("job_data", job_data)


def misfits(program: Program, data_class: type[Any] | None = None) -> list[FieldError]:
    """Return what of a program's stored data does not fit what its jobs say now. Never raises.

    `data_class`: another serializer of the program data, such as that of its definition.
    """
    jobs = program.jobs if isinstance(program.jobs, list) else []  # rows may be others' work
    own_data = program.job_data if isinstance(program.job_data, dict) else {}
    looked_at: list[tuple[tuple[str, ...], type[Any], Any]] = [
        (("program_data",), each, program.program_data)
        for each in program_data_classes(jobs, data_class)
    ]
    looked_at += [
        (("job_data", name), each, own_data.get(name, {}))
        for name, each in job_data_classes(jobs).items()
    ]
    errors: list[FieldError] = []
    for place, each, value in looked_at:
        try:
            errors += _inside(place, errors_of(each, value))
        except Exception as error:  # noqa: BLE001 (the database's, too: the page opens)
            told = f"could not be checked: {type(error).__name__}"
            errors.append(FieldError(place, told))
    return _once(errors)


def program_data_classes(
    jobs: Iterable[Any], data_class: type[Any] | None = None
) -> list[type[Any]]:
    """Return `data_class` and the serializers that these jobs have for program data, each once."""
    found = (data_class, *(_job_attribute(name, "program_data_class") for name in jobs))
    return list(dict.fromkeys(each for each in found if each is not None))


def job_data_classes(jobs: Iterable[Any]) -> dict[str, type[Any]]:
    """Return the serializers that these jobs have for their own data, by the jobs' names."""
    names = dict.fromkeys(name for name in jobs if isinstance(name, str))
    found = {name: _job_attribute(name, "data_class") for name in names}
    return {name: each for name, each in found.items() if each is not None}


def _job_attribute(name: Any, attribute: str) -> type[Any] | None:
    job = registry.find(name) if isinstance(name, str) else None
    found: type[Any] | None = getattr(job, attribute, None)
    return found


# By the serializer ---------------------------------------------------------------------------


def _fitted(serializer_class: type[Any], value: Any) -> tuple[Any, list[FieldError]]:
    """Return `value` as it is to be stored, or what is wrong with it."""
    try:
        with own_code():  # it may take its time
            serializer = serializer_class(data=copy.deepcopy(value))
            if serializer.is_valid():
                return _kept(value, serializer, serializer.validated_data), []
            errors = list(islice(_flat(serializer.errors, ()), MOST_ERRORS))
    except DatabaseError:
        raise  # an outage is no mistake in the data
    except Exception as error:  # noqa: BLE001 (a serializer may raise anything; it is told)
        told = f"could not be checked: {serializer_class.__qualname__} raised "
        errors = [FieldError((), f"{told}{type(error).__name__}: {error}")]
        frame = traceback.extract_tb(error.__traceback__)[-1]
        logger.warning(
            "data class %s.%s raised %s at %s:%s",
            serializer_class.__module__,
            serializer_class.__qualname__,
            type(error).__name__,
            frame.filename,
            frame.lineno,
            extra={"action": "data_class_failed"},
        )
    secrets = sorted(set(_secrets(value)), key=len, reverse=True)
    return value, [_discreet(error, secrets) for error in errors]


def _kept(given: Any, serializer: Any, validated: Any) -> Any:
    """Return `given` with the values of the serializer's fields as those show them.

    What the serializer does not know, does not show (`write_only`), or would not take back, stays.
    """
    if not (isinstance(given, dict) and isinstance(validated, Mapping)):
        return given
    kept = dict(given)
    for name, field in serializer.fields.items():
        if field.read_only or field.write_only:
            continue
        found, value = _found(validated, field.source_attrs)
        if found:
            kept[name] = _shown(given.get(name, ABSENT), field, value)
    return kept


def _shown(own: Any, field: Any, value: Any) -> Any:
    """Return the value of one field as JSON; `own` is what was given for it."""
    inner = getattr(field, "child", None)
    if value is None:
        return None
    if hasattr(field, "fields") and isinstance(own, dict):
        return _kept(own, field, value)
    if inner is not None and isinstance(own, list) and isinstance(value, list):
        if len(own) == len(value):
            return [_shown(*pair) for pair in zip(own, [inner] * len(own), value, strict=True)]
    elif inner is not None and isinstance(own, dict) and isinstance(value, Mapping):
        return {key: _shown(own.get(key, ABSENT), inner, item) for key, item in value.items()}
    try:
        shown = json.loads(json.dumps(field.to_representation(value), cls=Encoder))
        if shown != own:
            field.run_validation(copy.deepcopy(shown))  # a form that only goes out is not stored
    except DatabaseError:
        raise
    except Exception:
        if own is ABSENT:
            raise  # a default that the serializer itself refuses
        return own
    return shown


def _found(validated: Any, steps: Sequence[str]) -> tuple[bool, Any]:
    """Return whether the value of a field is there, and the value."""
    for step in steps:
        if not isinstance(validated, Mapping) or step not in validated:
            return False, None
        validated = validated[step]
    return True, validated


def _flat(found: Any, path: tuple[str | int, ...]) -> Iterator[FieldError]:
    """Yield the errors that a serializer has nested as its fields are."""
    if isinstance(found, Mapping):
        options = getattr(django_settings, "REST_FRAMEWORK", {})
        whole = options.get("NON_FIELD_ERRORS_KEY", "non_field_errors")
        for key, inner in found.items():
            step = key if isinstance(key, int) else str(key)
            yield from _flat(inner, path if key == whole else (*path, step))
    elif isinstance(found, (list, tuple)):
        for index, inner in enumerate(found):
            is_nested = isinstance(inner, (Mapping, list, tuple))
            yield from _flat(inner, (*path, index) if is_nested else path)
    else:
        yield FieldError(path, str(found))


# What is told --------------------------------------------------------------------------------


def _refuse(errors: Sequence[FieldError]) -> None:
    if errors:
        pairs = [(error.field, error.message) for error in errors]
        raise InvalidProgram(*pairs[0], errors=pairs)


def _once(errors: list[FieldError]) -> list[FieldError]:
    """Return the errors, each once: two jobs may read the same key."""
    return list(dict.fromkeys(errors))[:MOST_ERRORS]


def _inside(place: tuple[str, ...], errors: list[FieldError]) -> list[FieldError]:
    return [FieldError((*place, *path), message) for path, message in errors]


def _stored(field: str, value: Any) -> JsonObject:
    try:
        return json_data.stored(value)
    except InvalidData as error:
        raise InvalidProgram(field, str(error)) from error


def _secrets(value: Any, *, is_inside: bool = False) -> Iterator[str]:
    """Yield the texts of what stands under secret keys."""
    if isinstance(value, dict):
        for key, own in value.items():
            inside = is_inside or is_secret(str(key), settings.SECRET_KEYS)
            yield from _secrets(own, is_inside=inside)
    elif isinstance(value, list):
        for own in value:
            yield from _secrets(own, is_inside=is_inside)
    elif is_inside and value not in (None, "", MASK):
        yield str(value)


def _discreet(error: FieldError, secrets: Sequence[str]) -> FieldError:
    """Return the error without secrets: a message may repeat what was given."""
    is_of_a_secret = any(is_secret(str(step), settings.SECRET_KEYS) for step in error.path)
    message = error.message
    for secret in secrets:
        if is_of_a_secret or len(secret) >= TELLING:
            message = message.replace(secret, MASK)
    return FieldError(error.path, json_data.clean(message, MESSAGE_LENGTH))
