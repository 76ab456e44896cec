"""The API's URLs, to be included under a prefix of the project's choice."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from programs.api.views import ProgramViewSet

app_name = "programs"

router = SimpleRouter()
router.register("programs", ProgramViewSet, basename="program")

urlpatterns = router.urls
