"""Running a measuring command: errors in one sentence with a hint, Ctrl-C without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from localsmc.errors import LocalSMCError


def run(main: Callable[[], None]) -> None:
    """Call the command; exits with its error's code, or with 130 where it is interrupted."""
    try:
        main()
    except LocalSMCError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        print(f"error: {error}{hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
