"""A throw-away environment for each peer: `python -m tests.interop.environments` makes those that are missing.

Rule 1: an environment belongs to what it was made of: other requirements or another Python get a folder of their own,
under `LINKBACK_INTEROP_ENVS` or the user's cache directory.
Rule 2: a finished one is marked, last of all; one without the mark is made anew.
Rule 3: making is asked for, never a surprise: by this command, or by `LINKBACK_REQUIRE_PEERS`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SENDERS = Path(__file__).parent / "senders"
#: the mark of a finished environment, and in its place why one could not be made
_FINISHED, _FAILED = "finished", "failed"
_MAKING_SECONDS = 900
_PATIENCE_SECONDS = 60


class Unavailable(Exception):
    """An environment that is not there; the message says in one line why."""


@dataclass(frozen=True)
class Peer:
    """A program of other people, and what installs it.

    `requirements` are given to pip, or to npm where `node` is set; those in `alone` follow without what they ask for.
    """

    name: str
    requirements: tuple[str, ...]
    alone: tuple[str, ...] = ()
    node: bool = False

    @property
    def folder(self) -> Path:
        """Where its environment is, or would be."""
        runs_on = "node" if self.node else f"{sys.base_prefix} {sys.version} {sysconfig.get_platform()}"
        made_of = "\n".join((runs_on, platform.machine(), *self.requirements, "alone", *self.alone))
        return _root() / f"{self.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"

    def find(self) -> Environment:
        """Its environment; raises `Unavailable` where there is none."""
        folder = self.folder
        if (folder / _FINISHED).exists():
            return Environment(folder, self.node)
        failed = folder / _FAILED
        why = failed.read_text().strip() if failed.exists() else "not installed"
        raise Unavailable(f"{self.name}: {why} (make peers)")

    def make(self) -> Environment:
        """Its environment, made where there is none; raises `Unavailable` where it could not be made."""
        folder = self.folder
        if (folder / _FINISHED).exists():
            return Environment(folder, self.node)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(parents=True)
            self._install(folder)
            (folder / _FINISHED).touch()
        except (Unavailable, OSError) as error:
            with contextlib.suppress(OSError):
                (folder / _FAILED).write_text(f"{error}\n")
            raise Unavailable(f"{self.name}: {error}") from error
        return Environment(folder, self.node)

    def _install(self, folder: Path) -> None:
        if self.node:
            _do(folder, "npm", "install", "--prefix", ".", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel",
                "error", *self.requirements)  # fmt: skip
            return
        _do(folder, sys.executable, "-m", "venv", "--clear", ".")
        pip = (str(Environment(folder).python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _do(folder, *pip, *self.requirements)
        if self.alone:
            _do(folder, *pip, "--no-deps", *self.alone)


@dataclass(frozen=True)
class Environment:
    """The finished environment of one peer."""

    folder: Path
    node: bool = False

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def command(self, script: Path) -> list[str]:
        """What runs a script in it. Python runs isolated: neither our packages nor the script's folder are seen."""
        if self.node:
            # before Node.js 20 the first address of localhost is the only one that is tried
            return ["node", "--dns-result-order=ipv4first", str(script), str(self.folder)]
        return [str(self.python), "-I", "-W", "ignore", str(script)]

    def send(self, script: str, source: str, target: str, protocol: str, folder: Path) -> str:
        """Have a script of `senders` send, with `folder` as its working directory; gives what it said."""
        command = [*self.command(_SENDERS / script), source, target, protocol]
        done = subprocess.run(
            command, cwd=folder, env=surroundings(), timeout=_PATIENCE_SECONDS, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout


def surroundings() -> dict[str, str]:
    """The environment variables of a peer: ours, but that loopback is never asked of a proxy."""
    direct = "localhost,127.0.0.1"
    return {**os.environ, "no_proxy": direct, "NO_PROXY": direct}


#: pins are of what is spoken to; what it is built on follows, except where a comment says why not
PEERS = {
    peer.name: peer
    for peer in (
        Peer("pushl", ("pushl==0.4.1",)),
        # The last release that speaks pingback. It asks for lxml 4, which Python 3.13 and later have no wheel of, but
        # runs on any; its cache of targets needs async-lru 1.
        Peer(
            "pushl-pingback",
            (
                "aiohttp>=3.8,<4",
                "async-lru>=1.0.3,<2",
                "awesome-slugify",
                "beautifulsoup4",
                "feedparser",
                "lxml",
                "mf2py",
            ),
            alone=("pushl==0.3.5",),
        ),
        Peer("indieweb-utils", ("indieweb-utils==0.10.0",)),
        # names what it imports in a field of its metadata that pip does not read
        Peer("ronkyuu", ("ronkyuu==0.9", "beautifulsoup4", "html5lib", "requests")),
        Peer("webmention-tools", ("webmention-tools==0.4.1",)),
        Peer("webmentions", ("webmentions[db,flask]==0.2.0",)),
        Peer("remy-webmention", ("@remy/webmention@1.5.0",), node=True),
    )
}


def _root() -> Path:
    chosen = os.environ.get("LINKBACK_INTEROP_ENVS")
    if chosen:
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # the specification of that variable has a relative path ignored
    try:
        base = Path(cache) if os.path.isabs(cache) else Path("~/.cache").expanduser()
    except RuntimeError as error:
        raise Unavailable("no home directory: set LINKBACK_INTEROP_ENVS") from error
    return base / "linkback" / "interop"


def _do(folder: Path, *command: str) -> None:
    what = " ".join(Path(word).name if word == command[0] else word for word in command[:4])
    try:
        done = subprocess.run(
            command, cwd=folder, timeout=_MAKING_SECONDS, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}: not done after {_MAKING_SECONDS} s") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        # pip comes to the point at its end, npm and venv at their beginning
        said = [line for line in said if line.startswith("ERROR:")][-1:] or said or [f"exit code {done.returncode}"]
        raise Unavailable(f"{what}: {said[0]}")


def _try(peer: Peer) -> Unavailable | None:
    try:
        peer.make()
    except Unavailable as error:
        return error
    return None


def main() -> int:
    """Make what is missing and say where it is; 1 where something could not be made."""
    with ThreadPoolExecutor() as pool:
        errors = list(pool.map(_try, PEERS.values()))
    for peer, error in zip(PEERS.values(), errors, strict=True):
        print(f"{peer.name}: {peer.folder}" if error is None else error)
    return 1 if any(errors) else 0


if __name__ == "__main__":
    sys.exit(main())
