"""What a check finds, and how one is run that may fail in any way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from localsmc.errors import LocalSMCError

Status = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How something is, in one line, and what to type or to change where it should be otherwise."""

    status: Status
    line: str
    hint: str | None = None


Check = Callable[[], Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict with the name of what was checked."""

    name: str
    status: Status
    line: str
    hint: str | None

    def to_json(self) -> dict[str, Any]:
        """For a JSON object."""
        return asdict(self)


def examine(name: str, check: Check) -> Finding:
    """Run a check; one that raises has found something broken."""
    try:
        verdict = check()
    except LocalSMCError as error:
        verdict = Verdict("broken", str(error), error.hint)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        verdict = Verdict("broken", words, "check the path and its permissions")
    except Exception as error:  # whatever it is, the other checks are wanted all the same
        verdict = Verdict("broken", f"{type(error).__name__}: {error}", "nobody foresaw this: report it")
    return Finding(name, verdict.status, verdict.line, verdict.hint)
