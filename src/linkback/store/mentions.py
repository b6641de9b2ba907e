"""Checked links, and the word of the person who moderates them.

Rule 1: a pair has one mention, whoever announced it and however often.
Rule 2: a check never changes a status that a person chose, save that a link which is gone is not shown; when it
        comes back, so does that status.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from linkback import urls
from linkback.errors import StoreError
from linkback.model import Author, Mention, Status
from linkback.store import Verdict
from linkback.store.schema import digest, mention_protocols, mentions, row_number

_HIDDEN_FOR_GOOD = frozenset({Status.REJECTED.value, Status.SPAM.value})


def record(connection: Connection, verdict: Verdict, *, late: bool) -> None:
    """Write what a check found of a pair: its mention, or that it is gone.

    `late` says that the worker had lost its lease: it does not overwrite what a later check found.
    """
    # a moderator may speak meanwhile, who takes no turn
    found = connection.execute(select(mentions).where(mentions.c.key == verdict.key).with_for_update()).first()
    looked = _when(verdict)
    if late and found is not None and (looked is None or looked < found.checked):
        return
    if verdict.removed and found is not None:
        changes = _removal(found)
        if looked is not None:
            changes["checked"] = looked
        _change(connection, found.id, changes)
    elif verdict.mention is not None:
        _upsert(connection, verdict, verdict.mention, found)


def _when(verdict: Verdict) -> datetime | None:
    if verdict.mention is not None:
        return verdict.mention.checked
    return max((claim.checked for claim in verdict.claims if claim.checked is not None), default=None)


def _upsert(connection: Connection, verdict: Verdict, mention: Mention, found: Row[*tuple[Any, ...]] | None) -> None:
    if found is not None:
        _change(connection, found.id, {**_description(mention), **_revival(found, mention.status)})
        _unite(connection, found.id, mention.protocols)
        return
    result = connection.execute(
        insert(mentions).values(
            key=verdict.key,
            page_key=urls.page_key(mention.site, verdict.page),
            site=mention.site,
            site_key=digest(mention.site),
            source=mention.source,
            target=mention.target,
            received=mention.received,
            status=mention.status.value,
            decided=False,
            **_description(mention),
        )
    )
    (number,) = result.inserted_primary_key or (0,)
    _unite(connection, number, mention.protocols)


def _description(mention: Mention) -> dict[str, Any]:
    return {
        "title": mention.title,
        "author_name": mention.author.name,
        "author_url": mention.author.url,
        "author_photo": mention.author.photo,
        "excerpt": mention.excerpt,
        "published": mention.published,
        "kind": mention.kind,
        "final_url": mention.final_url,
        "checked": mention.checked,
        "missing_since": mention.missing_since,
        "lost_since": mention.lost_since,
    }


def _revival(found: Row[*tuple[Any, ...]], status: Status) -> dict[str, Any]:
    """What changes of a mention's standing when its link was found."""
    if found.status != Status.REMOVED.value:
        return {}
    if not found.decided:
        return {"status": status.value}
    if found.decided_status is None:
        return {}  # a person removed it
    return {"status": found.decided_status, "decided_status": None}


def _removal(found: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """What changes of a mention's standing when its link is gone."""
    if found.status == Status.REMOVED.value or (found.decided and found.status in _HIDDEN_FOR_GOOD):
        return {}
    return {"status": Status.REMOVED.value, "decided_status": found.status if found.decided else None}


def _change(connection: Connection, number: int, changes: dict[str, Any]) -> None:
    if changes:
        connection.execute(update(mentions).where(mentions.c.id == number).values(**changes))


def _unite(connection: Connection, number: int, protocols: Iterable[str]) -> None:
    known = _protocols(connection, [number]).get(number, [])
    for protocol in dict.fromkeys(protocols):
        if protocol not in known:
            known.append(protocol)
            connection.execute(
                insert(mention_protocols).values(mention_id=number, protocol=protocol, position=len(known))
            )


def moderate(connection: Connection, id: str, status: Status) -> Mention | None:
    """Set the status a person chose."""
    number = row_number(id)
    if number is None:
        return None
    _change(connection, number, {"status": status.value, "decided": True, "decided_status": None})
    return find(connection, id)


def find(connection: Connection, id: str) -> Mention | None:
    """The mention of that id."""
    rows = connection.execute(select(mentions).where(mentions.c.id == row_number(id))).all()
    return next(iter(_mentions(connection, rows)), None)


def find_for(connection: Connection, key: str) -> Mention | None:
    """The mention of a pair."""
    rows = connection.execute(select(mentions).where(mentions.c.key == key)).all()
    return next(iter(_mentions(connection, rows)), None)


def listed(
    connection: Connection,
    site: str | None,
    pages: Collection[str] | None,
    statuses: Collection[Status] | None,
) -> list[Mention]:
    """Mentions in the order they were received; `pages` are values of `urls.page_key`."""
    statement = select(mentions).order_by(mentions.c.received, mentions.c.id)
    if site is not None:
        statement = statement.where(mentions.c.site_key == digest(site))
    if pages is not None:
        strange = next((page for page in pages if len(page) != 64 or "/" in page), None)
        if strange is not None:
            raise StoreError(f"mentions are looked up by urls.page_key, not by {strange!r}")
        statement = statement.where(mentions.c.page_key.in_(pages))
    if statuses is not None:
        statement = statement.where(mentions.c.status.in_([status.value for status in statuses]))
    return _mentions(connection, connection.execute(statement).all())


def _mentions(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Mention]:
    protocols = _protocols(connection, [row.id for row in rows])
    return [_mention(row, tuple(protocols.get(row.id, ()))) for row in rows]


def _protocols(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The protocols of each mention, in the order of first announcement."""
    protocols: dict[int, list[str]] = {}
    # databases limit the parameters of one statement
    for start in range(0, len(numbers), 500):
        chosen = mention_protocols.c.mention_id.in_(numbers[start : start + 500])
        statement = select(mention_protocols).where(chosen).order_by(mention_protocols.c.position)
        for row in connection.execute(statement):
            protocols.setdefault(row.mention_id, []).append(row.protocol)
    return protocols


def _mention(row: Row[*tuple[Any, ...]], protocols: tuple[str, ...]) -> Mention:
    return Mention(
        id=str(row.id),
        site=row.site,
        source=row.source,
        target=row.target,
        protocols=protocols,
        status=Status(row.status),
        received=row.received,
        checked=row.checked,
        title=row.title,
        author=Author(row.author_name, row.author_url, row.author_photo),
        excerpt=row.excerpt,
        published=row.published,
        kind=row.kind,
        final_url=row.final_url,
        missing_since=row.missing_since,
        lost_since=row.lost_since,
    )
