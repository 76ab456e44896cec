"""The data of jobs as JSON Schema: what their serializers say of it, for clients and readers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.settings import patched_settings
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from programs import data, registry
from programs.api.errors import encodable
from programs.conf import settings
from programs.redaction import is_secret

SETTINGS: dict[str, Any] = {"OAS_VERSION": "3.1.0", "COMPONENT_SPLIT_REQUEST": True}
CHOICES_AT_MOST = 500  # that are listed
TYPED = ("CreationRequest", "EditRequest", "RetryRequest")  # bodies whose data must be whole
PREFIX = "#/components/schemas/"
VALUES = ("default", "enum", "example", "examples")  # no schemas, whatever they hold
ABSENT: Any = object()

# drf-spectacular's settings are those of the whole process while a schema is made.
making = RLock()
_made: WeakKeyDictionary[type[Any], dict[str, Any]] = WeakKeyDictionary()


def data_schema(data_class: type[Any] | None) -> dict[str, Any] | None:
    """Return the JSON Schema of what a serializer takes, in one piece; None: anything goes."""
    if data_class is None:
        return None
    with making:
        if data_class not in _made:
            _made[data_class] = _schema_of(data_class)
        return _made[data_class]


def with_job_data(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Tell in the description of the API what each job's data is: a component for each job."""
    schemas = result["components"]["schemas"]
    refs = {}
    for name, job in registry.registered().items():
        if (schema := data_schema(job.data_class)) is not None:
            component = _component_name(name, schemas)
            schemas[component] = schema
            refs[encodable(name)] = {"$ref": f"{PREFIX}{component}"}
    for body in TYPED:
        if refs and body in schemas:
            schemas[body]["properties"]["job_data"]["properties"] = refs
    return result


def _component_name(job: str, taken: Mapping[str, Any]) -> str:
    words = re.findall(r"[A-Za-z0-9]+", job)
    name = "".join(word[0].upper() + word[1:] for word in words) + "JobData"
    number = 1
    while (found := name if number == 1 else f"{name}{number}") in taken:
        number += 1
    return found


def _schema_of(data_class: type[Any]) -> dict[str, Any]:
    maker: Any = AutoSchema()  # untyped
    maker.registry = ComponentRegistry()  # of its own: names may be those of the API's
    maker.method, maker.path, maker._view = "POST", "/", APIView()
    maker._view.request = None  # nobody asks
    try:
        with patched_settings(SETTINGS), GENERATOR_STATS.silence():
            found: Any = maker._map_serializer(data_class(), "request")
            components = {each.name: each.schema for each in maker.registry._components.values()}
    except Exception as error:  # noqa: BLE001 (a serializer may raise anything; it is told)
        told = f"Not known: {data_class.__qualname__} raised {type(error).__name__}."
        return {"type": "object", "description": told}
    schema: dict[str, Any] = _whole(found, components, ())
    return {"type": "object", **schema}


def _whole(found: Any, components: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """Return a schema with its components in their places; one inside of itself is any value."""
    if isinstance(found, list):
        return [_whole(each, components, inside) for each in found]
    if not isinstance(found, dict):
        return _plain(found)
    if isinstance(ref := found.get("$ref"), str):
        name = ref.removeprefix("#/components/schemas/")
        return {} if name in inside else _whole(components[name], components, (*inside, name))
    plain = {key: own for key, own in found.items() if key != "x-spec-enum-id"}
    if isinstance(choices := plain.get("enum"), list) and len(choices) > CHOICES_AT_MOST:
        del plain["enum"]
        plain["description"] = f"One of {len(choices)} values."
    schema = {
        key: _plain(own) if key in VALUES else _whole(own, components, inside)
        for key, own in plain.items()
        if key != "properties"
    }
    if properties := plain.get("properties"):
        schema["properties"] = {
            encodable(str(name)): _property(name, _whole(each, components, inside))
            for name, each in properties.items()
        }
    return {key: own for key, own in schema.items() if own is not ABSENT}


def _property(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one value; who may read it need not be one who may see secrets."""
    if is_secret(str(name), settings.SECRET_KEYS):
        return {key: own for key, own in schema.items() if key != "default"}
    return schema


def _plain(value: Any) -> Any:
    """Return what a serializer's author wrote, as JSON; `ABSENT` where that has no form for it."""
    try:
        return data.stored({"value": json.loads(json.dumps(value, cls=JSONEncoder))})["value"]
    except (TypeError, ValueError, RecursionError):
        return ABSENT
