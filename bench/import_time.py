"""What importing linkback and `linkback --version` cost beyond the interpreter: medians of one run, as JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import linkback": [sys.executable, "-c", "import linkback"],
    "linkback --version": [sys.executable, "-m", "linkback", "--version"],
    "import linkback.site": [sys.executable, "-c", "import linkback.site"],
}


def wall(command: list[str]) -> float:
    """Milliseconds from start to end of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Run the commands in turn, so that the machine's moods meet them all alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(runs + 1):
        for name, command in COMMANDS.items():
            took = wall(command)
            if number:  # the first round fills the caches
                times[name].append(took)
    floor = statistics.median(times["python"])
    for name, taken in times.items():
        median = statistics.median(taken)
        figure = {"command": name, "median_ms": round(median, 1), "beyond_python_ms": round(median - floor, 1)}
        print(json.dumps({**figure, "ratio": round(median / floor, 2)}))


if __name__ == "__main__":
    main()
