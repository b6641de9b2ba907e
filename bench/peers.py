"""The environments of the peers, and processes of all methods in turn; what is not there is left out, with a word."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from figure import ROOT, Kind, apart

sys.path.append(str(ROOT))
from tests.interop.environments import PEERS, Unavailable


def interpreter(environment: str, peer: str = "") -> str | None:
    """The interpreter of an environment; None, and why on stderr, where there is none."""
    try:
        return str(PEERS[environment].find().python)
    except Unavailable as error:
        print(f"{peer or environment}: {error}", file=sys.stderr)
        return None


def runs(method: str, peers: Mapping[str, str]) -> str | None:
    """What runs a method: our interpreter or, of one in `peers`, that of its environment, as `interpreter` gives it."""
    return interpreter(peers[method], method) if method in peers else sys.executable


def kind(method: str, peers: Mapping[str, str]) -> Kind:
    """Whose a method is."""
    return "peer" if method in peers else "floor" if method == "floor" else "linkback"


def measured(
    script: str, methods: Iterable[str], peers: Mapping[str, str], rounds: int, *given: object
) -> dict[str, list[dict[str, Any]]]:
    """What a script prints of each method that can be run, in a process of its own, in turn."""
    found = {method: path for method in methods if (path := runs(method, peers)) is not None}
    told: dict[str, list[dict[str, Any]]] = {method: [] for method in found}
    for _ in range(rounds):
        for method, path in found.items():
            told[method].append(apart(script, method, *given, python=path))
    return told
