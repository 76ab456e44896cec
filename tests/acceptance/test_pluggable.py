"""The wheel, in projects of somebody else's: through INSTALLED_APPS, and nothing more."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.project import CREATE, GREETED, LOOK, ROOT, Project
from tests.servers import RabbitMQ
from tests.web import Answer, Browser

# What is in it ------------------------------------------------------------------------------


def test_the_wheel_holds_all_of_the_app_and_nothing_else(wheel: Path) -> None:
    """Templates, static files, migrations, translations and the mark of types besides modules."""
    app = ROOT / "programs"
    files = (path for path in app.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    ours = {str(path.relative_to(ROOT)) for path in files}

    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert held == ours
    assert {
        "programs/locale/de/LC_MESSAGES/django.mo",
        "programs/locale/de/LC_MESSAGES/django.po",
        "programs/migrations/0001_initial.py",
        "programs/py.typed",
        "programs/static/programs/console.css",
        "programs/templates/admin/programs/program/list.html",
    } < held


# The smallest project -----------------------------------------------------------------------


def test_a_fresh_project_needs_no_setting_but_the_app(project: Project) -> None:
    project.install("programs", "shop")
    project.manage("check")
    project.manage("migrate")
    project.manage("makemigrations", "--check")
    project.shell(CREATE)

    first_line = project.manage("runworker", "--burst", "--threads", "2").splitlines()[0]

    assert "looks into the database only" in first_line
    assert project.shell(LOOK) == GREETED
    project.configure("STATIC_ROOT = BASE_DIR / 'collected'")
    project.manage("collectstatic", "--noinput")
    assert (project.folder / "collected" / "programs" / "console.css").stat().st_size


def test_with_a_broker_the_hint_is_consumed(project: Project, rabbitmq: RabbitMQ) -> None:
    project.install("programs", "shop")
    own = {"AMQP_URL": rabbitmq.url, "QUEUE_NAME": rabbitmq.new_queue("pluggable")}
    project.configure(f"PROGRAM_EXECUTOR = {own}")
    project.manage("migrate")
    project.shell(CREATE)

    first_line = project.manage("runworker", "--max-programs", "1").splitlines()[0]

    assert f"consumes {own['QUEUE_NAME']}" in first_line
    assert project.shell(LOOK) == GREETED
    project.shell(CREATE)
    project.manage("runworker", "--burst")
    assert project.shell(LOOK) == GREETED


def test_neither_the_admin_nor_the_rest_framework_is_needed(project: Project) -> None:
    project.install("programs", "shop", drop="django.contrib.admin")
    project.write("mysite/urls.py", "urlpatterns = []\n")
    project.manage("migrate")
    project.shell(CREATE)
    project.manage("runworker", "--burst")
    assert project.shell(LOOK) == GREETED


# A project that has made up its own mind ----------------------------------------------------

ACCOUNTS = """
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Accounts(BaseUserManager):
    def create_superuser(self, email, password):
        account = self.model(email=email, is_staff=True, is_superuser=True)
        account.set_password(password)
        account.save()


class Account(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(primary_key=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "email"
    objects = Accounts()
"""

ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "second" if model._meta.app_label == "programs" else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "second") == (app_label == "programs")
"""

SETTINGS = """
AUTH_USER_MODEL = "accounts.Account"
DATABASES["second"] = {**DATABASES["default"], "NAME": BASE_DIR / "second.sqlite3"}
for options in DATABASES.values():
    options["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
DATABASE_ROUTERS = ["mysite.router.Router"]
PROGRAM_EXECUTOR = {"DATABASE": "second", "TABLE_NAME": "runs"}
USE_TZ = False
TIME_ZONE = "Asia/Tokyo"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # as the tests' browser has it
"""

URLS = """
from django.contrib.admin import AdminSite
from django.urls import include, path

import programs.admin

site = AdminSite(name="ops")
programs.admin.register(site)
urlpatterns = [path("ops/", site.urls), path("deep/api/", include("programs.api.urls"))]
"""

SERVERS = [
    ("gunicorn", "mysite.wsgi", "--bind", "127.0.0.1:0"),
    ("uvicorn", "mysite.asgi:application", "--port", "0"),
]


@pytest.fixture
def minded_project(full_project: Project) -> Project:
    """A project with users, databases, time and an admin site of its own kind."""
    own = full_project
    own.install("programs", "shop", "accounts", "rest_framework", "django_htmx")
    own.write("accounts/__init__.py", "")
    own.write("accounts/models.py", ACCOUNTS)
    own.write("mysite/router.py", ROUTER)
    own.write("mysite/urls.py", URLS)
    own.configure(SETTINGS)
    own.manage("makemigrations", "accounts")
    own.manage("migrate")
    own.manage("migrate", "--database", "second")
    own.environment["DJANGO_SUPERUSER_PASSWORD"] = "right"
    own.manage("createsuperuser", "--noinput", "--email", "ada@example.org")
    return own


def run_id_of(answer: Answer) -> str:
    assert answer.status == 201, answer.text
    created = answer.json()
    assert created["created_by"] == "ada@example.org"
    return str(created["run_id"])


def test_own_users_databases_time_and_admin_site_under_wsgi_and_asgi(
    minded_project: Project,
) -> None:
    own, asked = minded_project, {"jobs": ["greet"], "program_data": {"whom": "ada"}}
    for server in SERVERS:
        with own.serving(*server) as port:
            browser = Browser(port)
            login = browser.log_in("ada@example.org", "right", page="/ops/login/")
            assert login.status == 302, login.text
            run_id = run_id_of(browser.post("/deep/api/programs/", asked))
            own.manage("runworker", "--burst", "--threads", "2")

            waited = browser.get(f"/deep/api/programs/{run_id}/wait/?timeout=10")
            listed = browser.get("/ops/programs/program/")

        assert (waited.status, waited.json()["ended"]) == (200, True), waited.text
        assert listed.status == 200, listed.text
        assert run_id in listed.text
        assert own.shell(LOOK) == GREETED
    own.manage("check", "--database", "default", "--database", "second")
    for file, tables in (("db.sqlite3", []), ("second.sqlite3", [("runs",), ("runs_attempt",)])):
        with closing(sqlite3.connect(own.folder / file)) as database:
            found = database.execute(
                "SELECT name FROM sqlite_master WHERE name IN ('runs', 'runs_attempt')"
            )
            assert sorted(found) == tables


# What is wrong is told ----------------------------------------------------------------------


def test_an_unrelated_table_of_that_name_is_left_alone(project: Project) -> None:
    with closing(sqlite3.connect(project.folder / "db.sqlite3")) as database:
        database.execute("CREATE TABLE programs (id integer, channel text, starts_at text)")
    project.install("programs", "shop")

    told = project.refusal("migrate")

    assert "programs.E006" in told
    assert "PROGRAM_EXECUTOR['TABLE_NAME']" in told
    project.configure("PROGRAM_EXECUTOR = {'TABLE_NAME': 'job_programs'}")
    project.manage("migrate")
    project.shell(CREATE)
    project.manage("runworker", "--burst")
    assert project.shell(LOOK) == GREETED


RUNWORKER = """
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run something else."
"""


def test_another_apps_command_in_front_of_ours_is_told(project: Project) -> None:
    project.install("shop", "programs")
    for package in ("shop/management", "shop/management/commands"):
        project.write(f"{package}/__init__.py", "")
    project.write("shop/management/commands/runworker.py", RUNWORKER)

    told = project.refusal("check", "--fail-level", "WARNING")

    assert "programs.W003" in told
    assert "`manage.py runworker` is a command of shop" in told


API = """
from django.urls import include, path

urlpatterns = [path("api/", include("programs.api.urls"))]
"""


def test_the_api_without_its_extra_names_the_extra(project: Project) -> None:
    project.install("programs", "shop")
    project.write("mysite/urls.py", API)
    told = project.refusal("check")
    assert "needs rest_framework and drf_spectacular: pip install" in told
    assert "[api]" in told


def test_the_api_without_its_app_names_the_setting(full_project: Project) -> None:
    full_project.install("programs", "shop")
    full_project.write("mysite/urls.py", API)
    told = full_project.refusal("check")
    assert "needs 'rest_framework' in INSTALLED_APPS" in told


def test_a_broken_jobs_module_fails_the_check_and_names_the_file(project: Project) -> None:
    project.install("programs", "shop")
    project.write("shop/jobs.py", "import no_such_module\n")

    told = project.refusal("check")

    assert "programs.E010" in told
    assert "no_such_module" in told
    assert f"{project.folder / 'shop' / 'jobs.py'}:1" in told


@pytest.mark.parametrize(
    ("setting", "id_"),
    [
        ("'text'", "programs.E001"),
        ("{'AMPQ_URL': None}", "programs.E002"),
        ("{'THREADS': 0}", "programs.E003"),
        ("{'LEASE': '15'}", "programs.E003"),
        ("{'DATABASE': 'elsewhere'}", "programs.E004"),
    ],
)
def test_a_wrong_setting_fails_the_check(project: Project, setting: str, id_: str) -> None:
    project.install("programs", "shop")
    project.configure(f"PROGRAM_EXECUTOR = {setting}")
    for command in ("check", "runworker"):
        assert id_ in project.refusal(command)
