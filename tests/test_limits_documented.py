"""The limits that docs/security.md lists are those that the code has, row by row."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import make_url

import linkback
from linkback import cli
from linkback.adapters import settings
from linkback.addresses import Guard
from linkback.fetch import Fetcher, Limits
from linkback.jobs import Embedded
from linkback.policy import Outgoing, Policy, Retry
from linkback.sites import Sites
from linkback.store import dialect

SOURCE = Path(linkback.__file__).parent
PAGE = SOURCE.parent.parent / "docs/security.md"

#: the first two cells of a row, with {} for each value, and where the code has those, in their order
PINNED: dict[str, tuple[str, ...]] = {
    "a page, unpacked | {} bytes": ("fetch.Limits.bytes",),
    "the answer to a POST | {} bytes": ("fetch.Limits.reply_bytes",),
    "a GET, redirects and look-ups included | {} s": ("fetch.Limits.seconds",),
    "a POST, likewise | {} s": ("fetch.Limits.send_seconds",),
    "a connection to one address | {} s": ("fetch.Limits.connect",),
    "addresses of one name that are tried | {}": ("door.MAX_TRIES",),
    "redirects | {}": ("fetch.Limits.redirects",),
    "redirects to one other domain, of a `Fetcher` in a process: at once, then one each | {}, {} s": (
        "fetch.Limits.led_burst",
        "fetch.Limits.led_seconds",
    ),
    "a page while looks are late by more than {} and more than {} jobs wait, but for the last look | {} s": (
        "work.LATE",
        "checks._CROWD",
        "checks._HURRIED_SECONDS",
    ),
    "ports of public addresses | {}": ("fetch.Limits.ports",),
    "private networks | {}": ("addresses.Guard(allow)",),
    "all that precedes a body | {} bytes, {} fields, {} interim answers": (
        "exchange.MAX_HEAD",
        "exchange.MAX_FIELDS",
        "exchange.MAX_INTERIM",
    ),
    "one line of a chunked body; its trailers | {} bytes, and up to twice that where it comes at once": (
        "exchange.MAX_LINE",
    ),
    "packed bytes taken beyond the limit on unpacked ones | {}": ("exchange._SLACK",),
    "codings that are undone | one, {}": ("inflate._CODINGS",),
    "look-ups of names that hang at once | {}": ("deadline.MAX_CALLS",),
    "source and target | {} characters": ("urls.MAX_LENGTH",),
    "any other URL | {} characters": ("urls._LONGEST",),
    "tags of a page that are read; elements that can link | {}; {}": ("elements.MOST_TAGS", "elements._MOST_KEPT"),
    "values of a feed or of JSON that may hold the target; those that are read as HTML | {}; {}": (
        "values._MOST_VALUES",
        "values._MOST_HTML",
    ),
    "links of one reading that your `resolve` is asked about | {}": ("ownpages._MOST_RESOLVED",),
    "pages that are described at once | {}": ("receiver._MOST_DESCRIBED",),
    "body of a webmention, pingback, trackback | {}, {}, {} bytes": (
        "protocols.webmention.Webmention.max_body",
        "protocols.pingback.Pingback.max_body",
        "protocols.trackback.TrackBack.max_body",
    ),
    "fields of a form | {}": ("forms.MAX_FIELDS",),
    "elements of a call, and their depth | {}, {}": ("xmltext.MAX_ELEMENTS", "xmltext.MAX_DEPTH"),
    "time for a body to arrive, under ASGI | {} s": ("adapters.asgi.BODY_SECONDS",),
    "time for a request to arrive; connection without a sign of life; connections at once, `linkback serve`"
    " | {} s; {} s; {}": (
        "adapters.server._REQUEST_SECONDS",
        "adapters.server._IDLE_SECONDS",
        "adapters.server._MOST_CONNECTIONS",
    ),
    "pings of one client, in a process: at once, then one each | {}, {} s": (
        "policy.Policy.client_burst",
        "policy.Policy.client_seconds",
    ),
    "pings of one client that come to none of many blogs, in a process: at once, then one each | {}, {} s": (
        "sites.Sites(client_burst)",
        "sites.Sites(client_seconds)",
    ),
    "new claims of a site, in a process: at once, then one each | {}, {} s": (
        "policy.Policy.site_burst",
        "policy.Policy.site_seconds",
    ),
    "places of them that are left to clients who owe more than {} pings | all but one in {}": (
        "throttle._FEW",
        "throttle._ONE_IN",
    ),
    "checks of a site that are due | {}": ("policy.Policy.most_waiting",),
    "title, author, excerpt of a source | {}, {}, {} characters": (
        "extract.MAX_TITLE",
        "extract.MAX_AUTHOR",
        "extract.MAX_EXCERPT",
    ),
    "title, excerpt, blog name of a trackback | {}, {}, {} characters": (
        "protocols.trackback._MAX_TITLE",
        "protocols.trackback._MAX_EXCERPT",
        "protocols.trackback._MAX_BLOG_NAME",
    ),
    "claims of one pair that wait | {}": ("store.MOST_OPEN_CLAIMS",),
    "one pair, announced again | after {} s": ("policy.Policy.pair_seconds",),
    "before a source is first read; before its second look | {} s; {} s": (
        "policy.Policy.settle_seconds",
        "policy.Policy.second_look_seconds",
    ),
    "pages read of one registrable domain: at once, then one each | {}, {} s": (
        "policy.Policy.host_burst",
        "policy.Policy.host_seconds",
    ),
    "hosts that this does not hold for; one page at a time all the same"
    " | {} but private ones, where a network is open": ("policy.Policy.busy_hosts",),
    "wait of a claim for its host's turn, 60 days at most | {} hours": ("policy.Policy.host_queue_hours",),
    "the blog's own pages as sources | {}": ("policy.Policy.own_sources",),
    "until a mention is looked at again | {} days": ("policy.Policy.recheck_days",),
    "a claim after it ended, where it is not needed; a host after it was last spoken to | {} days; {:days}": (
        "policy.Policy.claims_days",
        "store.forgetting._QUIET",
    ),
    "hosts that are not listened to | {}": ("policy.Policy.blocked_hosts",),
    "warnings of closed addresses | {} {}": ("hooks._MOST_WARNED", "hooks._WARN_EVERY"),
    "a value in the log; a trace | {:KiB}; {} lines": ("logs._LONGEST", "logs._MOST_LINES"),
    "links of a post that are told; those to one host | {}; {}": (
        "policy.Outgoing.most_told",
        "policy.Outgoing.most_told_a_host",
    ),
    "links of a post; its bytes | {}; {}": ("policy.Outgoing.most_links", "policy.Outgoing.most_bytes"),
    "wait of a claim, of a delivery, whose page leads where too many lead | {}; {:h}": (
        "verdicts._LONGEST_KEPT",
        "delivering._MOST_REST",
    ),
    "between two POSTs to one host | {} s": ("policy.Outgoing.host_seconds",),
    "further attempts, at a source as at a receiver | after {}": ("policy.Retry.delays",),
    "rest that a receiver may ask for | {:h}": ("protocols.status.MAX_RETRY_AFTER",),
    "a feed or sitemap; older pages of one, or its parts | {} bytes in {} s; {}": (
        "feeds.MOST_BYTES",
        "following._DOCUMENT_SECONDS",
        "walk._MOST_DOCUMENTS",
    ),
    "jobs that a process has in hand | {}; in Django {}": (
        "jobs.MOST_THREADS",
        "adapters.django.conf.DjangoSettings.workers",
    ),
    "how long a job is held | {} s": ("work.LEASE_SECONDS",),
    "workers that a job may end | {}": ("site.MOST_ATTEMPTS",),
    "time to end what is begun | {} s": ("cli.running._GRACE_SECONDS",),
    "wait for a lock of the database | {} s": ("store.dialect.BUSY_SECONDS",),
}


class Said:
    """A value of the code as the page says it."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __format__(self, unit: str) -> str:
        match self._value:
            case timedelta() as time if unit == "days":
                return f"{time.days} days"
            case timedelta() as time:
                seconds = time.total_seconds()
                return {3_600.0: "an hour", 86_400.0: "a day"}.get(seconds, f"{number(seconds)} s")
            case None:
                return "posts, where nobody waits"
            case Mapping() as codings:
                return " or ".join(dict.fromkeys(codings.values()))
            case frozenset() as ports:
                return ", ".join(map(str, sorted(ports)))
            case tuple() as delays:
                return " and ".join(f"{number(each)} s" for each in delays) or "none"
            case value if unit == "KiB":
                return f"{-(-value // 1024)} KiB"
            case value if unit == "h":
                return f"{number(value / 3600)} h"
            case value:
                return number(value)


def number(value: float) -> str:
    return f"{int(value) if int(value) == value else value:,}"


def rows() -> list[list[str]]:
    """The cells of the table of limits, without those at its head."""
    section = PAGE.read_text().partition("\n## Limits\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


ROWS = rows()
PAIRS = list(zip(ROWS, PINNED.values(), strict=False))


def found(place: str) -> tuple[str, Any]:
    """The file in which the code has a value, and the value."""
    name, owner = f"linkback.{place}", ""
    while True:
        head, _, last = name.rpartition(".")
        name, owner = head, f"{last}.{owner}".rstrip(".")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        break
    path = Path(inspect.getfile(module))
    assert owner.partition(".")[0].partition("(")[0] in defined(path), f"{place} has its home elsewhere"
    return str(path.relative_to(SOURCE)), value_of(module, owner)


def value_of(module: Any, owner: str) -> Any:
    if owner.endswith(")"):
        called, _, argument = owner.rstrip(")").partition("(")
        return inspect.signature(getattr(module, called)).parameters[argument].default
    first, _, attribute = owner.partition(".")
    held = getattr(module, first)
    if not attribute:
        return held
    fields = dataclasses.fields(held) if dataclasses.is_dataclass(held) else ()
    return {field.name: field.default for field in fields}.get(attribute, getattr(held, attribute))


def defined(path: Path) -> set[str]:
    """What a module defines itself."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
    return names


def test_every_row_of_the_table_says_what_the_code_has() -> None:
    """A row that is new, or says another number, unit or subject, has none here."""
    said = [pattern.format(*(Said(found(place)[1]) for place in places)) for pattern, places in PINNED.items()]
    assert [f"{what} | {default}" for what, default, *_ in ROWS] == said


@pytest.mark.parametrize(("row", "places"), PAIRS, ids=[row[0] for row, _ in PAIRS])
def test_a_row_names_the_modules_that_hold_its_values(row: list[str], places: Collection[str]) -> None:
    named = re.findall(r"`([^`]+)`", row[3])
    files = dict.fromkeys(found(place)[0] for place in places)
    for name in named:
        assert any(file == name or (name.endswith("/") and file.startswith(name)) for file in files), name
    assert [file for file in files if not any(file == name or file.startswith(name) for name in named)] == []


CLASSES: dict[str, Any] = {each.__name__: each for each in (Limits, Policy, Outgoing, Retry)}
CALLS: dict[str, Any] = {"Fetcher": Fetcher, "Embedded": Embedded, "Guard": Guard, "Sites": Sites}


def options_of(commands: click.Group) -> dict[str, list[Any]]:
    """The defaults of each option of the command line, of all commands that have it; none of what adds to a default."""
    defaults: dict[str, list[Any]] = {}
    context = click.Context(commands)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        for parameter in command.params:
            for option in parameter.opts:
                said = [] if getattr(parameter, "multiple", False) else [parameter.default]
                defaults.setdefault(option, []).extend(said)
    return defaults


def field_of(name: str, before: str) -> tuple[str, Any]:
    """A field as a cell names it, `.most_bytes` after `Outgoing.most_links`, with its default."""
    owner, _, attribute = name.rpartition(".")
    owner = owner or before
    defaults = {field.name: field.default for field in dataclasses.fields(CLASSES[owner])}
    assert attribute in defaults, f"{owner} has no {attribute}"
    return owner, defaults[attribute]


def is_of(default: Any, values: Collection[Any]) -> bool:
    return any(default == value for value in values)


@pytest.mark.parametrize(("row", "places"), PAIRS, ids=[row[0] for row, _ in PAIRS])
def test_an_option_of_a_row_exists_and_sets_its_value(row: list[str], places: Collection[str]) -> None:
    values, owner, checked = [found(place)[1] for place in places], "", 0
    for option in re.findall(r"`([^`]+)`", row[2]):
        if option.startswith("--"):
            defaults = options_of(cli.cli)[option]
            assert all(is_of(default, values) for default in defaults)
        elif option.startswith("?"):
            name = option.strip("?=")
            assert is_of(dialect.seconds(make_url("sqlite://")), values)
            assert dialect.seconds(make_url(f"sqlite://?{name}=7")) == 7
        elif called := re.fullmatch(r"(\w+)\((\w+)=…\)", option):
            parameter = inspect.signature(CALLS[called[1]]).parameters[called[2]]
            assert is_of(parameter.default, values)
        elif option.isupper():
            assert option in settings.KNOWN
        else:
            owner, default = field_of(option, owner)
            assert is_of(default, values), option
        checked += 1
    assert checked or row[2] == "-"


@pytest.mark.parametrize("limits", CLASSES.values(), ids=list(CLASSES))
def test_limits_are_frozen_and_have_defaults(limits: Callable[[], Any]) -> None:
    made = limits()
    for field in dataclasses.fields(made):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field.name, getattr(made, field.name))
    assert hash(made) == hash(limits())
