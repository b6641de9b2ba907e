"""The kinds of columns, so that a value is the same thing in every database and under every setting.

Rule: what is kept depends on no `USE_TZ`, `TIME_ZONE` or collation, and is what the other store would keep.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils import timezone

_MOMENTS = {"sqlite": "datetime", "postgresql": "timestamp without time zone", "mysql": "datetime(6)"}


class MomentField(models.DateTimeField):
    """A moment: kept as naive UTC, given back aware. A `datetime` without offset is refused; text without one, as a
    person types it, is in the current time zone."""

    description = "A moment, in UTC"

    def get_internal_type(self) -> str:
        """A name of our own: what Django does to a `DateTimeField` depends on `USE_TZ`."""
        return "MomentField"

    def db_type(self, connection: Any) -> str | None:
        """The column's type, without a time zone."""
        return _MOMENTS.get(connection.vendor)

    def to_python(self, value: Any) -> Any:
        """The moment that a text means, aware."""
        found = super().to_python(value)
        return timezone.make_aware(found) if isinstance(value, str) and timezone.is_naive(found) else found

    def get_prep_value(self, value: Any) -> Any:
        """The moment in naive UTC; raises `ValueError` for a time without an offset."""
        found = self.to_python(value) if isinstance(value, str) else value
        if not isinstance(found, datetime):
            return found
        if found.tzinfo is None:
            raise ValueError(f"{found} is a time without an offset")
        return found.astimezone(UTC).replace(tzinfo=None)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """What the driver is given."""
        found = value if prepared else self.get_prep_value(value)
        if not isinstance(found, datetime):
            return found
        # always of one length, as texts are compared
        return found.isoformat(" ", "microseconds") if connection.vendor == "sqlite" else found

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> datetime | None:
        """The moment, aware."""
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return None if found is None else found.replace(tzinfo=UTC)


class _Exact:
    """Text of which `a` is not `A`, also where a database is used to take one for the other."""

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """The column's type and collation."""
        parameters: dict[str, Any] = super().db_parameters(connection)  # type: ignore[misc]
        return {**parameters, "collation": "utf8mb4_bin"} if connection.vendor == "mysql" else parameters


class WordField(_Exact, models.CharField):
    """A short text of ours: a digest, a name, a state."""


class CleanTextField(_Exact, models.TextField):
    """Text that may come from outside: what no database can hold (lone surrogates, NUL) becomes `?` or goes."""

    def get_prep_value(self, value: Any) -> Any:
        """The text without what cannot be kept."""
        found = super().get_prep_value(value)
        return found.encode("utf-8", "replace").decode("utf-8").replace("\0", "") if isinstance(found, str) else found


class PageTimeField(WordField):
    """A time as a page gave it, with its own offset or none: kept as ISO 8601 text."""

    def to_python(self, value: Any) -> Any:
        """The time that a text means."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        """The time as text."""
        return value.isoformat() if isinstance(value, datetime) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """The time as it was."""
        return self.to_python(value)

    def value_to_string(self, obj: Any) -> str:
        """The time in a fixture."""
        return str(self.get_prep_value(self.value_from_object(obj)) or "")
