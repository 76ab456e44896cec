"""The audit: what operators did, by whom, when and why."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from programs.api import parameters
from programs.api.endpoint import Endpoint
from programs.api.errors import Invalid
from programs.api.listing import refuse_far
from programs.api.query import next_url
from programs.api.representations import OperationDetailSerializer, OperationPageSerializer
from programs.api.schema import described
from programs.conf import settings
from programs.errors import InvalidProgram
from programs.inspection.audit import PARAMETERS, Deeds
from programs.models import Operation, Program, Verb

VIEW_OPERATION = "programs.view_operation"
PAGE, MOST = 50, 200


class OperationEndpoint(Endpoint):
    """Operations."""

    lookup_field = "id"
    lookup_value_regex = r"[0-9]{1,18}"
    permissions = {"list": (VIEW_OPERATION,), "retrieve": (VIEW_OPERATION,)}

    @described(
        parameters=[
            *parameters.AUDIT,
            parameters.CURSOR,
            parameters.page_size(PAGE, MOST),
        ],
        responses=OperationPageSerializer,
    )
    def list(self, request: Request) -> Response:
        """List what operators did, the newest first, without the details."""
        query = self.query(*PARAMETERS, "cursor", "page_size")
        query.choice("verb", Verb.values)
        deeds = Deeds.parse({name: query.text(name) for name in PARAMETERS})
        refuse_far("since", deeds.since)
        refuse_far("until", deeds.until)
        size = query.whole("page_size", least=1, most=MOST, usual=PAGE)
        try:
            done = deeds.page(size, query.text("cursor"), settings.DATABASE)
        except InvalidProgram as error:
            raise Invalid("cursor", error.reason) from error
        page = {
            "results": done.operations,
            "next": next_url(request, done.older),
            "searched_back_to": done.searched_back_to,
        }
        return Response(OperationPageSerializer(page, context={"run_ids": done.run_ids}).data)

    @described(responses=OperationDetailSerializer)
    def retrieve(self, request: Request, id: str) -> Response:
        """Show one operation, with what was before and after."""
        operation = Operation.objects.using(settings.DATABASE).filter(pk=id).first()
        if operation is None:
            raise Http404
        rows = Program.objects.using(settings.DATABASE).filter(pk=operation.program_id or 0)
        context = {"request": request, "run_ids": dict(rows.values_list("pk", "run_id"))}
        return Response(OperationDetailSerializer(operation, context=context).data)
