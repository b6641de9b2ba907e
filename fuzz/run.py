"""Feed one target of `targets.py` by atheris, for some seconds or until it breaks a promise; or try one input again.

New inputs are kept in `fuzz/found/TARGET/`, an input that breaks a promise in `fuzz/found/` as
`TARGET-crash-…`, `-timeout-…` or `-oom-…`. Ends with something else than 0 then.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

# only what is imported here is watched for new paths
with atheris.instrument_imports(include=["linkback"]):
    from targets import TARGETS

HERE = Path(__file__).parent
SEEDS = HERE / "corpus"
WORDS = HERE / "words.dict"
FOUND = HERE / "found"
#: an input that takes longer is a fault: everything that reads strangers' bytes is linear
SLOW_SECONDS = 5
MOST_MB = 1024
#: more than the 4,300 digits that a number may have
MOST_BYTES = 8192


def main() -> None:
    """Do what the command line says; libFuzzer ends the process where it is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("input", type=Path, nargs="?", help="a file to try, and nothing else")
    parser.add_argument("--seconds", type=int, default=60, help="for how long")
    parser.add_argument("--corpus", type=Path, help="where new inputs are kept, and read again the next time")
    given = parser.parse_args()
    if given.input:
        TARGETS[given.target](given.input.read_bytes())
        return
    kept = given.corpus or FOUND / given.target
    for folder in (kept, FOUND):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={given.seconds}",
        f"-artifact_prefix={FOUND / given.target}-",
        f"-dict={WORDS}",
        f"-timeout={SLOW_SECONDS}",
        f"-rss_limit_mb={MOST_MB}",
        f"-max_len={MOST_BYTES}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(kept), str(SEEDS / given.target)], TARGETS[given.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
