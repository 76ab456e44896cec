"""The API in a project of somebody else's, whose settings say nothing of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HOST = """
import sys

for absent in ("knox", "drf_spectacular_sidecar", "csp", "axes", "django_htmx"):
    sys.modules[absent] = None  # as if it were not installed

import types

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[
        "programs", "django.contrib.auth", "django.contrib.contenttypes", "rest_framework"
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True
        }
    },
    ROOT_URLCONF="urls_of_mine",
    ALLOWED_HOSTS=["testserver"],
    USE_TZ=True,
    PROGRAM_EXECUTOR={"JOB_MODULES": ["tests.jobs"]},
)
django.setup()

from django.core.management import call_command
from django.urls import include, path

from programs.submission import create_program

urls = types.ModuleType("urls_of_mine")
urls.urlpatterns = [path("deep/down/", include("programs.api.urls"))]
sys.modules["urls_of_mine"] = urls
call_command("check")
call_command("migrate", verbosity=0)

from django.contrib.auth.models import User
from rest_framework.test import APIClient

client = APIClient()
refused = client.get("/deep/down/programs/")
assert refused.status_code in (401, 403), refused.status_code
assert refused.headers["Content-Type"] == "application/problem+json"
client.force_authenticate(User.objects.create_superuser("ada"))
created = client.post("/deep/down/programs/", {"jobs": ["noop"]}, format="json")
assert created.status_code == 201, created.content
schema = client.get("/deep/down/schema/").json()
assert schema["openapi"] == "3.1.0"
assert "/deep/down/programs/{run_id}/wait/" in schema["paths"]
again = client.post("/deep/down/programs/", {"jobs": ["unheard_of"]}, format="json")
assert (again.status_code, again.json()["errors"][0]["field"]) == (400, "jobs")
waited = client.get(f"/deep/down/programs/{created.json()['run_id']}/wait/?timeout=0.1")
assert (waited.status_code, waited.json()["ended"]) == (200, False), waited.content
print("all is well")
"""


def test_the_api_needs_no_setting_and_no_package_but_those_of_its_extra() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HOST],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.stdout.splitlines()[-1:] == ["all is well"], done.stderr
