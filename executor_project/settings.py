"""The project's settings: the only place that reads the environment.

| variable | meaning | without it |
|---|---|---|
| `DATABASE_URL` | the database, as a URL | SQLite in `db.sqlite3` |
| `AMQP_URL` | RabbitMQ, as a URL | no broker: workers look into the database |
| `SECRET_KEY` | Django's secret | a fixed one with `DEBUG`; without, servers refuse to start |
| `DEBUG` | `1` while developing | off |
| `ALLOWED_HOSTS` | host names, by commas | this machine with `DEBUG`, else none |
| `CSRF_TRUSTED_ORIGINS` | origins behind a proxy, by commas | none |
| `TRUSTED_PROXIES` | how many proxies stand in front | 0: `X-Forwarded-*` is not believed |
| `SECURE_SSL_REDIRECT` | `0` where nothing speaks HTTPS | to HTTPS, not with `DEBUG` |
| `SECURE_HSTS_SECONDS` | how long browsers shall insist on HTTPS | a year, not with `DEBUG` |
| `SECURE_HSTS_INCLUDE_SUBDOMAINS` | `0` where a subdomain speaks no HTTPS | subdomains as well |
| `MEDIA_ROOT` | the folder of the files that jobs write; all workers share it | `media` |
| `METRICS_TOKEN` | what monitors send as Bearer to read `/metrics` | users alone read it |
| `LOG_FORMAT` | `json` for log lines that machines read | `text` |
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from executor_project import policy

BASE_DIR = Path(__file__).resolve().parent.parent


def listed(name: str) -> list[str]:
    """Return the parts of a variable that holds a list, by commas."""
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def number(name: str, default: int) -> int:
    """Return a variable that holds a whole number, of at most nine digits; empty is not set."""
    text = os.environ.get(name, "").strip()
    if text and not re.fullmatch(r"[0-9]{1,9}", text):
        raise ImproperlyConfigured(f"{name}={text} is no number: give digits alone, as {default}")
    return int(text or default)


SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True)
SWITCH |= dict.fromkeys(("0", "false", "no", "off"), False)


def switch(name: str, default: bool) -> bool:
    """Return a variable that is on or off; empty is not set."""
    text = os.environ.get(name, "").strip()
    if text and text.lower() not in SWITCH:
        raise ImproperlyConfigured(f"{name}={text} is neither on nor off: give 1 or 0")
    return SWITCH.get(text.lower(), default)


DEBUG = switch("DEBUG", False)

SECRET_KEY = os.environ.get("SECRET_KEY", "")
if not SECRET_KEY:
    # A worker and most commands sign nothing: a key that ends with the process will do. What
    # serves pages needs one that lasts and that all its processes share.
    SECRET_KEY = "for development on one's own machine only" if DEBUG else get_random_secret_key()


def require_lasting_secret() -> None:
    """Refuse to serve with a key that no other process knows, and that ends with this one."""
    if not DEBUG and not os.environ.get("SECRET_KEY"):
        raise ImproperlyConfigured("SECRET_KEY is not set: give one, or DEBUG=1 to develop")


ALLOWED_HOSTS = listed("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = listed("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "programs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "programs.monitoring.middleware.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "executor_project.policy.PolicyMiddleware",
    "executor_project.failures.RenewalMiddleware",
    "executor_project.charset.CharsetMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "executor_project.urls"
WSGI_APPLICATION = "executor_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def database() -> dict[str, Any]:
    """Return the one database, with what a worker of many threads needs of SQLite."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'db.sqlite3'}"
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        # Writers wait for each other instead of failing, readers never wait, and a commit is on
        # the disk when it returns.
        config.setdefault("OPTIONS", {}).update(
            transaction_mode="IMMEDIATE",
            timeout=20,
            init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        )
    if config["ENGINE"] in ("django.db.backends.postgresql", "django.db.backends.mysql"):
        # Where packets vanish, a page says so before the web server gives its process up.
        config.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
        # A request does not wait for a new connection. One that has died since is let go by the
        # request that meets it, which is told to come again.
        config["CONN_MAX_AGE"] = 60
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Browsers say which of these they prefer; who asks for none of them reads English.
LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# What jobs write (`jobs.airports` its pages and its report). Nothing serves it.
MEDIA_ROOT = BASE_DIR / (os.environ.get("MEDIA_ROOT") or "media")

LOGIN_URL = "admin:login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "executor_project.permissions.OneQueryBackend",
]

# Guesses are counted for a user name and an address together, so that nobody locks an operator
# out from elsewhere. Once locked nothing more is counted: the time that the page names holds.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_HANDLER = "executor_project.lockout.Counter"
AXES_USERNAME_CALLABLE = "executor_project.lockout.name_of"
AXES_CLIENT_IP_CALLABLE = "executor_project.lockout.address_of"
AXES_LOCKOUT_CALLABLE = "executor_project.lockout.locked_out"
# Who slips types the password as the name: log lines hold the address, and no name.
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken"]
AXES_DISABLE_ACCESS_LOG = True  # a table that would grow with each login
AXES_VERBOSE = False

# The scheme and the address that the client came with: proxies tell them. Where there is none,
# anybody could.
TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

if not DEBUG:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = switch("SECURE_SSL_REDIRECT", True)
    SECURE_HSTS_SECONDS = number("SECURE_HSTS_SECONDS", 31_536_000)  # a year
    SECURE_HSTS_INCLUDE_SUBDOMAINS = switch("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)

# Beside these, Django's defaults: nosniff, no frames, and nothing told to other origins.
CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy.DIRECTIVES}

SILENCED_SYSTEM_CHECKS = [
    # HSTS preloading puts a whole domain into the browsers themselves, and takes months to undo:
    # that is for the owner of the domain to ask for, and not for a console on it.
    "security.W021",
    # Here AMQP_URL decides whether there is a broker, and a worker's first line says it.
    "programs.W001",
]

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "executor_project.tokens.Authentication",  # first: its 401 tells how to come again
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "executor_project.browsable.BrowsableAPIRenderer",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}

# The reference's script and style come from here, and from no other server.
SPECTACULAR_SETTINGS = {
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "tryItOutEnabled": True},
    "OAS_VERSION": "3.1.0",
}

# Django's own handlers say nothing of a failed page once DEBUG is off. Without them its lines go
# where all others do: web servers and workers set that up (`programs.logs.configure`).
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "axes": {"level": "WARNING"},  # of logins, those that failed
    },
}

DEFAULT_EXCEPTION_REPORTER_FILTER = "executor_project.reporting.SecretFilter"

PROGRAM_EXECUTOR: dict[str, Any] = {
    "AMQP_URL": os.environ.get("AMQP_URL") or None,
    "JOB_MODULES": ["jobs"],
    "LOG_FORMAT": os.environ.get("LOG_FORMAT", "text"),
    "METRICS_TOKEN": os.environ.get("METRICS_TOKEN") or None,
}
