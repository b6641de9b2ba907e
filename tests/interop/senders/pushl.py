"""pushl reads the post and tells every page that it links to; what it did is in its log."""

import asyncio
import sys

from pushl.__main__ import main  # type: ignore[import-not-found]

sys.argv = ["pushl", "-vv", "--entry", sys.argv[1]]
# it asks for the current event loop, which Python 3.14 no longer makes by itself
asyncio.set_event_loop(asyncio.new_event_loop())
main()
