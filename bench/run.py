"""Run the scripts of all figures in turn, keep what they print, and write `docs/performance.md` with a plot for each.

A figure that fails is told on stderr, and the others go on; it ends with 1 then, and with `--check` also where a goal
is missed, or where `notes.toml` has a reason for one that is met.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import performance
import results
from figure import HERE, ROOT

#: each is a script beside this one; the page has them in this order
FIGURES = (
    "discovery",
    "verification",
    "metadata",
    "fanout",
    "receive",
    "thread",
    "hostile",
    "transport",
    "startup",
    "drain",
)
#: those that read pages
PAGED = frozenset({"discovery", "verification", "metadata"})
DOCS = ROOT / "docs"
NOTES = HERE / "notes.toml"
PATIENCE_SECONDS = 900


class Failed(Exception):
    """A script that gave no figure; the message says why."""


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of pages, *.html; generated ones by default")
    parser.add_argument("--only", action="append", choices=FIGURES, help="measure this figure anew, in the newest run")
    parser.add_argument("--render", action="store_true", help="measure nothing, write the page again")
    parser.add_argument("--check", action="store_true", help="end with 1 where a goal is missed")
    given = parser.parse_args()
    failed = False
    if not given.render:
        failed = measure(given.only or FIGURES, given.corpus, anew=not given.only)
    runs = results.shown(results.load(results.FOLDER), FIGURES)
    notes = tomllib.loads(NOTES.read_text())
    performance.write(DOCS, runs, FIGURES, notes)
    wrong = performance.faults(runs, FIGURES, notes)
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if failed or (given.check and wrong) else 0


def measure(names: tuple[str, ...] | list[str], corpus: Path | None, *, anew: bool) -> bool:
    """Measure figures, into a new run or the newest, which is kept after each; gives whether one failed."""
    kept = results.load(results.FOLDER)
    run = results.Run(results.now(), results.machine()) if anew or not kept else kept[-1]
    failed = False
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        pages = corpus if name in PAGED else None
        try:
            run.figures[name] = results.figure(printed(name, pages), corpus=described(name, pages))
        except (Failed, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
        else:
            results.save(run, results.FOLDER, FIGURES)
    return failed


def printed(name: str, corpus: Path | None) -> list[str]:
    """What a script prints, line by line; what it says on stderr is shown. Raises `Failed`."""
    command: list[Any] = [sys.executable, "-W", "ignore", HERE / f"{name}.py"]
    if corpus:
        command += ["--corpus", corpus]
    # its own session, so that what it started ends with it
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True) as script:
        try:
            lines, _ = script.communicate(timeout=PATIENCE_SECONDS)
        except BaseException as error:
            os.killpg(script.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise Failed(f"not done after {PATIENCE_SECONDS} s") from error
            raise
    if script.returncode:
        raise Failed(f"ended with {script.returncode}")
    return lines.splitlines()


def described(name: str, corpus: Path | None) -> str:
    """The pages that were read, in words; "" where a figure reads none."""
    if name not in PAGED:
        return ""
    if corpus is None:
        return "the generated pages"
    sizes = [path.stat().st_size for path in corpus.glob("*.html")]
    return f"a folder of {len(sizes)} pages, {sum(sizes) / 1e6:.0f} MB"


if __name__ == "__main__":
    # as an interrupt does, so that nothing that was started stays behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    sys.exit(main())
