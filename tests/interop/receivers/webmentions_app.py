"""`webmentions` behind its Flask adapter: every page of the site is a post, /webmentions receives and lists.

`open` as its argument has it read sources on private addresses, which it does not unasked.
"""

import sys

from flask import Flask
from webmentions import WebmentionsHandler  # type: ignore[import-not-found]
from webmentions.server.adapters.flask import bind_webmentions  # type: ignore[import-not-found]
from webmentions.storage.adapters.db import init_db_storage  # type: ignore[import-not-found]
from werkzeug.serving import make_server

app = Flask(__name__)


@app.get("/posts/<name>")
def post(name: str) -> str:
    return f"<!doctype html><title>{name}</title><p>Some words."


server = make_server("127.0.0.1", 0, app, threaded=True)
url = f"http://127.0.0.1:{server.server_port}"
handler = WebmentionsHandler(
    init_db_storage("sqlite:///received.db"), base_url=url, ssrf_protection=sys.argv[1:] != ["open"]
)
bind_webmentions(app, handler)
print(f"listening on {url}", flush=True)
server.serve_forever()
