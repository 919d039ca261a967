"""Running a measuring command: errors in one sentence with a hint, and no traceback where it is cut off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from localsmc.errors import LocalSMCError


def run(main: Callable[[], None]) -> None:
    """Call the command; exits with its error's code, 130 where it is interrupted, 141 where nobody reads."""
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
        # Python would try to flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        where = f" `{error.filename}`" if error.filename else ""
        print(f"error:{where} {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
