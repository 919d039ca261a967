"""The child process that renders the templates of others, within limits on time, memory and output.

It is started with `run(replies)`; see `localsmc.text.templates.process`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime
from typing import Any

from jinja2 import TemplateSyntaxError

from localsmc.system.child_process import Replies
from localsmc.system.printable import one_line
from localsmc.system.process_limits import limit_memory
from localsmc.text.templates import environment, today

CPU_SECONDS = 1.0
"""Time on the processor to compile a template, and again to render it: usually some milliseconds."""

MEMORY = 512 << 20
"""Bytes of memory for the process; Python and Jinja need about 100 MB of addresses."""

MOST_CHARACTERS = 16_000_000
"""Characters that a template may write: many times what is tokenised."""

LONGEST_ERROR = 300
"""Characters of a template's own error message that are passed on."""


def run(replies: Replies) -> None:
    """Answer requests until standard input ends."""
    limit_memory(MEMORY)  # without the limit, the parent watches
    for line in sys.stdin:
        replies.send(**_answer(line))


def _answer(line: str) -> dict[str, Any]:
    """The reply to one request: `text`, or `error`, with the `line` of a syntax error or `is_at_limit`."""
    try:
        return _done(**json.loads(line))
    except MemoryError:
        return {"error": f"it needs more than {MEMORY >> 20} MB of memory", "is_at_limit": True}
    except RecursionError:
        return {"error": "it nests too deeply", "is_at_limit": True}
    except TemplateSyntaxError as error:
        return {"error": _short(error.message or "syntax error"), "line": error.lineno}
    except Exception as error:  # a template is a program: it can fail in any way
        return {"error": _short(str(error) or type(error).__name__)}


def _done(source: str, variables: dict[str, Any] | None = None, when: str | None = None) -> dict[str, Any]:
    """The template rendered, at a time in ISO format or now, or only compiled if there are no variables."""
    with _limited_time():
        environment.compiled(source)
    if variables is None:
        return {}
    with _limited_time(), today.fixed(None if when is None else datetime.fromisoformat(when)):
        text = environment.render(source, variables)
    if len(text) > MOST_CHARACTERS:
        return {"error": f"it writes more than {MOST_CHARACTERS:,} characters", "is_at_limit": True}
    return {"text": text}


def _short(message: str) -> str:
    """A message of a template in one line of printable characters."""
    message = one_line(message[: 2 * LONGEST_ERROR])
    return message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]}…"


if sys.platform == "win32":  # the parent's limits hold there

    def _limited_time() -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

else:
    import signal

    @contextlib.contextmanager
    def _limited_time() -> Any:
        """End the process by SIGPROF after so much time on the processor, whatever it does then."""
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
