"""How we advertise an endpoint of ours: header fields and elements, from a protocol's signpost.

Rule: absolute URLs, and the one form of each that the strictest sender reads (protocols.md A-49, A-71).
"""

from __future__ import annotations

from linkback.model import Signpost
from linkback.wire import Headers
from linkback.xmltext import escape


def headers(name: str, signpost: Signpost, endpoint: str) -> Headers:
    """The header fields that advertise `endpoint` for the protocol of that name, none where it has none."""
    if signpost.header:
        return ((signpost.header, endpoint),)
    return (("Link", f'<{endpoint}>; rel="{name}"'),) if signpost.header_rels else ()


def link_element(rel: str, endpoint: str) -> str:
    """The HTML element that advertises `endpoint`: rel first, double quotes, nothing more (A-49)."""
    return f'<link rel="{rel}" href="{escape(endpoint)}">'
