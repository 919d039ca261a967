"""The entry point, and the one place where errors become words and exit codes.

Imports next to nothing before `main` runs: Ctrl-C in the middle of an import would be a traceback.
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
"""Exit code: 128 + SIGPIPE, as shells have it."""


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = run(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code. The boundary: nothing is raised from here."""
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
        # What click makes of a reader that went away, such as `| head`.
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
    """The error as one of ours, with a hint; what nobody foresaw is an internal error."""
    import click

    from localsmc.errors import ConfigError, ContextError, LocalSMCError

    if isinstance(error, LocalSMCError):
        if isinstance(error, ConfigError) and not error.hint:
            error.hint = "see `localsmc --help` and `localsmc COMMAND --help`"
        return error
    if isinstance(error, click.ClickException):
        known: LocalSMCError = _usage_error(error)
    elif isinstance(error, MemoryError):
        known = ContextError("memory ran out", hint="lower `--ctx-size`, `--particles` or `--predict`")
    else:
        known = LocalSMCError(
            f"internal error: {type(error).__name__}: {error}",
            hint="run it again with `-v` to see where, and report it",
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
        dash = "; a problem that begins with a dash goes after `--`" if has_problem else ""
        hint = f"did you mean `{near[0]}`?" if near else hint + dash
        message = f"no option is called `{error.option_name}`"
    elif isinstance(error, click.BadParameter):
        message = f"{_source(error, context)}: {message}"
    return ConfigError(message[:1].lower() + message[1:], hint=hint)


def _source(error: click.BadParameter, context: click.Context | None) -> str:
    """The option as it is typed, or the variable or the place in the file that the bad value came from."""
    from localsmc_cli.config.provenance import origin

    parameter = error.param
    return "a value" if parameter is None or context is None else origin(context, str(parameter.name))


if __name__ == "__main__":
    main()
