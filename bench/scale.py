"""What each call of the store costs on PostgreSQL as its tables grow from 1e4 to 1e6 rows, and by which indexes.

Makes a schema of its own on a server, fills it (a tenth of all rows is one big blog's), and measures the calls in turn.
Prints one JSON object a line: what was filled, each call, and how each grew. `findings` of a call names a table that it
reads from end to end, or rows that it reads in vain; with one in a call of the hot path the exit code is 1.

`read` is the most rows that one statement of the call looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from scale_calls import Calls, Step, sites
from scale_server import schema, server
from sqlalchemy import Connection, Engine, event, func, select

from linkback.store import open_store
from linkback.store.engine import read_url
from linkback.store.schema import metadata

TABLES = tuple(metadata.tables)
_WARM = 20
#: more rows than this, and many times what it gives, are rows read in vain
_FEW, _MANY = 1_000, 20
_PARAMETER = re.compile(r"%\((\w+)\)s")


def fill(engine: Engine, size: int, hosts: int, without: Iterable[str] = ()) -> dict[str, int]:
    """Fill the tables, and give how many rows each has."""
    script = Path(__file__).with_suffix(".sql").read_text()
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        # several statements in one go are for the driver alone
        raw: Any = connection.connection.driver_connection
        raw.execute(script.format(size=size, sites=sites(size), hosts=hosts))
        for index in without:
            connection.exec_driver_sql(f"DROP INDEX {index}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM ANALYZE {', '.join(TABLES)}")
        return {
            name: connection.scalars(select(func.count()).select_from(metadata.tables[name])).one() for name in TABLES
        }


class Plans:
    """The statements of a call, and how PostgreSQL goes about them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, Any] | None = None
        event.listen(Engine, "before_cursor_execute", self._note)

    def _note(self, connection: Connection, cursor: object, statement: str, parameters: Any, *others: object) -> None:
        if self._seen is not None and statement.split()[0] in ("SELECT", "UPDATE", "DELETE"):
            # what is said of many rows at once is the same for each
            self._seen.setdefault(statement, parameters[0] if isinstance(parameters, list) else parameters)

    @contextlib.contextmanager
    def watched(self) -> Iterator[dict[str, Any]]:
        """The statements that are issued meanwhile, with their parameters; inserts go through no plan to speak of."""
        seen: dict[str, Any] = {}
        self._seen = seen
        try:
            yield seen
        finally:
            self._seen = None

    def explain(self, seen: dict[str, Any]) -> dict[str, Any]:
        """What statements read: the most rows that one looked at, the indexes, and the findings."""
        read, indexes, findings = 0, set[str](), dict[str, None]()
        for statement, parameters in seen.items():
            actual = self._actual(statement, parameters)
            looked, given = sum(_looked_at(node) for node in actual), _given(actual)
            read = max(read, looked)
            if looked > _FEW and looked > _MANY * given:
                findings[f"reads {looked} rows for {given}: {_short(statement)}"] = None
            for node in (*actual, *self._generic(statement)):
                indexes |= {node["Index Name"]} if "Index Name" in node else set()
                if node["Node Type"] == "Seq Scan":
                    findings[f"reads {node['Relation Name']} from end to end: {_short(statement)}"] = None
        return {"read": read, "indexes": sorted(indexes), "findings": list(findings)}

    def _actual(self, statement: str, parameters: Any) -> list[dict[str, Any]]:
        """The nodes of the plan for these parameters, its root first; what the statement changes is undone."""
        with self._engine.connect() as connection:
            return _explained(connection, f"ANALYZE, FORMAT JSON) {statement}", parameters)

    def _generic(self, statement: str) -> list[dict[str, Any]]:
        """The plan for any parameters, which a statement may get when it was prepared and used some times."""
        names = list(dict.fromkeys(_PARAMETER.findall(statement)))
        numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
        values = f"({', '.join(['NULL'] * len(names))})" if names else ""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
            connection.exec_driver_sql(f"PREPARE it AS {numbered}")
            plan = _explained(connection, f"FORMAT JSON) EXECUTE it{values}")
            connection.exec_driver_sql("DEALLOCATE it")
        return plan


def _explained(connection: Connection, what: str, parameters: Any = ()) -> list[dict[str, Any]]:
    return list(_nodes(connection.exec_driver_sql(f"EXPLAIN ({what}", parameters).scalar_one()[0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    return int(node["Actual Rows"] * node["Actual Loops"])


def _given(nodes: list[dict[str, Any]]) -> int:
    """How many rows a statement gives, or changes."""
    return _rows(nodes[1] if nodes[0]["Node Type"] == "ModifyTable" else nodes[0])


def _looked_at(node: dict[str, Any]) -> int:
    """How many rows of a table a node looked at; one that changes rows got them from another."""
    if "Relation Name" not in node or node["Node Type"] == "ModifyTable":
        return 0
    dropped = sum(node.get(f"Rows Removed by {reason}", 0) for reason in ("Filter", "Index Recheck"))
    return _rows(node) + int(dropped * node["Actual Loops"])


def _short(statement: str) -> str:
    return " ".join(re.sub(r"^SELECT .*?\sFROM", "SELECT … FROM", statement, flags=re.DOTALL).split())


def timed(step: Step) -> float:
    """Milliseconds that the timed part of a call takes."""
    action = next(step)
    start = time.perf_counter()
    result = action()
    took = (time.perf_counter() - start) * 1000
    with contextlib.suppress(StopIteration):
        step.send(result)
    return took


def look(call: Callable[[], Step], plans: Plans) -> dict[str, Any]:
    """What the statements of a call read."""
    step = call()
    action = next(step)
    with plans.watched() as seen:
        result = action()
    found = plans.explain(seen)
    with contextlib.suppress(StopIteration):
        step.send(result)
    return found


def measure(calls: Calls, plans: Plans, runs: int) -> Iterator[dict[str, Any]]:
    """Each call: what it reads, and how long it takes."""
    for hot, group in ((True, calls.hot()), (False, calls.cold())):
        for name, call in group.items():
            figure = {"size": calls.size, "call": name, "hot": hot}
            times = [timed(call()) for _ in range((runs if hot else runs // 10) + _WARM)][_WARM:] if runs else []
            if times:
                figure["median_ms"] = round(statistics.median(times), 3)
                figure["p95_ms"] = round(statistics.quantiles(times, n=20)[-1], 3)
            yield figure | look(call, plans)


def main() -> int:
    """Measure at each size in turn, and compare the last with the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default=server(), help="a PostgreSQL database in which a schema may be made")
    parser.add_argument("--size", type=int, action="append", help="rows of each table; 1e4, 1e5 and 1e6 by default")
    parser.add_argument("--hosts", type=int, default=100_000, help="how many hosts the links lead to and come from")
    parser.add_argument("--calls", type=int, default=200, help="how often to time each call; 0 looks at plans only")
    parser.add_argument(
        "--without", action="append", default=[], metavar="INDEX", help="what if there were no such index"
    )
    given = parser.parse_args()
    medians: dict[str, list[float]] = {}
    faults = 0
    for size in given.size or (10_000, 100_000, 1_000_000):
        with schema(given.database) as url, contextlib.closing(open_store(url)) as store:
            engine = read_url(url).engine(patient=True)
            start = time.perf_counter()
            rows = fill(engine, size, given.hosts, given.without)
            print(json.dumps({"size": size, "fill_s": round(time.perf_counter() - start, 1), "rows": rows}), flush=True)
            for figure in measure(Calls(store, size, given.hosts), Plans(engine), given.calls):
                print(json.dumps(figure, ensure_ascii=False), flush=True)
                medians.setdefault(figure["call"], []).append(figure.get("median_ms", 0.0))
                faults += bool(figure["hot"] and figure["findings"])
            engine.dispose()
    for name, taken in medians.items():
        if len(taken) > 1 and taken[0]:
            print(json.dumps({"call": name, "medians_ms": taken, "ratio": round(taken[-1] / taken[0], 2)}))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
