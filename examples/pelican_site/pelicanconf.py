"""Pelican's settings. The blog's address and folders come from the command line of `__main__`."""

from pathlib import Path

SITENAME = "A Pelican blog"
TIMEZONE = "UTC"
DEFAULT_LANG = "en"
DEFAULT_DATE_FORMAT = "%-d %B %Y"
PATH = "content"

SLUGIFY_SOURCE = "basename"
ARTICLE_URL = "posts/{slug}/"
ARTICLE_SAVE_AS = "posts/{slug}/index.html"
DRAFT_SAVE_AS = AUTHOR_SAVE_AS = CATEGORY_SAVE_AS = TAG_SAVE_AS = ""
AUTHORS_SAVE_AS = CATEGORIES_SAVE_AS = TAGS_SAVE_AS = ARCHIVES_SAVE_AS = ""
FEED_ALL_ATOM = "feeds/all.atom.xml"
CATEGORY_FEED_ATOM = TRANSLATION_FEED_ATOM = None

THEME = "simple"
THEME_TEMPLATES_OVERRIDES = ["templates"]
THEME_STATIC_PATHS = [str(Path(__file__).resolve().parent.parent / "shared" / "static")]
STYLESHEET_URL = "/theme/blog.css"

PLUGINS = ["linkback.adapters.pelican"]
LINKBACK_ALLOW_NETWORKS = ["127.0.0.0/8"]
# on loopback it would be taken for a site under development
LINKBACK_PUBLISH = True
# a build only records what is owed; the server beside the pages sends it
LINKBACK_SEND = False
