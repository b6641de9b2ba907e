"""The Celery app of test_celery_redis.py, as a host would write it; only its leases are short enough to wait for."""

from __future__ import annotations

import json
import os

from celery import Celery

from linkback import site, work
from linkback.adapters.celery import connect
from linkback.fetch import Fetcher
from linkback.jobs import Runner
from linkback.policy import Outgoing, Policy, Retry
from tests.serving import LOOPBACK

#: where the settings stand, as JSON
VARIABLE = "LINKBACK_TEST_CELERY"
LEASE_SECONDS = 5
SWEEP_SECONDS = 2.0


def make(home: str, store: str, runner: Runner | None = None) -> site.Site:
    """The blog; its requests say which process made them."""
    return site.Site(
        home,
        store=store,
        fetch=Fetcher(allow=LOOPBACK, user_agent=f"worker/{os.getpid()}"),
        policy=Policy(settle_seconds=0, recheck_days=0),
        outgoing=Outgoing(host_seconds=0, most_told_a_host=100),
        retry=Retry(delays=(1.0, 1.0, 1.0)),
        runner=runner,
    )


if VARIABLE in os.environ:
    for module in (work, site):
        vars(module)["LEASE_SECONDS"] = LEASE_SECONDS
    settings = json.loads(os.environ[VARIABLE])
    app = Celery("blog")
    app.conf.update(settings["celery"])
    connect(app, lambda: make(settings["home"], settings["store"]), every=SWEEP_SECONDS)
