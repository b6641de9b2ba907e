"""One script for each peer: `SCRIPT SOURCE TARGET [PROTOCOL]` has it send, and prints what it said.

Each runs inside that peer's own environment (../environments.py) with `python -I`, so that a script may bear its peer's
name: it knows nothing of linkback.
"""
