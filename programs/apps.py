"""The Django app."""

from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    name = "programs"
    verbose_name = "Program Executor"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from programs import checks, registry  # noqa: F401 (checks register themselves)

        registry.discover()
