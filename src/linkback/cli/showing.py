"""How results look: for people, a line or a table; with `--json`, an object a line."""

from __future__ import annotations

from collections.abc import Sequence

from linkback.model import Backlink, Delivery, Endpoints, Job, Mention, Outcome
from linkback.plaintext import collapse
from linkback.terminal import say, table, write, write_json
from linkback.web import shapes
from linkback.web.shown import address


def show_endpoints(endpoints: Endpoints, *, as_json: bool) -> None:
    """One line per protocol the page listens to."""
    if as_json:
        write_json(shapes.endpoints_to_json(endpoints))
        return
    for name, endpoint in endpoints.found.items():
        write(f"{name:<12}{collapse(endpoint.url)}  ({endpoint.via.value})")


def show_backlink(backlink: Backlink, *, as_json: bool) -> None:
    """The proof and the description, one fact a line."""
    if as_json:
        write_json(shapes.backlink_to_json(backlink))
        return
    write(collapse(f"linked: <{backlink.element}> {backlink.attribute}={backlink.href}"))
    facts = {
        "title": backlink.title,
        "author": backlink.author.name,
        "excerpt": backlink.excerpt,
        "published": backlink.published.isoformat() if backlink.published else "",
        "kind": backlink.kind,
        "found at": address(backlink.final_url) if backlink.final_url != backlink.source else "",
    }
    for name, value in facts.items():
        if value:
            write(f"{name + ':':<11}{collapse(value)}")


def show_not_linked(source: str, target: str, reason: str, detail: str, *, final_url: str, as_json: bool) -> None:
    """Why a page does not prove a claim; `final_url` is where it was read, "" where it was not."""
    if as_json:
        write_json(shapes.not_linked_to_json(source, target, reason, detail, final_url=final_url))
    say(f"not linked ({reason}): {detail}")


def show_delivery(delivery: Delivery, *, as_json: bool) -> None:
    """How one delivery went, on one line."""
    if as_json:
        write_json(shapes.delivery_to_json(delivery))
        return
    write(collapse(shapes.delivery_line(delivery)))


def show_deliveries(deliveries: Sequence[Delivery], *, as_json: bool) -> None:
    """A table of deliveries."""
    if as_json:
        for delivery in deliveries:
            show_delivery(delivery, as_json=True)
        return
    rows = [
        (one.outcome.value, one.protocol or "", address(one.source), address(one.target), str(one.attempts), one.detail)
        for one in deliveries
    ]
    table(("outcome", "protocol", "source", "target", "attempts", "detail"), rows)


def show_owed(delivery: Delivery, *, as_json: bool) -> None:
    """One delivery that would be owed, and why."""
    if as_json:
        write_json(shapes.delivery_to_json(delivery))
        return
    if delivery.outcome is Outcome.WITHDRAWN:
        write(collapse(shapes.delivery_line(delivery)))
        return
    write(collapse(f"{delivery.cause.value} {delivery.target}"))


def show_job(job: Job, *, as_json: bool) -> None:
    """One job that waits for a person, on one line."""
    if as_json:
        write_json(
            {"id": job.id, "kind": job.kind.value, "subject": job.subject, "attempts": job.attempts, "site": job.site}
        )
        return
    write(collapse(f"{job.id} {job.kind.value} {job.subject} {job.site} after {job.attempts} attempts"))


def show_mention(mention: Mention, *, as_json: bool) -> None:
    """Where one mention stands, on one line."""
    if as_json:
        write_json(shapes.mention_to_json(mention))
        return
    write(collapse(f"{mention.id} {mention.status.value} {address(mention.source)}"))


def show_mentions(mentions: Sequence[Mention], *, as_json: bool) -> None:
    """A table of mentions."""
    if as_json:
        for mention in mentions:
            show_mention(mention, as_json=True)
        return
    rows = [
        (
            mention.id,
            mention.status.value,
            "+".join(mention.protocols),
            mention.title,
            address(mention.source),
            address(mention.target),
            f"{mention.received:%Y-%m-%d %H:%M}",
        )
        for mention in mentions
    ]
    table(("id", "status", "protocols", "title", "source", "target", "received (UTC)"), rows)
