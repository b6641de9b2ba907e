"""The column types and table options that scripts use, so that a table is the same thing on every database.

Rule: a name here never changes its meaning, since old scripts rely on it; another need is another name.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

#: text of any length, where MySQL's own TEXT ends at 64 KiB
TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
#: a moment in UTC, to the microsecond, where MySQL's own DATETIME has whole seconds
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: for `create_table`: transactions, every character, and `a` is not `A`; an option of another database is passed over
TABLE: dict[str, Any] = {
    f"{server}_{option}": value
    for server in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
