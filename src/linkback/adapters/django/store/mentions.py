"""The statements about mentions and their protocols."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from linkback.adapters.django.models import Mention as Row
from linkback.adapters.django.models import MentionProtocol
from linkback.model import Mention, Status
from linkback.store import Verdict, rows
from linkback.store.decisions import page_keys
from linkback.store.keys import digest, parts, row_number


def locked(connection: str, key: str) -> Any:
    """The row of a pair's mention, to oneself until the transaction ends; None where there is none."""
    return Row.objects.using(connection).select_for_update().filter(key=key).first()


def add(connection: str, verdict: Verdict, mention: Mention) -> int:
    """Write a new mention, without its protocols; give its number."""
    (made,) = Row.objects.using(connection).bulk_create([Row(**rows.found(verdict, mention))])
    # not every database can give back the ids of what it inserts
    return int(made.pk or Row.objects.using(connection).values_list("pk", flat=True).get(key=verdict.key))


def change(connection: str, number: int, changes: Mapping[str, Any]) -> None:
    """Change some columns of the mention of that number."""
    if changes:
        Row.objects.using(connection).filter(id=number).update(**changes)


def unite(connection: str, number: int, protocols: Iterable[str]) -> None:
    """Add the protocols that a mention does not have, after those that it has."""
    known = _protocols(connection, [number]).get(number, [])
    new = [protocol for protocol in dict.fromkeys(protocols) if protocol not in known]
    MentionProtocol.objects.using(connection).bulk_create(
        MentionProtocol(mention_id=number, protocol=protocol, position=position)
        for position, protocol in enumerate(new, len(known) + 1)
    )


def find(connection: str, id: str) -> Mention | None:
    """The mention of that id."""
    number = row_number(id)
    if number is None:
        return None
    return next(iter(_mentions(connection, Row.objects.using(connection).filter(id=number))), None)


def pair_of(connection: str, id: str) -> tuple[str, str] | None:
    """The site and the key of the pair of the mention of that id."""
    number = row_number(id)
    pair: tuple[str, str] | None = None
    if number is not None:
        pair = Row.objects.using(connection).filter(id=number).values_list("site", "key").first()
    return pair


def find_for(connection: str, key: str) -> Mention | None:
    """The mention of a pair."""
    return next(iter(_mentions(connection, Row.objects.using(connection).filter(key=key))), None)


def known(connection: str, keys: Sequence[str]) -> set[str]:
    """Those of some pairs that have a mention."""
    return set(Row.objects.using(connection).filter(key__in=keys).values_list("key", flat=True))


def listed(
    connection: str,
    site: str | None,
    pages: Collection[str] | None,
    statuses: Collection[Status] | None,
) -> list[Mention]:
    """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
    chosen = Row.objects.using(connection).order_by("received", "id")
    if pages is not None:
        chosen = chosen.filter(page_key__in=page_keys(pages))
    if site is not None:
        # with pages, no index of the site's: SQLite would read all of its mentions by that
        chosen = chosen.filter(site_key=digest(site)) if pages is None else chosen.filter(site=site)
    if statuses is not None:
        chosen = chosen.filter(status__in=[status.value for status in statuses])
    return _mentions(connection, chosen)


def _mentions(connection: str, chosen: Any) -> list[Mention]:
    found = list(chosen)
    protocols = _protocols(connection, [row.pk for row in found])
    return [rows.mention(row, tuple(protocols.get(row.pk, ()))) for row in found]


def _protocols(connection: str, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The protocols of each mention, in the order of first announcement."""
    protocols: dict[int, list[str]] = {}
    for some in parts(numbers):
        chosen = MentionProtocol.objects.using(connection).filter(mention_id__in=some).order_by("position")
        for number, protocol in chosen.values_list("mention_id", "protocol"):
            protocols.setdefault(number, []).append(protocol)
    return protocols
