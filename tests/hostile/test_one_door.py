"""One place opens connections, and none is made less than safe: held in the source (security.md R11, G-M)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache

import pytest

from tests.test_architecture import SOURCE, modules

#: libraries that open connections by themselves
CLIENTS = set(
    "aiohttp ftplib http.client httpx imaplib nntplib poplib pycurl requests smtplib telnetlib urllib.request "  # noqa: SIM905 -- a list of words
    "urllib3 webbrowser xmlrpc.client".split()
)
#: other ways to come by a connected socket
OPENING = {"create_connection", "connect_ex", "open_connection", "open_unix_connection", "socketpair", "fromfd"}
#: what speaks over a socket, times it, or names its errors
SOCKETS = {"door.py", "exchange.py", "fetch.py", "deadline.py", "doctor/visits.py"}
LAX = {"CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context", "_create_default_https_context"}
LAX_KEYWORDS = {"verify", "check_hostname", "ssl_verify", "tls_verify"}
LAX_ATTRIBUTES = (".check_hostname", ".verify_mode")
#: a `connect` that leads to a database, and those that listen to a signal
DATABASES = {("store/engine.py", "self._current().connect"), ("store/sqlite.py", "sqlite3.connect")}
SIGNALS = ("signals.", "request_started.", "request_finished.", "setting_changed.")


@cache
def _trees() -> dict[str, ast.AST]:
    """The modules of the library, by name."""
    return {str(path.relative_to(SOURCE)): ast.parse(path.read_text("utf-8")) for path in modules()}


def _imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _named(tree: ast.AST) -> set[str]:
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _called(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _loosened(tree: ast.AST) -> set[str]:
    """What a module sets that decides whom TLS trusts."""
    keywords = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in LAX_KEYWORDS and ast.unparse(node.value) == "False"
    }
    targets = [each for node in ast.walk(tree) if isinstance(node, ast.Assign) for each in node.targets]
    return keywords | {text for text in map(ast.unparse, targets) if text.endswith(LAX_ATTRIBUTES)}


def _having(look: Callable[[ast.AST], set[str]], among: set[str]) -> dict[str, set[str]]:
    return {name: found for name, tree in _trees().items() if (found := look(tree) & among)}


def test_no_module_imports_a_client_of_its_own() -> None:
    assert _having(_imported, CLIENTS) == {}


def test_only_the_door_makes_a_socket_and_few_know_of_any() -> None:
    assert set(_having(_imported, {"socket"})) <= SOCKETS
    assert set(_having(_called, {"socket.socket", "socket"})) == {"door.py"}
    assert _having(_named, OPENING) == {}


def test_only_the_door_connects_a_socket() -> None:
    connecting = {
        (name, call) for name, tree in _trees().items() for call in _called(tree) if call.endswith(".connect")
    }
    assert {each for each in connecting - DATABASES if not each[1].startswith(SIGNALS)} == {("door.py", "sock.connect")}


def test_nothing_makes_tls_lax() -> None:
    assert _having(_named, LAX) == {}
    assert {name: found for name, tree in _trees().items() if (found := _loosened(tree))} == {}
    assert set(_having(_imported, {"ssl"})) == {"door.py", "exchange.py"}


@pytest.mark.parametrize(
    ("code", "look", "found"),
    [
        ("import http.client", _imported, "http.client"),
        ("from urllib import request", _imported, "urllib.request"),
        ("import socket as s", _imported, "socket"),
        ("x = socket.create_connection(a)", _named, "create_connection"),
        ("a.b.connect(c)", _called, "a.b.connect"),
        ("get(url, verify=False)", _loosened, "verify=False"),
        ("context.check_hostname = False", _loosened, "context.check_hostname"),
        ("self.context.verify_mode = ssl.CERT_NONE", _named, "CERT_NONE"),
    ],
)
def test_the_looks_see_what_they_look_for(code: str, look: Callable[[ast.AST], set[str]], found: str) -> None:
    assert found in look(ast.parse(code))
