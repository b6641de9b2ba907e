"""A schema of its own on a PostgreSQL server, for a script that fills tables; it is gone when the script ends."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
from collections.abc import Iterator

from sqlalchemy import make_url, text

from linkback.store.engine import read_url


@contextlib.contextmanager
def schema(given: str) -> Iterator[str]:
    """The URL of an empty schema on a server, dropped at the end."""
    name = f"linkback_scale_{secrets.token_hex(6)}"
    engine = read_url(given).engine(patient=True)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(given)
        options = f"{url.query.get('options', '')} -csearch_path={name}".strip()
        yield url.update_query_dict({"options": options}).render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def server() -> str:
    """The server that the environment names, or that of this machine."""
    custom = f"postgresql://{getpass.getuser()}@127.0.0.1/postgres"
    return os.environ.get("LINKBACK_TEST_POSTGRES", custom)
