"""Rows shared out over a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "localsmc-rows")


def map_rows(work: Callable[[Iterator[int]], None], n_rows: int, n_threads: int) -> None:
    """Do the work on all rows, by this thread and others: NumPy lets them run side by side.

    Whoever is free takes the next row: llama.cpp's own threads spin on for a while after a decode, and
    keep others from starting. Those that come too late are not waited for.
    """
    rows = iter(range(n_rows))
    others = [_pool().submit(work, rows) for _ in range(min(n_rows, n_threads) - 1)]
    try:
        work(rows)
    finally:
        # After an error here, too, nobody may go on: the memory of the logits is llama.cpp's.
        for _ in rows:
            pass
        working = [other for other in others if not other.cancel()]
        wait(working)
    for other in working:
        other.result()
