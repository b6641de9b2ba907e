"""The command that draws a thread at build time, for a site of static pages."""

from __future__ import annotations

import codecs
import json
import sys

import click
from click.core import ParameterSource

from linkback import terminal, urls
from linkback.cli.codes import OK
from linkback.cli.records import records
from linkback.errors import ConfigurationError, Reason
from linkback.model import Status
from linkback.options import database, own_blog
from linkback.terminal import say

#: options that lay something out, which JSON leaves to its reader
_LAYOUT = ("photos", "templates")


@click.command()
@click.option("--target", required=True, metavar="URL", help="The post that the thread is under.")
@click.option(
    "--format", "form", type=click.Choice(["html", "json"]), default="html", show_default=True, help="As what."
)
@click.option("--lang", default="en", show_default=True, metavar="CODE", help="The language of the thread's own words.")
@click.option("--photos", is_flag=True, help="Load authors' pictures from where they are.")
@click.option("--no-facepile", "listed", is_flag=True, help="Show likes and reposts in the list.")
@click.option("--templates", metavar="DIR", help="Templates of your own, such as DIR/linkback/entry.html.")
@click.option("--site", metavar="URL", help="The blog that the post is of, where the database holds several.")
@own_blog
@database
def render(
    target: str,
    form: str,
    lang: str,
    photos: bool,
    listed: bool,
    templates: str | None,
    site: str | None,
    app: str,
    database: str,
) -> int:
    """Print the thread under a post, for a static site's build."""
    from linkback.web import render as drawing
    from linkback.web import shapes

    if form == "json":
        _refuse_layout()
    page = urls.check_argument(target, Reason.TARGET_INVALID)
    with records(site, app, database) as found:
        mentions = found.mentions(page, statuses=[Status.APPROVED])
    if form == "json":
        thread = drawing.context(mentions, language=lang, facepile=not listed)["thread"]
        # ASCII, so that no locale can break it
        terminal.write(json.dumps(shapes.thread_to_json(page, thread)))
        return OK
    fragment = drawing.thread(mentions, language=lang, facepile=not listed, photos=photos, templates=templates)
    if fragment:
        terminal.write(_in_this_locale(fragment))
    else:
        say(f"no mentions of {page}")
    return OK


def _in_this_locale(fragment: str) -> str:
    """HTML that reads the same in whatever encoding the output has."""
    known = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    return fragment if known else fragment.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _refuse_layout() -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in _LAYOUT:
            raise ConfigurationError(f"{parameter.opts[0]} is about HTML: it means nothing with --format json")
