"""Which servers are too old, by what they say of themselves; whichever driver asked them."""

from __future__ import annotations

import re

from linkback.errors import StoreError

#: the first versions that can skip locked rows
_OLDEST = {"MySQL": (8, 0, 1), "MariaDB": (10, 6, 0)}
#: MariaDB may say that it is a 5.5.5 first, for the sake of old clients
_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")


def check_mysql(name: str, version: str) -> None:
    """Raise `StoreError` for a server of MySQL or MariaDB that is too old; `name` is the database's."""
    server = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    found = _VERSION.match(version)
    if found is None or tuple(int(number) for number in found.groups()) < _OLDEST[server]:
        wanted = ".".join(str(number) for number in _OLDEST[server])
        raise StoreError(f"{name}: {server} {version} is too old; linkback needs {wanted}")
