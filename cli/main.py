"""The entry point, and the one place that turns errors into messages and exit codes.

Imports almost nothing before `main` runs, since Ctrl-C during an import would print a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import click

    from localsmc.errors import ConfigError, LocalSMCError

BROKEN_PIPE = 141
"""Exit code 128 + SIGPIPE, as in shells."""


def main() -> NoReturn:
    """Run this process's command line and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = run(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Python flushes again at exit and would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code and never raises."""
    import click

    from localsmc.errors import LocalSMCError
    from localsmc_cli.root import localsmc
    from localsmc_cli.ui.command_session import CommandSession
    from localsmc_cli.ui.interrupt import INTERRUPTED, Interrupts
    from localsmc_cli.ui.output import Output

    if request := os.environ.get("_LOCALSMC_COMPLETE"):
        from localsmc_cli.completion.shells import complete

        return complete(request)
    output = Output()
    try:
        with Interrupts(output) as interrupts:
            session = CommandSession(output, interrupts)
            code = localsmc.main(list(arguments), "localsmc", standalone_mode=False, obj=session)
            return code if isinstance(code, int) else 0
    except SystemExit:
        # click raises it if the reader of standard output is gone, as with `| head`.
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:
        known = as_known(error)
        if type(known) is LocalSMCError and error is not known:
            output.trace_back(error)
        output.error(known)
        return known.exit_code


def as_known(error: Exception) -> LocalSMCError:
    """The error as a LocalSMCError with a hint; an unexpected one becomes an internal error."""
    import click

    from localsmc.errors import ConfigError, ContextError, LocalSMCError

    if isinstance(error, LocalSMCError):
        if isinstance(error, ConfigError) and not error.hint:
            error.hint = "see `localsmc --help` and `localsmc COMMAND --help`"
        return error
    if isinstance(error, click.ClickException):
        known: LocalSMCError = _usage_error(error)
    elif isinstance(error, MemoryError):
        known = ContextError("out of memory", hint="lower `--ctx-size`, `--particles` or `--predict`")
    else:
        known = LocalSMCError(
            f"internal error: {type(error).__name__}: {error}",
            hint="please report it, with the traceback that `-v` prints",
        )
    known.__cause__ = error
    return known


def _usage_error(error: click.ClickException) -> ConfigError:
    import click

    from localsmc.errors import ConfigError

    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path if context else 'localsmc'} --help`"
    message = error.message.rstrip(".")
    if isinstance(error, click.NoSuchOption):
        near = error.possibilities or []
        has_problem = context is not None and any(one.name == "problem" for one in context.command.params)
        dash = "; put `--` before a problem that begins with a dash" if has_problem else ""
        hint = f"did you mean `{near[0]}`?" if near else hint + dash
        message = f"unknown option `{error.option_name}`"
    elif isinstance(error, click.BadParameter):
        message = f"{_source(error, context)}: {message}"
    return ConfigError(message[:1].lower() + message[1:], hint=hint)


def _source(error: click.BadParameter, context: click.Context | None) -> str:
    """The source of a bad value: the option, its variable, or the place in the configuration file."""
    from localsmc_cli.config.provenance import origin

    parameter = error.param
    return "a value" if parameter is None or context is None else origin(context, str(parameter.name))


if __name__ == "__main__":
    main()
