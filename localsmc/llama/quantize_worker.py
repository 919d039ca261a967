"""The child process that quantizes: llama.cpp reads one GGUF and writes another."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import re
import signal
import threading
from typing import Any

from localsmc.gguf.tensor_types import FILE_TYPES
from localsmc.llama.binding import C, last_errors, logger, set_fields
from localsmc.system.child_process import Replies


def serve(replies: Replies, text: str) -> None:
    """Entry point of the child: run the job given as JSON, then wait until the parent finishes or dies."""
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):  # the parent gets them too, and its exit ends the child
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    job = json.loads(text)
    guard = threading.Thread(target=_clean_up, args=(job["scratch"],), daemon=True)
    guard.start()
    logger.setLevel(logging.INFO)
    # The dry run is instant and reports the output size before anything is written.
    replies.send(end=_run(replies, job, is_dry=True) or _run(replies, job, is_dry=False))
    guard.join()


def _clean_up(scratch: str) -> None:
    """Wait for the end of standard input, i.e. of the parent; then remove the file and exit at once."""
    while os.read(0, 1):
        pass
    with contextlib.suppress(OSError):  # the file was already renamed
        os.unlink(scratch)
    os._exit(0)


def _run(replies: Replies, job: dict[str, Any], *, is_dry: bool) -> str:
    """Quantize; returns the error message, empty on success."""
    params = C.llama_model_quantize_default_params()
    set_fields(
        params,
        nthread=job["n_threads"],
        ftype=FILE_TYPES.index(job["type"].removesuffix("_MOE")),
        allow_requantize=job["allow_requantize"],
        quantize_output_tensor=not job["leave_output_tensor"],
        pure=job["pure"],
        dry_run=is_dry,
    )
    last_errors.clear()
    handler = _LogSender(replies, is_dry)
    logger.addHandler(handler)
    source, scratch = os.fsencode(job["source"]), os.fsencode(job["scratch"])
    code = C.llama_model_quantize(source, scratch, ctypes.byref(params))
    logger.removeHandler(handler)
    if not code:
        return ""
    reason = last_errors[-1] if last_errors else f"code {code}"
    return re.sub(r"^\w+: failed to quantize: ", "", reason).strip()


class _LogSender(logging.Handler):
    """Sends llama.cpp's log lines to the parent."""

    def __init__(self, replies: Replies, is_dry: bool) -> None:
        super().__init__()
        self._replies, self._is_dry = replies, is_dry

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self._replies.send(is_dry=self._is_dry, level=record.levelno, line=record.getMessage())
