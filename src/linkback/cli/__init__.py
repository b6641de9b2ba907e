"""The command line.

Exit codes stand in `codes`. With `--json` results are one object per line on stdout. Logs go to stderr.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from linkback import __version__, errors, terminal
from linkback.cli import asking, delivered, keeping, publishing, receiving, rendering, running
from linkback.cli.codes import INTERRUPTED, NO, OK, TEMPORARY, USAGE
from linkback.errors import FetchError, LinkbackError, Refused
from linkback.terminal import say

if TYPE_CHECKING:
    from linkback.site import Site
    from linkback.sites import Sites


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="linkback %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is done.")
def cli(verbose: bool) -> None:
    """Pingback, TrackBack and Webmention, both ways."""
    terminal.set_up(logging.INFO if verbose else logging.WARNING)


for command in (
    asking.discover,
    asking.verify,
    asking.explain,
    asking.send,
    publishing.publish,
    publishing.unpublish,
    receiving.list_,
    receiving.moderate,
    receiving.recheck,
    rendering.render,
    running.serve,
    running.worker,
    running.drain,
    delivered.deliveries,
    running.jobs,
    running.revive,
    running.demo,
    keeping.db,
    keeping.doctor,
):
    cli.add_command(command)


def main(arguments: list[str] | None = None, *, command: str = "linkback", blog: Site | Sites | None = None) -> int:
    """Run the command line; give its exit code. The installed `linkback` command is this.

    A framework calls it as `command`, such as "flask linkback", and lends `blog`, which every command is then about.
    """
    try:
        code = cli.main(arguments, prog_name=command, standalone_mode=False, obj=blog)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.write(error.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        say(" ".join(error.format_message().split()))
        return USAGE
    except (errors.ConfigurationError, errors.StoreError, Refused) as error:
        say(str(error))
        return USAGE
    except FetchError as error:
        say(str(error))
        return TEMPORARY if error.temporary else NO
    except LinkbackError as error:
        say(str(error))
        return NO
    except Exception as error:
        # a function of the host's own, which may fail in ways of its own
        if not (fault := errors.blamed(error)):
            raise
        say(fault)
        return USAGE
    return code if isinstance(code, int) else OK
