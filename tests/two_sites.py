"""A project that has the console twice: in an admin site of its own, and in the stock one."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

import programs.admin

own_site = admin.AdminSite(name="ops")
programs.admin.register(own_site)
urlpatterns = [path("ops/", own_site.urls), path("admin/", admin.site.urls)]
