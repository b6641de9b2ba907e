"""The targets of `fuzz/`, over their seeds and over changes to these; the same ones in every run."""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"
TARGETS: dict[str, Callable[[bytes], None]] = runpy.run_path(str(FUZZ / "targets.py"))["TARGETS"]
SEEDS = sorted((FUZZ / "corpus").glob("*/*"))
#: for each target, shared by its seeds
CHANGED = 300


def words() -> list[bytes]:
    lines = (FUZZ / "words.dict").read_text(encoding="utf-8").splitlines()
    written = (line[1:-1] for line in lines if line.startswith('"'))
    return [word.encode("ascii").decode("unicode_escape").encode("latin-1") for word in written]


WORDS = words()


def changed(seed: bytes, chance: random.Random) -> bytes:
    """The seed with some of it cut, doubled, turned or filled in."""
    for _ in range(chance.randint(1, 5)):
        start = chance.randint(0, len(seed))
        end = min(len(seed), start + chance.choice((1, 2, 8, 64)))
        middle = chance.choice((b"", seed[start:end] * 2, seed[start:end][::-1], chance.choice(WORDS)))
        seed = seed[:start] + middle + seed[chance.choice((start, end)) :]
    return seed


@pytest.mark.parametrize("seed", [pytest.param(path, id=f"{path.parent.name}-{path.name}") for path in SEEDS])
def test_every_promise_holds_for_a_seed_and_changes_to_it(seed: Path) -> None:
    target, content = TARGETS[seed.parent.name], seed.read_bytes()
    target(content)
    chance = random.Random(seed.name)
    for _ in range(CHANGED // sum(path.parent == seed.parent for path in SEEDS)):
        data = changed(content, chance)
        try:
            target(data)
        except Exception as error:
            error.add_note(f"the input was {data!r}")
            raise


def test_every_target_has_seeds() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS)
