"""The log of a command, on stderr: what strangers wrote is plain text there too."""

from __future__ import annotations

import io
import logging
import sys

from linkback.plaintext import collapse


class _PlainFormatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        return collapse(super().formatMessage(record))


def set_up(*, verbose: bool) -> None:
    """Send warnings to stderr, with `verbose` also what is done, and let no locale fail a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO if verbose else logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
