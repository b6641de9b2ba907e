"""webmention-tools sends what it is told to."""

import sys

from webmentiontools.send import WebmentionSend  # type: ignore[import-not-found]

source, target, *_ = sys.argv[1:]
mention = WebmentionSend(source, target)
print(mention.response if mention.send() else mention.error)
