"""Download progress: a bar on a terminal, elsewhere one line at the start and one at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from localsmc.system.humanize import format_bytes
from localsmc_cli.inputs.parsed_options import HubOptions
from localsmc_cli.inputs.run_settings import access_of
from localsmc_cli.ui.command_session import CommandSession
from localsmc_cli.ui.progress import bar, duration

if TYPE_CHECKING:
    from localsmc.store.hub import Access, Transfer
    from localsmc.store.model_source import ModelSource
    from localsmc_cli.ui.live_panel import Panel

_PERIOD = 1 / 8  # seconds between two updates
_WIDTH, _BAR = 56, 14  # characters: the line fits in a window of 60
_KEPT = "the part that was downloaded is kept: run the same command to resume"


def ensure_downloaded(
    session: CommandSession, options: HubOptions, *models: str | None
) -> tuple[ModelSource, ...]:
    """The files of models by name, downloaded where they are missing; None is the embedded model.

    Raises ModelError for a name that nothing has.
    """
    from localsmc.store import model_source

    with download_progress(session, options) as access:
        return tuple(model_source.resolve(model, access) for model in models)


def find_models(
    session: CommandSession, options: HubOptions, models: Sequence[str | None], draft: str | None
) -> tuple[tuple[ModelSource, ...], ModelSource | None]:
    """As `ensure_downloaded`: the files of models, and of a draft model, None if none is named."""
    drafts = [] if draft is None else [draft]
    found = ensure_downloaded(session, options, *models, *drafts)
    return found[: len(models)], found[-1] if drafts else None


@contextlib.contextmanager
def download_progress(session: CommandSession, options: HubOptions) -> Iterator[Access]:
    """Access to the hub that shows the progress of every download."""
    with contextlib.ExitStack() as stack, session.interrupts.keeping(_KEPT):
        show = _Show(session, stack)
        yield access_of(options, show)
        show.end()


class _Show:
    """The current file; the panel opens when a download starts."""

    def __init__(self, session: CommandSession, stack: contextlib.ExitStack) -> None:
        self._session, self._stack = session, stack
        self._panel: Panel | None = None
        self._file, self._start, self._began, self._shown = "", 0, 0.0, 0.0
        self._last: Transfer | None = None

    def __call__(self, transfer: Transfer) -> None:
        if transfer.file != self._file:
            self._begin(transfer)
        self._last = transfer
        now = time.monotonic()
        if self._panel is not None and now - self._shown >= _PERIOD:
            self._shown = now
            self._panel.status(self._line(transfer, now - self._began))

    def _begin(self, transfer: Transfer) -> None:
        self.end()
        if not self._file:
            self._panel = self._stack.enter_context(self._session.output.panel())
        self._file, self._start, self._began = transfer.file, transfer.done, time.monotonic()
        if self._panel is None and transfer.step == "waiting":
            self._session.output.note(f"another process is downloading {transfer.file}: waiting for it")
        elif self._panel is None:
            there = f", {format_bytes(transfer.done)} of it done" if transfer.done else ""
            self._session.output.note(f"downloading {transfer.file} ({format_bytes(transfer.total)}{there})")

    def end(self) -> None:
        """Report the last file, if there was one."""
        if self._last is not None and self._last.step != "waiting":
            seconds = time.monotonic() - self._began
            self._session.output.note(
                f"downloaded {self._last.file} ({format_bytes(self._last.total)}) in {duration(seconds)},"
                " checksum verified"
            )
        self._last = None

    def _line(self, transfer: Transfer, seconds: float) -> str:
        if transfer.step == "waiting":
            how = "another process is downloading it"
        elif transfer.step == "checking":
            how = "checking"
        else:
            speed = (transfer.done - self._start) / max(seconds, 1e-9)
            left = duration((transfer.total - transfer.done) / speed) if speed else "?"
            how = f"{format_bytes(speed)}/s · {left}"
        share = transfer.done / max(1, transfer.total)
        done = f"{bar(share, _BAR)} {share:.0%} of {format_bytes(transfer.total)}"
        return f"{transfer.file[-_WIDTH:]}\n{done} · {how}"
