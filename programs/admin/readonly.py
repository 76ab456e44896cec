"""What all pages of the console share: they look things up, and change nothing by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from programs.admin.text import legible

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # it takes no parameter when it runs


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the engine writes. Nobody adds, changes or deletes them by hand."""

    show_full_result_count = False  # it would count the whole table for every page
    show_facets = admin.ShowFacets.NEVER  # so would they, for each of their values
    list_per_page = 50
    change_form_template = "admin/programs/readonly.html"

    class Media:
        css = {"all": ["programs/console.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def called(self, row: Any) -> str:
        """Return what a row is called on its pages."""
        return legible(row)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Show the stock page of a row, with a name that cannot pose as another."""
        page = super().render_change_form(request, context, add, change, form_url, obj)
        if isinstance(page, TemplateResponse) and page.context_data is not None:
            name = self.called(obj)
            page.context_data.update(original=name, subtitle=name)
        return page
