"""The command line of lm-eval, which knows the model `localsmc` here: `python -m localsmc.harness`."""

from __future__ import annotations

import sys

from localsmc.errors import LocalSMCError
from localsmc.harness import register
from localsmc.system.printable import printable

INTERRUPTED = 130
"""Exit code 128 + SIGINT, as in shells."""


def main() -> int:
    """Run lm-eval's command line; the exit code."""
    try:
        register()
        from lm_eval.__main__ import cli_evaluate

        cli_evaluate()
    except LocalSMCError as error:
        hint = f"\n\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(printable(f"Error: {error}{hint}\n", keep="\n"))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
