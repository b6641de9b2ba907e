"""What a blog told others, and how that went."""

from __future__ import annotations

import click

from linkback import urls
from linkback.cli import showing
from linkback.cli.codes import OK
from linkback.cli.records import records
from linkback.errors import Reason
from linkback.model import Outcome
from linkback.options import as_json, database, own_blog
from linkback.terminal import say

_OUTCOMES = click.Choice([outcome.value for outcome in Outcome])


@click.command()
@click.option("--source", metavar="URL", help="Only what this post tells.")
@click.option("--outcome", "outcomes", multiple=True, type=_OUTCOMES, help="Only those that ended so. Repeatable.")
@click.option("--site", metavar="URL", help="Only the deliveries of this blog.")
@own_blog
@database
@as_json
def deliveries(
    source: str | None, outcomes: tuple[str, ...], site: str | None, app: str, database: str, as_json: bool
) -> int:
    """List the deliveries: whom the posts told, or are to tell, and what became of it.

    `linkback publish URL --force` tells for a post again what was refused.
    """
    post = urls.check_argument(source, Reason.SOURCE_INVALID) if source else None
    with records(site, app, database) as found:
        listed = found.store.deliveries(site=found.site, source=post)
    shown = [each for each in listed if not outcomes or each.outcome.value in outcomes]
    if shown:
        showing.show_deliveries(shown, as_json=as_json)
    else:
        say("no deliveries")
    return OK
