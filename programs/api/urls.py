"""The API's URLs, to be included under a prefix of the project's choice."""

from django.urls import URLPattern

app_name = "programs"
urlpatterns: list[URLPattern] = []
