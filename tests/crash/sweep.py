"""Kill a process at its first event, a new one at its second, and so on, until one is not killed any more.

Rule 1: each life is a forked child, so that nothing which it held in memory is left; the parent keeps no connection.
Rule 2: what the world saw is in a file of the world's, written with one system call, so it outlives who told it.
"""

from __future__ import annotations

import gc
import itertools
import json
import logging
import os
import signal
import traceback
import typing
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.backends import Backend
from tests.crash.events import KILL, Events, Mischief, hook

#: after so many seconds a child that hangs is ended by the kernel
_PATIENCE = 60


class Witness:
    """What the world saw, as one file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def say(self, kind: str, **fields: object) -> None:
        """Note what was seen."""
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(file, json.dumps({"kind": kind, **fields}).encode() + b"\n")
        os.close(file)

    def saw(self, kind: str) -> list[dict[str, Any]]:
        """What was seen of one kind, in order."""
        lines = (json.loads(line) for line in self._path.read_text().splitlines())
        return [line for line in lines if line["kind"] == kind]


@dataclass(frozen=True, slots=True)
class Run:
    """One life and what follows it: its database, its events, its witness."""

    url: str
    witness: Witness
    mischief: Mischief
    trace: Path
    events: Events | None = None

    def tick(self, when: str, what: str) -> None:
        """An event at the border to the world."""
        if self.events is not None:
            self.events(when, what)

    def arm(self) -> None:
        """From now on events count."""
        if self.events is not None:
            self.events.arm()

    @property
    def passed(self) -> list[str]:
        """The events of the first life, the last of them the one that it died of."""
        return [line[2:] for line in self.trace.read_text().splitlines()]


class Trial(typing.Protocol):
    """What is swept."""

    name: str
    #: whether it begins without any tables
    bare: bool

    def live(self, run: Run) -> object:
        """The life that is cut short, in which events count from `run.arm()` on; its value goes to `again`."""

    def again(self, run: Run, left: Any) -> None:
        """What is done, and found, after it; raises `AssertionError`.

        `left` is what `live` gave where its process goes on, and None after a kill.
        """


@dataclass(slots=True)
class Swept:
    """How a sweep went: at how many events mischief was done, what was found wrong, and all events there are."""

    met: int = 0
    wrong: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


def sweep(trial: Trial, backend: Backend, mischief: Mischief, *, every: int = 1) -> Swept:
    """Do mischief at each event of a trial in turn, or at each of so many, until none is left."""
    _warm_up(trial, backend, mischief)
    swept = Swept()
    for at in itertools.count(1, every):
        report = backend.folder / "report"
        report.unlink(missing_ok=True)
        (backend.folder / "witness").unlink(missing_ok=True)
        url = backend.fresh(bare=trial.bare)
        ended = _lives(trial, backend, url, mischief, at, report)
        trace = (backend.folder / "trace").read_text().splitlines()
        hit = next((line[2:] for line in trace if line.startswith("!")), None)
        if ended:
            told = report.read_text() if report.exists() else f"a child ended with status {ended}"
            swept.wrong.append(f"{trial.name}: {mischief.name} at event {at}, {hit}:\n{told}")
        if hit is None:
            swept.events = [line[2:] for line in trace if line.startswith(" ")]
            break
        swept.met += 1
    return swept


def _warm_up(trial: Trial, backend: Backend, mischief: Mischief) -> None:
    """An undisturbed life, here: what it imports and compiles the children need not."""
    trace, witness = backend.folder / "trace", backend.folder / "witness"
    witness.unlink(missing_ok=True)
    trace.write_bytes(b"")
    run = Run(backend.fresh(bare=trial.bare), Witness(witness), mischief, trace)
    trial.again(run, trial.live(run))


def _lives(trial: Trial, backend: Backend, url: str, mischief: Mischief, at: int, report: Path) -> int:
    """The life that is cut short and the one after it; not 0 where either ended as it must not."""
    trace, witness = backend.folder / "trace", backend.folder / "witness"

    def first() -> None:
        events = Events(trace, at, mischief)
        hook(events)
        run = Run(url, Witness(witness), mischief, trace, events)
        left = trial.live(run)
        events.disarm()
        if mischief is not KILL:
            trial.again(run, left)

    def second() -> None:
        trial.again(Run(url, Witness(witness), mischief, trace), None)

    ended = _forked(first, report)
    if mischief is not KILL:
        return ended
    backend.settle()
    killed = os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL
    return _forked(second, report) if killed or not ended else ended


def _forked(work: Callable[[], object], report: Path) -> int:
    """The status with which a child ended that did some work; what it raised is in the report."""
    with warnings.catch_warnings():
        # threads that other tests left behind hold nothing that a child needs
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(_PATIENCE)
            # a life is too short for it, and it would copy all that the parent has
            gc.disable()
            logging.disable()
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the parent's code must not run here
            report.write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
