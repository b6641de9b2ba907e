"""One script for each peer that receives: it serves a post, prints its URL, and listens until it is stopped.

Each runs inside that peer's own environment (../environments.py) and knows nothing of linkback.
"""
