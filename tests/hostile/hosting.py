"""The blog of a host application, for `linkback worker --app tests.hostile.hosting:site`, in the database of the
environment's `LINKBACK_TEST_STORE`.

It reads loopback, and tries again every second what did not work.
"""

from __future__ import annotations

import os

from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.policy import Policy, Retry
from linkback.site import Site
from tests.hostile.pinging import HOME
from tests.serving import LOOPBACK

site = Site(
    HOME,
    store=os.environ["LINKBACK_TEST_STORE"],
    fetch=Fetcher(LOOPBACK),
    policy=Policy(settle_seconds=0, second_look_seconds=1),
    retry=Retry(delays=(1.0,) * 60, jitter=0),
    runner=External(),
)
