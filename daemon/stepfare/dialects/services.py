"""Which way of being served a request asks for: cheaper and slower, or dearer and faster. What the answer says of it counts more."""

from __future__ import annotations

from stepfare.core.request import RequestView
from stepfare.dialects.meter import service_of

_NAMED_BY = ("speed", "service_tier")
"""The first is Anthropic's, who serves under one price list whatever its `service_tier` says."""


def asked_service(view: RequestView) -> str:
    """The name of the service that the client asks for; empty for the standard one."""
    for key in _NAMED_BY:
        span = next((span for span in view.spans if span.key == key), None)
        if span is not None:
            raw = view.raw[span.start : span.end]
            service = service_of(raw[1:-1].decode("utf-8", "replace")) if raw[:1] == b'"' else ""
            if service:
                return service
    return ""
