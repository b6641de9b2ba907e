"""`python -m linkback` is the `linkback` command."""

import sys

from linkback.cli import main

if __name__ == "__main__":
    sys.exit(main())
