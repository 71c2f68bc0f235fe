"""What commands share: the workspace, the global options, output as JSON, and errors as one sentence."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from finops_kit.errors import FinopsError
from finops_kit.settings import WORKSPACE_VARIABLE, Workspace, find_workspace

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Setting:
    """What holds for the whole call, whether it was said before or after the command's name."""

    workspace_option: str | None = None
    debug: bool = False
    quiet: bool = False
    json: bool = False
    leave_at_once: bool = False

    @property
    def workspace(self) -> Workspace:
        """The workspace that is meant."""
        return find_workspace(self.workspace_option)


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        setting = ctx.ensure_object(Setting)
        if value:
            setattr(setting, name, value)
        return value

    return callback


def with_globals(function: Command) -> Command:
    """Add the options that may stand before and after the command's name."""
    for option in (
        click.option(
            "--quiet", "-q", is_flag=True, expose_value=False, callback=_remember("quiet"), help="No progress."
        ),
        click.option(
            "--debug", is_flag=True, expose_value=False, callback=_remember("debug"), help="Show the trace of an error."
        ),
        click.option(
            "--workspace", "-w", metavar="DIR", expose_value=False, callback=_remember("workspace_option"),
            help=f"The folder of the store. Default: ${WORKSPACE_VARIABLE}, else data/workspace.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def finops_command(name: str, *, epilog: str, reports: bool = True, **settings: Any) -> Callable[[Command], Any]:
    """A command with the global options, examples under its help, and ``--json`` where it reports.

    The function gets the :class:`Setting` first.
    """

    def decorate(function: Command) -> Any:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(click.get_current_context().find_object(Setting) or Setting(), *args, **kwargs)

        wrapped: Any = with_globals(run)
        if reports:
            wrapped = click.option(
                "--json", is_flag=True, expose_value=False, callback=_remember("json"), help="Print JSON on stdout."
            )(wrapped)
        context = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
        return click.command(name, epilog=epilog, context_settings=context, **settings)(wrapped)

    return decorate


@contextlib.contextmanager
def until_signal() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets, for work that ends by itself; a second SIGINT breaks it off."""
    import signal

    stop = threading.Event()

    def end(number: int, _: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_json(value: Any) -> None:
    """One JSON value on stdout, readable."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def report_error(error: Exception, setting: Setting, arguments: list[str]) -> int:
    """Say what went wrong in one sentence on stderr (and as JSON on stdout where asked); the exit code."""
    kind = type(error).__name__
    if isinstance(error, click.ClickException):
        message, code = _one_sentence(error.format_message()), error.exit_code
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message += f" See `{error.ctx.command_path} --help`." if "--help" not in message else ""
    elif isinstance(error, FinopsError):
        message, code = _one_sentence(str(error)), error.exit_code
    else:
        log = _write_log(setting, arguments)
        where = f"the trace is in {log}" if log else "run again with --debug to see the trace"
        message, code = f"Something unexpected happened ({kind}: {_one_sentence(str(error))}); {where}.", 1
    if setting.debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"Error: {message}", err=True)
    if setting.json or "--json" in arguments:
        with contextlib.suppress(OSError):
            print_json({"error": {"kind": kind, "message": message, "exit_code": code}})
    return code


def _one_sentence(text: str) -> str:
    return " ".join(text.split())


def _write_log(setting: Setting, arguments: list[str]) -> Path | None:
    """Keep a trace where an operator finds it; None where nothing can be written."""
    try:
        folder = setting.workspace.logs
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        log = folder / f"{now:%Y%m%dT%H%M%S%f}Z.log"
        log.write_text(f"finops {' '.join(arguments)}\n{now.isoformat()}\n\n{traceback.format_exc()}", encoding="utf-8")
    except OSError:
        return None
    return log


def as_of_option(function: Command) -> Command:
    """Add ``--as-of``."""
    return click.option(
        "--as-of", metavar="VERSION|TIME",
        help="Read the store as it was known at a store version (42) or a time (2026-03-31, 2026-03-31T12:00:00Z).",
    )(function)  # fmt: skip


def period_option(help_text: str) -> Callable[[Command], Command]:
    """Add ``--period``, checked."""
    return click.option("--period", metavar="YYYY-MM", callback=_check_period, help=help_text)


def _check_period(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value:
        with contextlib.suppress(ValueError):
            if len(value) == 7 and datetime.strptime(value, "%Y-%m"):
                return value
        raise click.BadParameter(f"{value!r} is not a month. Write it as YYYY-MM, such as 2026-03.")
    return None


def is_terminal() -> bool:
    """Whether somebody looks at stderr."""
    return bool(getattr(sys.stderr, "isatty", lambda: False)())
