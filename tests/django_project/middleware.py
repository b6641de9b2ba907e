"""Middleware that a project may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection

Handler = Callable[[Any], Any]


def reads_the_body(get_response: Handler) -> Handler:
    """Somebody who looks at forms before the view does."""

    def middleware(request: Any) -> Any:
        assert request.POST is not None
        return get_response(request)

    return middleware


class looks_for_a_transaction:
    """Says whether the view is called inside of one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        """The answer, with what was seen."""
        response = self.get_response(request)
        response["X-In-Transaction"] = str(request.in_transaction)
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Look at the view that Django is to call."""
        request.in_transaction = connection.alias not in getattr(view, "_non_atomic_requests", set())
