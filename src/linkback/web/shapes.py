"""Endpoints, backlinks, mentions and deliveries as JSON: the shapes that the API, the command line and scripts read."""

from __future__ import annotations

from linkback.model import Author, Backlink, Delivery, Endpoint, Endpoints, Mention, Outcome
from linkback.web.shown import web
from linkback.web.thread import Entry, Thread


def author_to_json(author: Author) -> dict[str, str | None]:
    """Name, URL and photo; null where unknown. A URL leads to http(s): a script makes a link of it."""
    return {"name": author.name or None, "url": web(author.url) or None, "photo": web(author.photo) or None}


def mention_to_json(mention: Mention) -> dict[str, object]:
    """One mention, times in ISO 8601."""
    return {
        "id": mention.id,
        "source": mention.source,
        "target": mention.target,
        "protocols": list(mention.protocols),
        "status": mention.status.value,
        "title": mention.title,
        "author": author_to_json(mention.author),
        "excerpt": mention.excerpt,
        "published": mention.published.isoformat() if mention.published else None,
        "received": mention.received.isoformat(),
        "missing_since": mention.missing_since.isoformat() if mention.missing_since else None,
        "kind": mention.kind,
        "final_url": mention.final_url,
    }


def thread_to_json(target: str | None, thread: Thread) -> dict[str, object]:
    """A thread without the host's own comments, in words that a script only has to lay out."""
    return {
        "target": target,
        "count": thread.count,
        "heading": thread.heading,
        "language": thread.language,
        "dir": thread.direction,
        "faces": [
            {
                "kind": group.kind,
                "heading": group.heading,
                "entries": [_entry_to_json(entry) for entry in group.entries],
            }
            for group in thread.faces
        ],
        "entries": [_entry_to_json(entry) for entry in thread.entries],
    }


def _entry_to_json(entry: Entry) -> dict[str, object]:
    """One line; `text` is `before`, `name` and `after`, of which the name is the link."""
    return {
        "number": entry.number or None,
        "id": entry.id,
        "kind": entry.kind,
        "label": entry.label,
        "before": entry.before,
        "name": entry.name,
        "after": entry.after,
        "text": entry.heading,
        "personal": entry.personal,
        "url": entry.url or None,
        "title": entry.title,
        "author": author_to_json(entry.author),
        "initials": entry.initials,
        "excerpt": entry.excerpt,
        "time": entry.iso_time,
        "shown_time": entry.shown_time,
    }


def backlink_to_json(backlink: Backlink) -> dict[str, object]:
    """A proven claim: what links, and what the source says of itself."""
    return {
        "source": backlink.source,
        "target": backlink.target,
        "linked": True,
        "reason": None,
        "element": backlink.element,
        "attribute": backlink.attribute,
        "href": backlink.href,
        "rels": list(backlink.rels),
        "text": backlink.text,
        "title": backlink.title,
        "author": author_to_json(backlink.author),
        "excerpt": backlink.excerpt,
        "published": backlink.published.isoformat() if backlink.published else None,
        "kind": backlink.kind,
        "final_url": backlink.final_url,
        "canonical_url": backlink.canonical_url or None,
        "language": backlink.language or None,
    }


def not_linked_to_json(source: str, target: str, reason: str, detail: str, *, final_url: str = "") -> dict[str, object]:
    """A claim that did not hold, in the shape of one that did; `final_url` is where the source was read, if it was."""
    unproven = backlink_to_json(Backlink(source=source, target=target, final_url=source))
    unknown = {name: None for name in unproven if name not in ("source", "target", "author")}
    known = {"linked": False, "reason": reason, "detail": detail, "final_url": final_url or None}
    return {**unproven, **unknown, **known}


def endpoints_to_json(endpoints: Endpoints) -> dict[str, object]:
    """The endpoints of a page; null where it does not listen."""
    return {
        "url": endpoints.url,
        "final_url": endpoints.final_url,
        "webmention": _endpoint_to_json(endpoints.webmention),
        "pingback": _endpoint_to_json(endpoints.pingback),
        "trackback": _endpoint_to_json(endpoints.trackback),
    }


def _endpoint_to_json(endpoint: Endpoint | None) -> dict[str, str] | None:
    return None if endpoint is None else {"url": endpoint.url, "via": endpoint.via.value}


def delivery_line(delivery: Delivery) -> str:
    """One delivery and how it went, for a line of text; what strangers wrote stands in it as it is."""
    way = f" by {delivery.protocol}" if delivery.protocol else ""
    code = f" [{delivery.code}]" if delivery.code is not None else ""
    detail = f": {delivery.detail}" if delivery.detail and delivery.outcome is not Outcome.SENT else ""
    return f"{delivery.outcome.value}{way} {delivery.target}{code}{detail}"


def delivery_to_json(delivery: Delivery) -> dict[str, object]:
    """One delivery and how it went."""
    return {
        "source": delivery.source,
        "target": delivery.target,
        "protocol": delivery.protocol,
        "endpoint": delivery.endpoint,
        "outcome": delivery.outcome.value,
        "code": delivery.code,
        "detail": delivery.detail,
        "status_url": delivery.status_url or None,
        "cause": delivery.cause.value,
    }
