"""ronkyuu finds the link in the post, finds the endpoint of its target, and sends."""

import sys

from ronkyuu import discoverEndpoint, findMentions, sendWebmention  # type: ignore[import-not-found]

source, target, *_ = sys.argv[1:]
for linked in findMentions(source, targetURL=target)["refs"]:
    status, endpoint = discoverEndpoint(linked)
    print(status, endpoint, linked)
    answer = sendWebmention(source, linked, endpoint)
    print("nothing sent" if answer is None else f"answered {answer.status_code}")
