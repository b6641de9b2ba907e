"""The command line.

Exit codes stand in `codes`. With `--json` results are one object per line on stdout. Logs go to stderr.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from linkback import __version__, errors, terminal
from linkback.cli.codes import INTERRUPTED, NO, OK, TEMPORARY, USAGE
from linkback.errors import FetchError, LinkbackError, Refused
from linkback.terminal import say

if TYPE_CHECKING:
    from linkback.site import Site
    from linkback.sites import Sites


#: where each command is; a module is loaded when one of its commands is asked for
_HOMES = {
    "asking": ("discover", "verify", "explain", "send"),
    "delivered": ("deliveries",),
    "keeping": ("db", "doctor"),
    "publishing": ("publish", "unpublish"),
    "receiving": ("list", "moderate", "recheck"),
    "rendering": ("render",),
    "running": ("serve", "worker", "drain", "jobs", "revive", "demo"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


class _Commands(click.Group):
    """The commands by name, without what they need: `linkback --version` is to answer at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_HOME_OF)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HOME_OF:
            return None
        home = importlib.import_module(f"linkback.cli.{_HOME_OF[cmd_name]}")
        found: click.Command = home.list_ if cmd_name == "list" else getattr(home, cmd_name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="linkback %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is done.")
def cli(verbose: bool) -> None:
    """Pingback, TrackBack and Webmention, both ways."""
    from linkback.cli import logs

    logs.set_up(verbose=verbose)


def main(arguments: list[str] | None = None, *, command: str = "linkback", blog: Site | Sites | None = None) -> int:
    """Run the command line; give its exit code. The installed `linkback` command gets here by `__main__`.

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
