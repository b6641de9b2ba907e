"""How PostgreSQL goes about each call of the store once its tables are large: by an index, and never row by row.

Rule: nothing here is timed; what counts is how many rows a statement looks at, for one blog as for ten thousand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from linkback.store.schema import metadata
from tests.databases import Databases

REPOSITORY = Path(__file__).parents[2]
#: enough that a table is not read from end to end because that is quicker
SIZE = 20_000
#: two indexes begin with the pair, and either finds the few claims that an ordinary one has
CLAIMS = "ix_linkback_claims_key or ix_linkback_claims_last"
#: what each call of the hot path uses, besides primary keys
SERVED_BY = {
    "add_claim": (CLAIMS, "uq_linkback_jobs_kind"),
    "open_claims": (CLAIMS,),
    "open_claims, of a pair told often": ("ix_linkback_claims_key",),
    "last_claim": (CLAIMS,),
    "last_claim, of a pair told often": ("ix_linkback_claims_last",),
    "mention_for": ("uq_linkback_mentions_key",),
    "lease, of any site": ("ix_linkback_jobs_due",),
    "lease, of one site": ("ix_linkback_jobs_site_key",),
    "lease, of one kind": ("ix_linkback_jobs_kind",),
    "lease, of one site and kind": ("ix_linkback_jobs_site_kind",),
    "lease, of the big site and one kind": ("ix_linkback_jobs_site_kind",),
    "lease_newest, of any site": (),
    "lease_newest, of one site": (),
    "lease_newest, of the big site": (),
    "due, a thousand of any site": ("ix_linkback_jobs_due",),
    "checks_due, a thousand of one site": ("ix_linkback_jobs_site_kind",),
    "checks_due, a thousand of the big site": ("ix_linkback_jobs_site_kind",),
    "next_due, of any site": ("ix_linkback_jobs_due",),
    "next_due, of one site": ("ix_linkback_jobs_site_key",),
    "next_due, of one kind": ("ix_linkback_jobs_kind",),
    "finish_check": (CLAIMS, "uq_linkback_mentions_key"),
    "begin_post": ("ix_linkback_hosts_holder",),
    "finish_delivery": ("ix_linkback_hosts_holder",),
    "record_edit, new with 50 links": ("uq_linkback_posts_key", "ix_linkback_deliveries_source_key"),
    "record_edit, one link of 50 changed": ("uq_linkback_posts_key", "ix_linkback_deliveries_source_key"),
    "deliveries, of one post": ("ix_linkback_deliveries_source_key",),
    "mentions, of one page": ("ix_linkback_mentions_page_key",),
    "mentions, pending of one site": ("ix_linkback_mentions_site_key",),
}


def plans(databases: Databases, *more: str) -> tuple[int, dict[str, Any]]:
    """How the bench ends, and what it found of each call."""
    command = [sys.executable, str(REPOSITORY / "bench" / "scale.py"), "--size", str(SIZE), "--hosts", "5000"]
    command += ["--calls", "0", "--database", databases.server("postgresql").url, *more]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.stderr == ""
    figures = [json.loads(line) for line in ended.stdout.splitlines()]
    return ended.returncode, {figure["call"]: figure for figure in figures if "call" in figure}


@pytest.fixture(scope="module")
def found(databases: Databases) -> dict[str, Any]:
    """What the bench finds of each call."""
    return plans(databases)[1]


@pytest.mark.parametrize("call", SERVED_BY)
def test_a_call_of_the_hot_path_reads_by_an_index_what_it_needs(call: str, found: dict[str, Any]) -> None:
    assert found[call]["findings"] == []
    used = set(found[call]["indexes"])
    assert [index for index in SERVED_BY[call] if used.isdisjoint(index.split(" or "))] == []


def test_every_call_of_the_hot_path_is_looked_at(found: dict[str, Any]) -> None:
    assert {call for call, figure in found.items() if figure["hot"]} == set(SERVED_BY)


def test_an_index_that_is_missing_is_found_out(databases: Databases) -> None:
    """Or the tests above would say nothing."""
    missing = ("ix_linkback_jobs_due", "ix_linkback_deliveries_source_key")
    code, found = plans(databases, *(word for index in missing for word in ("--without", index)))
    assert code == 1
    affected = {call for call, figure in found.items() if figure["hot"] and figure["findings"]}
    assert affected >= {"lease, of any site", "next_due, of any site", "deliveries, of one post"}


def test_the_guide_names_the_indexes_that_there_are() -> None:
    guide = (REPOSITORY / "docs" / "guides" / "scale.md").read_text()
    names = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert [name for name in sorted(names) if f"`{name}`" not in guide] == []
