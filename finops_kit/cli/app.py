"""``finops``: the commands in the order of a first day, and what happens when one goes wrong."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from finops_kit import __version__
from finops_kit.cli.common import Setting, report_error, with_globals

#: the commands, one module each, in the order of a first day
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Begin", ("demo", "init", "ingest", "observe", "quarantine", "status")),
    ("Read", ("report", "prices", "serve", "lab", "sql")),
    ("Prove and hand on", ("trace", "diff", "close", "verify", "ledger", "export")),
    ("Keep safe", ("backup", "restore", "retention", "compact")),
)
#: command -> module, where it is not the command's own name
MODULES = {"sql": "query"}

EPILOG = """\b
A first day:
  finops demo                            a whole example house: data, store, six pages
  finops serve                           look at the pages
  finops init                            an empty store of your own
  finops ingest bills/*.csv.gz           take in your bills; twice adds nothing
  finops status                          what is in it, how old it is
  finops report all                      publish the six perspectives
  finops sql "FROM charge SELECT sum(EffectiveCost)"

\b
Exit codes: 0 done, 2 wrong use, 3 a file was refused, 4 the store, 5 a statement was refused,
  6 figures do not agree or a rate is missing, 7 a report failed, 8 verify or close found something,
  130 interrupted.
"""


class App(click.Group):
    """A group that loads a command when it is named, suggests names, and says errors in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order of a first day."""
        return [name for _, names in SECTIONS for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command from its module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"finops_kit.cli.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which one may have been."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f"Did you mean `finops {close[0]}`?" if close else "`finops --help` lists them."
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under their headings."""
        for heading, names in SECTIONS:
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(heading):
                formatter.write_dl([(name, c.get_short_help_str(200)) for name, c in commands if c is not None])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; every way out is an exit code, and every error one sentence."""
        given = list(sys.argv[1:] if args is None else args)
        name = prog_name or "finops"
        self._main_shell_completion(extra, name, complete_var)
        setting = Setting()
        try:
            with self.make_context(name, given, obj=setting, **extra) as ctx:
                code = self.invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.Exit as done:
            code = done.exit_code
        except click.exceptions.NoArgsIsHelpError as asked:
            code = 0
            click.echo(asked.message)
        except BrokenPipeError:
            code = _quiet_pipe()
        except (KeyboardInterrupt, click.Abort):
            code = 130
            with contextlib.suppress(OSError):
                click.echo("Interrupted; what was not finished was not kept.", err=True)
        except Exception as error:
            code = report_error(error, setting, given)
        code = code if isinstance(code, int) else 0
        if setting.leave_at_once:  # a stopped statement that does not let go must not hold the process
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        sys.exit(code)


def _quiet_pipe() -> int:
    """Whoever read the output has gone: say nothing, and keep Python from trying again at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    return 141


@click.group(
    "finops",
    cls=App,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
@with_globals
@click.version_option(__version__, "--version", message="finops %(version)s")
def app() -> None:
    """FinOps workbench: one append-only technical truth, six readings that add up to the cent.

    Bills, inventories and business figures go in; every figure that comes out names its store version,
    its age and the lines it is made of. Start with `finops demo`.
    """


def main() -> None:
    """Run the command line."""
    app.main()
