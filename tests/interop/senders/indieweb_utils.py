"""indieweb-utils sends what it is told to, by webmention or by trackback, and raises where the answer is no."""

import sys

from indieweb_utils import send_trackback, send_webmention  # type: ignore[import-not-found]

source, target, protocol = sys.argv[1:]
if protocol == "trackback":
    send_trackback(target, source, title="In its own words", excerpt="We walked far.", blog_name="Alice & friends")
    print("taken")
else:
    print(send_webmention(source, target).status_code)
