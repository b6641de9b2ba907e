"""Bring a database to the newest schema; the only importer of Alembic, together with the scripts beside it.

Alembic is slow to import, so this package is imported only when a database is not at `SCHEMA_REVISION`.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

#: Alembic keeps the running environment in module globals: one migration at a time in a process
_one_at_a_time = threading.Lock()
#: where Alembic tells at every start, at INFO, what kind of database it found
_chatter = logging.getLogger("alembic.runtime.migration")


def _config() -> Config:
    config = Config()
    # the setting is interpolated, and a directory may have a percent sign in its name
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def knows(revision: str) -> bool:
    """Whether a schema revision is one of ours; one that is not was written by a newer linkback."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def upgrade(connection: Connection, *, to: str = "head") -> None:
    """Run the missing scripts in the connection's own transaction; the caller commits."""
    config = _config()
    config.attributes["connection"] = connection
    with _one_at_a_time:
        level = _chatter.level
        # a host that wants to read it has said so for that logger
        _chatter.setLevel(level or logging.WARNING)
        try:
            command.upgrade(config, to)
        finally:
            _chatter.setLevel(level)
