"""All trials there are, as the parameters of a test."""

from __future__ import annotations

import pytest

from tests.crash.opening import OPENING
from tests.crash.receiving import RECEIVING
from tests.crash.sending import SENDING
from tests.crash.sweep import Trial

_EVERY: tuple[Trial, ...] = (*RECEIVING, *SENDING, *OPENING)

TRIALS = [pytest.param(trial, id=trial.name) for trial in _EVERY]
