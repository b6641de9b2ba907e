"""The statements about hosts, each of which has one row for what is sent to it and one for what is read from it."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from linkback.store.keys import digest, parts
from linkback.store.schema import hosts
from linkback.store.turns import READ, Spread

# made once, as every claim needs them: to make a statement again costs five times what it does (durable receive)
_SLOTS = (
    select(hosts.c.key, hosts.c.next_slot)
    .where(hosts.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(hosts.c.key)
    .with_for_update()
)
_LOCKED = select(hosts).where(hosts.c.key == bindparam("of")).with_for_update()
_ADD = insert(hosts)
_CHANGE = update(hosts).where(hosts.c.key == bindparam("of"))
_TAKE = _CHANGE.values(next_slot=bindparam("slot"))
_LET_GO = (
    update(hosts).where(hosts.c.holder.in_(bindparam("holders", expanding=True))).values(busy_until=None, holder=None)
)

_SOME = (
    select(hosts.c.key, hosts.c.next_slot, hosts.c.free_at, hosts.c.busy_until)
    .where(hosts.c.key > bindparam("after"))
    .order_by(hosts.c.key)
    .limit(bindparam("most"))
)
# asked again, as one may have been spoken to meanwhile
_FORGET = delete(hosts).where(
    hosts.c.key.in_(bindparam("keys", expanding=True)),
    hosts.c.next_slot <= bindparam("before"),
    hosts.c.free_at <= bindparam("before"),
    or_(hosts.c.busy_until.is_(None), hosts.c.busy_until <= bindparam("before")),
)


def locked(connection: Connection, host: str) -> Any:
    """The row of a host, to oneself until the transaction ends; None where there is none."""
    return connection.execute(_LOCKED, {"of": digest(host)}).first()


def add(connection: Connection, host: str, values: Mapping[str, Any]) -> None:
    """Write the row of a host that has none."""
    connection.execute(_ADD, {"key": digest(host), "host": host, **values})


def change(connection: Connection, host: str, values: Mapping[str, Any]) -> None:
    """Change some columns of a host's row."""
    connection.execute(_CHANGE, {"of": digest(host), **values})


def next_slots(connection: Connection, names: Collection[str]) -> dict[str, datetime]:
    """The next free slot of the hosts that are known, their rows locked in one order: nobody waits in a ring."""
    by_key = {digest(name): name for name in names}
    found = {}
    for keys in parts(sorted(by_key)):
        for row in connection.execute(_SLOTS, {"keys": keys}):
            found[by_key[row.key]] = row.next_slot
    return found


def put(connection: Connection, spread: Spread) -> None:
    """Write the slots that were taken, the rows of hosts that have none among them."""
    new = [
        {"key": digest(name), "host": name, "next_slot": slot, "free_at": turn}
        for name, (slot, turn) in spread.new.items()
    ]
    # in one order, as rows that another adds at this moment are waited for
    new.sort(key=operator.itemgetter("key"))
    old = [{"of": digest(name), "slot": slot} for name, slot in spread.known.items()]
    if new:
        connection.execute(_ADD, new)
    if old:
        connection.execute(_TAKE, old)


def let_go(connection: Connection, holders: Sequence[str]) -> None:
    """End the holds of these names."""
    connection.execute(_LET_GO, {"holders": holders})


def rest(connection: Connection, host: str, until: datetime) -> None:
    """Have a host's row say that nothing is sent before a time."""
    chosen = update(hosts).where(hosts.c.key == digest(host))
    connection.execute(chosen.where(hosts.c.free_at < until).values(free_at=until))
    connection.execute(chosen.where(hosts.c.next_slot < until).values(next_slot=until))


def forget_reads(connection: Connection, after: datetime, now: datetime) -> None:
    """Have the rows of hosts that are read from say `now` where they name a time after another."""
    read = update(hosts).where(hosts.c.host.startswith(READ))
    connection.execute(read.where(hosts.c.free_at > after).values(free_at=now))
    connection.execute(read.where(hosts.c.next_slot > after).values(next_slot=now))


def some(connection: Connection, after: str, limit: int) -> Sequence[Any]:
    """The `key`, `next_slot`, `free_at` and `busy_until` of the first `limit` rows after a key."""
    return connection.execute(_SOME, {"after": after, "most": limit}).all()


def forget(connection: Connection, keys: Sequence[str], before: datetime) -> None:
    """Delete the rows of these keys that name no time after one."""
    connection.execute(_FORGET, {"keys": list(keys), "before": before})
