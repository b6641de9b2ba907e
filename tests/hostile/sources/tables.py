"""The cases that are data: each table of the TOML file says what its columns are."""

from __future__ import annotations

import tomllib
from pathlib import Path

PAGES: dict[str, list[list[str]]] = tomllib.loads(Path(__file__).with_name("pages.toml").read_text("utf-8"))
