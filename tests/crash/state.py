"""What must be true of the records, whatever happened to whoever wrote them."""

from __future__ import annotations

import contextlib
import sqlite3
from types import SimpleNamespace
from typing import Any

from sqlalchemy import make_url

from linkback.model import ClaimState, JobKind, Outcome
from tests.crash.backends import engine

_OURS = ("claims", "mentions", "mention_protocols", "posts", "deliveries", "jobs", "hosts")


def rows(url: str, *tables: str) -> list[list[Any]]:
    """The rows of each table, past the store, as the database holds them and in the order they were made."""
    with engine(url).connect() as connection:
        found = [connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all() for table in tables]
    return [sorted((SimpleNamespace(**row) for row in each), key=lambda row: getattr(row, "id", 0)) for each in found]


def check(true: bool, what: str) -> None:
    """Raise `AssertionError` unless something holds."""
    if not true:
        raise AssertionError(what)


def same(what: str, found: object, wanted: object) -> None:
    """Raise `AssertionError` unless two are equal."""
    check(found == wanted, f"{what}: found {found!r}, not {wanted!r}")


def _all(url: str) -> SimpleNamespace:
    return SimpleNamespace(**dict(zip(_OURS, rows(url, *(f"linkback_{name}" for name in _OURS)), strict=True)))


def sound(url: str) -> None:
    """No row is in two states, and nothing that waits is without the job that will end it."""
    kept = _all(url)
    work = {(job.kind, job.subject) for job in kept.jobs}
    for claim in kept.claims:
        waits = claim.state == ClaimState.QUEUED
        same(f"claim {claim.id} ({claim.state}) is open", bool(claim.open), waits)
        check(not waits or (JobKind.CHECK, claim.key) in work, f"the open claim {claim.id} has no job")
    for delivery in kept.deliveries:
        waits = delivery.outcome == Outcome.QUEUED
        check(not waits or (JobKind.DELIVER, str(delivery.id)) in work, f"the queued delivery {delivery.id} has no job")
    announced = {row.mention_id for row in kept.mention_protocols}
    same("the mentions that a protocol announced", announced, {row.id for row in kept.mentions})
    uncorrupted(url)


def uncorrupted(url: str) -> None:
    """What the database itself says of its file; a server looks after its own."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database is None:
        return
    with contextlib.closing(sqlite3.connect(parsed.database)) as connection:
        same("integrity_check", connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        same("foreign_key_check", connection.execute("PRAGMA foreign_key_check").fetchall(), [])


def idle(url: str) -> None:
    """Nothing waits, is held or hangs; mentions may be due for another look some day."""
    kept = _all(url)
    check(not any(claim.open for claim in kept.claims), "a claim is still open")
    left = [(job.kind, job.subject, job.due) for job in kept.jobs if job.kind != JobKind.CHECK or job.due is None]
    same("jobs left", left, [])
    same("jobs held", [job.id for job in kept.jobs if job.leased_until is not None], [])
    same("hosts held", [host.host for host in kept.hosts if host.holder is not None], [])
