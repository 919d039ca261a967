"""Run the command of an experiment: print errors as a message with a hint, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from localsmc.errors import LocalSMCError


def run(main: Callable[[], None]) -> None:
    """Call the command; exits with the error's code, 130 on Ctrl-C, or 141 on a closed output pipe."""
    try:
        main()
        sys.stdout.flush()
    except LocalSMCError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Otherwise Python would flush stdout again at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        where = f" `{error.filename}`" if error.filename else ""
        print(f"error:{where} {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
