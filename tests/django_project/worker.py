"""Settings for a process of its own, on the database of the test that starts it."""

from __future__ import annotations

import os

from linkback.policy import Policy
from tests.django_project.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["TEST_DATABASE"]}}
LINKBACK = {
    "SITE": "https://t.example",
    "WORKERS": int(os.environ.get("TEST_WORKERS", "0")),
    "ALLOW_NETWORKS": "127.0.0.0/8",
    "POLICY": Policy(settle_seconds=0, recheck_days=0),
}
