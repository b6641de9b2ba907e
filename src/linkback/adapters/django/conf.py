"""`LINKBACK` in a project's settings.

Rule: what Django has a place for is said there: its databases in `DATABASES`, the endpoints' path in the URLconf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from linkback.adapters import settings as reading
from linkback.adapters.django.runners import DjangoRunner, serves
from linkback.adapters.settings import Known, Settings
from linkback.errors import ConfigurationError
from linkback.jobs import External, Runner
from linkback.site import Site
from linkback.web.signposts import PREFIX, Signposts

#: settings of other frameworks, and where Django has them
ELSEWHERE = {
    "DATABASE": "the records are kept in one of DATABASES: LINKBACK['USING'] names another than \"default\"",
    "LANGUAGE": "the thread speaks the language of the request, LANGUAGE_CODE where there is no other",
    "PREFIX": 'the endpoints stand where the URLconf has include("linkback.adapters.django.urls")',
}


#: what there is in Django
KNOWN: Known = {
    **{name: known for name, known in reading.KNOWN.items() if name not in ELSEWHERE},
    "USING": ((str,), f"an alias in DATABASES, {DEFAULT_DB_ALIAS!r} by default"),
}


class BadBase(ConfigurationError):
    """`BASE` is no public URL."""


@dataclass(frozen=True)
class DjangoSettings(Settings):
    """The settings by their names in `KNOWN`. Raises `ConfigurationError`."""

    known: ClassVar[Known] = KNOWN
    # each has a connection of its own, of which a server has not many
    workers: ClassVar[int] = 4

    def __post_init__(self) -> None:
        for name, where in ELSEWHERE.items():
            if name in self.values:
                raise ConfigurationError(f"{self.named(name)} means nothing in Django: {where}")
        Settings.__post_init__(self)
        if self.using not in connections:
            raise self._wrong("USING", self.using)

    @property
    def using(self) -> str:
        """The alias of the database that keeps the records."""
        return str(self.values.get("USING", DEFAULT_DB_ALIAS))

    def signposts(self, site: Site, prefix: str = PREFIX) -> Signposts:
        """How the endpoints stand at `prefix`, which the URLconf says; raises `ConfigurationError`."""
        base = self.values.get("BASE", "")
        try:
            Signposts(site, base=base)
        except ConfigurationError as error:
            raise BadBase(f"{self.named('BASE')}: {error}") from error
        return Signposts(site, prefix=prefix, base=base)

    def _runner(self) -> Runner:
        runner = Settings._runner(self)
        # threads that a command of the project's began would end with it, their jobs half done
        return runner if isinstance(runner, External) else DjangoRunner(runner, self.using, may=serves)


def read() -> DjangoSettings:
    """The project's settings; raises `ConfigurationError` for one that is wrong or not known."""
    given = getattr(settings, "LINKBACK", {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"LINKBACK must be a dict of settings, not {given!r}")
    return DjangoSettings(dict(given), _named)


def _named(name: str) -> str:
    return f"LINKBACK[{name!r}]"
