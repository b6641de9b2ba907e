"""Pings of two clients, to see through any adapter whom it takes for whom (protocols.md C-8)."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

from linkback.adapters.asgi import ASGIApp
from linkback.policy import Policy
from tests.asgi_serving import fields, scope_of, talk

#: a policy that hears one client once
ONCE = Policy(settle_seconds=0, recheck_days=0, client_burst=1)
ALICE, BOB = "8.8.8.8", "9.9.9.9"
FORM = "application/x-www-form-urlencoded"
#: what anybody may write of himself
SAID = {
    "X-Forwarded-For": BOB,
    "X-Pingback-Forwarded-For": BOB,
    "Forwarded": f"for={BOB}",
    "X-Real-IP": BOB,
    "Remote-Addr": BOB,
}
#: a client's address, the headers that it sends and the form; gives the status of the answer and its Retry-After
Ping = Callable[[str, dict[str, str], bytes], tuple[int, str]]


def check(ping: Ping, target: str) -> None:
    """The second ping of a client is refused, whatever headers it has; another's is taken."""

    def sent(client: str, number: int, headers: dict[str, str]) -> tuple[int, str]:
        form = {"source": f"https://s{number}.example/", "target": target}
        return ping(client, headers, urllib.parse.urlencode(form).encode())

    assert sent(ALICE, 1, {})[0] == 201
    assert sent(ALICE, 2, {}) == (429, "240")
    for number, header in enumerate(SAID.items(), 3):
        assert sent(ALICE, number, dict([header]))[0] == 429, header[0]
    assert sent(BOB, 9, {"X-Forwarded-For": ALICE})[0] == 201
    for number in range(10, 15):
        assert sent("127.0.0.1", number, {})[0] == 201, "a proxy that nobody named is not one client"


def through_asgi(app: ASGIApp, path: str) -> Ping:
    """Pings by the messages of a server."""

    def ping(client: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        given = {"Host": "t.example", "Content-Type": FORM, "Content-Length": str(len(body)), **headers}
        pairs = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        scope = scope_of(path, "POST", client=(client, 50_000), headers=pairs)
        answer = talk(app, scope, [{"type": "http.request", "body": body}])[0]
        answered = {name.lower(): value for name, value in fields(answer).items()}
        return answer["status"], answered.get("retry-after", "")

    return ping
