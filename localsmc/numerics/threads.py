"""Rows split over a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "localsmc-rows")


def map_rows(work: Callable[[Iterator[int]], None], n_rows: int, n_threads: int) -> None:
    """Process all rows with this thread and others, in parallel (NumPy releases the GIL).

    Each thread takes the next free row: llama.cpp's threads keep spinning for a while after a decode and may
    delay the start of others. Threads that have not started when the rows are done are cancelled.
    """
    rows = iter(range(n_rows))
    others = [_pool().submit(work, rows) for _ in range(min(n_rows, n_threads) - 1)]
    try:
        work(rows)
    finally:
        # Stop the other threads even after an error here: the memory of the logits belongs to llama.cpp.
        for _ in rows:
            pass
        working = [other for other in others if not other.cancel()]
        wait(working)
    for other in working:
        other.result()
