"""webmentions reads the post and tells every page that it links to. Its own guard against loopback is turned off."""

import sys

from webmentions import WebmentionsHandler  # type: ignore[import-not-found]
from webmentions.storage.adapters.db import init_db_storage  # type: ignore[import-not-found]

source, *_ = sys.argv[1:]
handler = WebmentionsHandler(
    storage=init_db_storage("sqlite:///sent.db"),
    ssrf_protection=False,
    on_mention_processed=lambda mention: print("told", mention.target),
)
handler.process_outgoing_webmentions(source)
