"""The addresses of probes and metrics: `path("", include("programs.monitoring.urls"))`."""

from django.urls import path

from programs.monitoring import views

urlpatterns = [
    path("healthz", views.healthz, name="programs_healthz"),
    path("readyz", views.readyz, name="programs_readyz"),
    path("metrics", views.metrics, name="programs_metrics"),
]
