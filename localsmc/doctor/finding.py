"""The result of a check, and how to run a check that may raise any error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from localsmc.errors import LocalSMCError

Status = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status of one thing: a one-line summary, and a hint how to fix it."""

    status: Status
    line: str
    hint: str | None = None


Check = Callable[[], Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with the name of the check."""

    name: str
    status: Status
    line: str
    hint: str | None

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def examine(name: str, check: Check) -> Finding:
    """Run a check; an error becomes a finding with status `broken`."""
    try:
        verdict = check()
    except LocalSMCError as error:
        verdict = Verdict("broken", str(error), error.hint)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        verdict = Verdict("broken", words, "check the path and its permissions")
    except Exception as error:  # whatever happened, the other checks must run
        verdict = Verdict(
            "broken", f"{type(error).__name__}: {error}", "this is unexpected: please report it"
        )
    return Finding(name, verdict.status, verdict.line, verdict.hint)
