"""The `linkback` command, also as `python -m linkback`.

A lone `--version` is answered before the command line is loaded, in a third of the time (bench/startup.py).
"""

import sys

from linkback import __version__


def main() -> int:
    """Run the command line of this process; give its exit code."""
    if sys.argv[1:] == ["--version"]:
        print(f"linkback {__version__}", flush=True)
        return 0
    from linkback import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
