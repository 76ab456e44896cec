"""The description of the API: OpenAPI 3.1, made once in each process."""

from __future__ import annotations

from typing import Any

from django.urls import get_script_prefix
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.settings import patched_settings
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

import programs
from programs.api.data_schema import making
from programs.api.endpoint import Endpoint
from programs.api.schema import described

SETTINGS: dict[str, Any] = {
    "TITLE": "Program Executor",
    "DESCRIPTION": "Create programs, follow them and steer them. Errors are problem details "
    "(RFC 9457), whatever their status.",
    "VERSION": programs.__version__,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "State": "programs.models.State.choices",
        "Ending": "programs.models.Ending.choices",
        "Verb": "programs.models.Verb.choices",
        "CatchUp": "programs.models.CatchUp.choices",
        "Overlap": "programs.models.Overlap.choices",
        "TickOutcome": "programs.models.TickOutcome.choices",
    },
    "ENUM_SUFFIX": "",
    "PREPROCESSING_HOOKS": ["programs.api.description.ours"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "programs.api.data_schema.with_job_data",  # behind it: its names are not for our choices
    ],
    "SERVERS": [],
}

_made: dict[str, Any] = {}  # by script prefix


def ours(endpoints: Any) -> Any:
    """Leave the views of the project around us out."""
    return [each for each in endpoints if issubclass(getattr(each[3], "cls", object), Endpoint)]


def description() -> Any:
    """Return the schema. It is the same for everybody: what one may do, each operation tells."""
    prefix = get_script_prefix()
    with making:
        if prefix not in _made:
            with patched_settings(SETTINGS):
                generator: Any = SchemaGenerator  # untyped
                _made[prefix] = generator().get_schema(public=True)
        return _made[prefix]


class DescriptionEndpoint(Endpoint):
    """The description itself, to whoever is logged in."""

    permissions = {"list": ()}
    renderer_classes = [JSONRenderer, OpenApiJsonRenderer, OpenApiYamlRenderer]

    @described(exclude=True)
    def list(self, request: Request) -> Response:
        """Show the schema, as JSON or YAML."""
        return Response(description())
