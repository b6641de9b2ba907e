"""The `linkback` command, also as `python -m linkback`.

A lone `--version` is answered before the command line is loaded, in a third of the time (bench/startup.py).
"""

import os
import sys

from linkback import __version__


def main() -> int:
    """Run the command line of this process; give its exit code."""
    if sys.argv[1:] == ["--version"]:
        try:
            print(f"linkback {__version__}", flush=True)
        except BrokenPipeError:
            # nobody reads it; nor may the interpreter try to write it again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        return 0
    from linkback import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
