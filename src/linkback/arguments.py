"""What a host gives when it makes something of ours, looked at at once: a mistake is one line that names the fix.

Rule: what has a shape is judged by its methods, never by its class, so that a host may bring its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from linkback.errors import ConfigurationError, unwrapped
from linkback.plaintext import collapse, head

T = TypeVar("T")

#: how much of what was given is shown, in characters
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """What an argument must be: in `words`, as a test that it `fits`, and whether it is a function to be `called`."""

    words: str
    fits: Callable[[object], bool]
    called: bool = False

    @property
    def optional(self) -> Kind:
        """The same, or None."""
        return replace(self, words=f"{self.words}, or None", fits=lambda given: given is None or self.fits(given))


def one_of(types: type | tuple[type, ...], words: str) -> Kind:
    """An object of a type of ours, or of Python's."""
    return Kind(words, lambda given: isinstance(given, types))


def shaped(shape: type, words: str) -> Kind:
    """An object that has all that a `typing.Protocol` names; its class itself is none."""
    names = [name for name in vars(shape) if not name.startswith("_")]
    return Kind(words, lambda given: not isinstance(given, type) and all(hasattr(given, name) for name in names))


def function(words: str) -> Kind:
    """A function that a thread calls, so that a coroutine function is none."""
    return Kind(words, lambda given: callable(given) and not is_async(given), called=True)


def is_async(given: object) -> bool:
    """Whether what is given is a function, or an object that is called as one, that must be awaited."""
    if not callable(given):
        return False
    inner = unwrapped(given)
    # an object may have an asynchronous `__call__`
    return any(inspect.iscoroutinefunction(each) for each in (inner, type(inner).__call__))


def check(kinds: Mapping[str, Kind], **given: object) -> None:
    """Raise `ConfigurationError` for the first of some arguments that is not of its kind."""
    for name, value in given.items():
        kind = kinds[name]
        if kind.fits(value):
            continue
        if kind.called and is_async(value):
            raise ConfigurationError(f"{name} must not be async: it is called in a thread, where nothing awaits it")
        raise ConfigurationError(f"{name} must be {kind.words}, not {shown(value)}")


def several(name: str, given: Iterable[T], kind: Kind) -> tuple[T, ...]:
    """What an argument lists; raises `ConfigurationError` for one text, for what is no list, and for a wrong item.

    `kind` is that of an item, with the words for the whole.
    """
    listed: object = given
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise ConfigurationError(f"{name} must be {kind.words}, not {shown(listed)}")
    items = tuple(given)
    wrong = [item for item in items if not kind.fits(item)]
    if wrong:
        raise ConfigurationError(f"{name} must be {kind.words}: {shown(wrong[0])} is none")
    return items


def shown(given: object) -> str:
    """What was given, in one line that is not too long."""
    return head(collapse(repr(given)), _SHOWN)
