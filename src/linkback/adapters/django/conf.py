"""`LINKBACK` in a project's settings.

Rule: what Django has a place for is said there: its databases in `DATABASES`, the endpoints' path in the URLconf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from linkback.adapters.django.runners import DjangoRunner
from linkback.adapters.settings import Settings
from linkback.errors import ConfigurationError
from linkback.jobs import External, Runner
from linkback.site import Site
from linkback.web.signposts import PREFIX, Signposts
from linkback.wire import Fetch

#: settings of other frameworks, and where Django has them
ELSEWHERE = {
    "DATABASE": "the records are kept in one of DATABASES: LINKBACK['USING'] names another than \"default\"",
    "LANGUAGE": "the thread speaks the language of the request, LANGUAGE_CODE where there is no other",
    "PREFIX": 'the endpoints stand where the URLconf has include("linkback.adapters.django.urls")',
}


@dataclass(frozen=True)
class DjangoSettings(Settings):
    """The settings, with `using`, the alias of the database that keeps the records. Raises `ConfigurationError`."""

    using: str = DEFAULT_DB_ALIAS

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        for name, where in ELSEWHERE.items():
            if name in self.values:
                raise ConfigurationError(f"{self.named(name)} means nothing in Django: {where}")
        if self.using not in connections:
            raise ConfigurationError(f"{self.named('USING')} must be an alias in DATABASES, not {self.using!r}")

    def signposts(self, site: Site, prefix: str = PREFIX) -> Signposts:
        """How the endpoints stand at `prefix`, which the URLconf says; raises `ConfigurationError`."""
        return Signposts(site, prefix=prefix, base=self.values.get("BASE", ""))

    def fetcher(self) -> Fetch:
        """What reads the web, with the networks and ports that the settings open."""
        return self._fetcher(self.values.get("SITE", ""))

    def _runner(self) -> Runner:
        runner = Settings._runner(self)
        return runner if isinstance(runner, External) else DjangoRunner(runner, self.using)


def read() -> DjangoSettings:
    """The project's settings; raises `ConfigurationError` for one that is wrong or not known."""
    given = getattr(settings, "LINKBACK", {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"LINKBACK must be a dict of settings, not {given!r}")
    values: dict[str, Any] = dict(given)
    using = values.pop("USING", DEFAULT_DB_ALIAS)
    return DjangoSettings(values, _named, using)


def _named(name: str) -> str:
    return f"LINKBACK[{name!r}]"
