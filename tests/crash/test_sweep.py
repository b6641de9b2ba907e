"""The sweep finds what it looks for: a program that is careless is found out, at the very event."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert
from sqlalchemy.exc import SQLAlchemyError

from tests.crash.backends import Backend, engine
from tests.crash.events import KILL, Mischief
from tests.crash.state import check, rows, same
from tests.crash.sweep import Run, sweep

_metadata = MetaData()
_left = Table("left_hand", _metadata, Column("id", Integer, primary_key=True))
_right = Table("right_hand", _metadata, Column("id", Integer, primary_key=True))
_BROKEN = Mischief("broken", lambda dbapi: dbapi.OperationalError("disk I/O error"))


class Careful:
    """Two rows that belong together are written, and then the world is told that they are there."""

    name = "careful"
    bare = True

    def live(self, run: Run) -> str:
        """They are written."""
        _metadata.create_all(engine(run.url))
        run.arm()
        with contextlib.suppress(SQLAlchemyError):
            self.write(run)
        return run.url

    def write(self, run: Run) -> None:
        """Both in one transaction."""
        with engine(run.url).begin() as connection:
            connection.execute(insert(_left).values(id=1))
            connection.execute(insert(_right).values(id=1))
        self.tell(run)

    def tell(self, run: Run) -> None:
        """The world hears of it."""
        run.tick("before", "ANSWER")
        run.witness.say("answer")
        run.tick("after", "ANSWER")

    def again(self, run: Run, left: Any) -> None:
        """Both are there or none is, and both where that was told."""
        there, others = (len(each) for each in rows(run.url, "left_hand", "right_hand"))
        same("the other hand", others, there)
        check(there == 1 or not run.witness.saw("answer"), "what was told is lost")


class InTwoSteps(Careful):
    """Half of it is committed first."""

    def write(self, run: Run) -> None:
        """Each in a transaction of its own."""
        for table in (_left, _right):
            with engine(run.url).begin() as connection:
                connection.execute(insert(table).values(id=1))
        self.tell(run)


class TooSoon(Careful):
    """It is told before it is committed."""

    def write(self, run: Run) -> None:
        """The answer is in the middle."""
        with engine(run.url).begin() as connection:
            connection.execute(insert(_left).values(id=1))
            connection.execute(insert(_right).values(id=1))
            self.tell(run)


class Hidden(Careful):
    """What fails is passed over in silence."""

    def write(self, run: Run) -> None:
        """Each for itself, whatever happens to the other."""
        for table in (_left, _right):
            with contextlib.suppress(SQLAlchemyError), engine(run.url).begin() as connection:
                connection.execute(insert(table).values(id=1))
        self.tell(run)


class Stumbling(Careful):
    """A life that ends in another way than by a kill."""

    def write(self, run: Run) -> None:
        """It never gets so far."""
        raise RuntimeError("stumbled")


EACH = ["before INSERT left_hand", "before COMMIT", "before INSERT right_hand", "before COMMIT"]
BETWEEN = ["after COMMIT", "before INSERT right_hand", "after INSERT right_hand", "before COMMIT"]


@pytest.mark.parametrize(
    ("trial", "mischief", "where"),
    [
        pytest.param(Careful(), KILL, [], id="careful"),
        pytest.param(Careful(), _BROKEN, [], id="careful, errors"),
        pytest.param(InTwoSteps(), KILL, BETWEEN, id="two steps"),
        pytest.param(TooSoon(), KILL, ["after ANSWER", "before COMMIT"], id="told too soon"),
        pytest.param(TooSoon(), _BROKEN, ["before COMMIT"], id="told too soon, errors"),
        pytest.param(Hidden(), _BROKEN, EACH, id="hidden errors"),
    ],
)
def test_a_careless_program_is_found_out(
    backend: Backend, trial: Careful, mischief: Mischief, where: list[str]
) -> None:
    swept = sweep(trial, backend, mischief)
    found = [wrong.partition("\n")[0].partition(", ")[2].rstrip(":") for wrong in swept.wrong]
    # a driver has more to say, to one server more than to another
    assert [event for event in found if any(word in event for word in ("INSERT", "COMMIT", "ANSWER"))] == where
    assert swept.met > len(EACH)


def test_a_life_that_ends_otherwise_is_told(backend: Backend) -> None:
    with pytest.raises(RuntimeError, match="stumbled"):
        sweep(Stumbling(), backend, KILL)
