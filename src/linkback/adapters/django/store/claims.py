"""The statements about claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, Q

from linkback.adapters.django.models import Claim
from linkback.store import ClaimRecord
from linkback.store.rows import claim_record, said


def add(connection: str, record: ClaimRecord) -> None:
    """Write a claim down."""
    Claim.objects.using(connection).bulk_create([Claim(**said(record))])


def change(connection: str, id: str, changes: Mapping[str, Any]) -> None:
    """Change some columns of the claim of that public id."""
    Claim.objects.using(connection).filter(public_id=id).update(**changes)


def find(connection: str, id: str) -> ClaimRecord | None:
    """The claim of that public id."""
    # ids come from strangers, some databases hold no NUL and no lone surrogate, and some do not see a space at the end
    if not (id.isascii() and id.isprintable()):
        return None
    row = Claim.objects.using(connection).filter(public_id=id).first()
    return None if row is None or row.public_id != id else claim_record(row)


def waiting(connection: str, key: str) -> list[ClaimRecord]:
    """A pair's open claims, oldest first."""
    rows = Claim.objects.using(connection).filter(key=key, open=True).order_by("received", "id")
    return [claim_record(row) for row in rows]


def last(connection: str, key: str, protocol: str) -> ClaimRecord | None:
    """A pair's newest claim by one protocol."""
    same = Claim.objects.using(connection).filter(key=key, protocol=protocol)
    row = same.order_by("-received", "-id").first()
    return None if row is None else claim_record(row)


def of_source(connection: str, source_key: str, after: int, limit: int) -> Sequence[tuple[int, str]]:
    """The numbers and the pairs of the first `limit` open claims of a source after a number, in order."""
    rows = Claim.objects.using(connection).filter(source_key=source_key, open=True, id__gt=after).order_by("id")
    return list(rows.values_list("id", "key")[:limit])


def waiting_among(connection: str, keys: Sequence[str]) -> list[ClaimRecord]:
    """The open claims of some pairs, oldest first."""
    rows = Claim.objects.using(connection).filter(key__in=keys, open=True).order_by("received", "id")
    return [claim_record(row) for row in rows]


def ends(connection: str) -> tuple[int, int]:
    """The lowest and the highest number of a claim, 0 where there is none."""
    numbers = Claim.objects.using(connection).values_list("id", flat=True)
    # SQLite would read all of them for both at once
    return numbers.order_by("id").first() or 0, numbers.order_by("-id").first() or 0


def some(connection: str, after: int, limit: int) -> Sequence[Any]:
    """Of the first `limit` claims after a number `id`, `site`, `key`, `protocol`, `open`, `received` and `checked`."""
    rows = Claim.objects.using(connection).filter(id__gt=after).order_by("id")
    columns = ("id", "site", "key", "protocol", "open", "received", "checked")
    return list(rows.values_list(*columns, named=True)[:limit])


def followed(connection: str, numbers: Sequence[int]) -> list[int]:
    """Those of some claims after which their pair was announced again by the same protocol."""
    same = Claim.objects.using(connection).filter(key=OuterRef("key"), protocol=OuterRef("protocol"))
    later = same.filter(Q(received__gt=OuterRef("received")) | Q(received=OuterRef("received"), id__gt=OuterRef("id")))
    chosen = Claim.objects.using(connection).filter(Exists(later), id__in=numbers)
    return list(chosen.values_list("id", flat=True))


def forget(connection: str, numbers: Sequence[int]) -> None:
    """Delete the claims of these numbers that are not open."""
    Claim.objects.using(connection).filter(id__in=numbers, open=False)._raw_delete(connection)
