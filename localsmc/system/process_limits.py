"""Limits that a child process puts on itself, where the platform has them."""

from __future__ import annotations

import contextlib
import sys

if sys.platform == "win32":  # the parent's limits hold there

    def limit_memory(n_bytes: int) -> None:
        """Let allocations beyond this many bytes of address space fail."""

    def limit_processor(seconds: int) -> None:
        """End the process after so many seconds on the processor."""

    def limit_files(n_bytes: int, n_open: int) -> None:
        """Bound the size of a file in bytes, and the number of open files."""

    def limit_wall(seconds: float) -> None:
        """End the process after so many seconds, unless its code catches the alarm."""

    def leave_network() -> bool:
        """Leave the network for one without any connection; False if that cannot be done."""
        return False

else:
    import resource
    import signal

    def _limit(what: int, most: int) -> None:
        _, hard = resource.getrlimit(what)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # a system that does not have it
            resource.setrlimit(what, (limit, limit))

    def limit_memory(n_bytes: int) -> None:
        """Let allocations beyond this many bytes of address space fail; macOS does not keep the limit."""
        _limit(resource.RLIMIT_AS, n_bytes)

    def limit_processor(seconds: int) -> None:
        """End the process after so many seconds on the processor."""
        _limit(resource.RLIMIT_CPU, seconds)

    def limit_files(n_bytes: int, n_open: int) -> None:
        """Bound the size of a file in bytes, and the number of open files."""
        _limit(resource.RLIMIT_FSIZE, n_bytes)
        _limit(resource.RLIMIT_NOFILE, n_open)

    def limit_wall(seconds: float) -> None:
        """End the process after so many seconds, unless its code catches the alarm."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def leave_network() -> bool:
        """Leave the network for one without any connection; False if that cannot be done.

        Linux can do it where users may make namespaces, and only before a process has threads.
        """
        import ctypes

        new_network, new_user = 0x40000000, 0x10000000
        try:
            unshare = ctypes.CDLL(None).unshare
        except (AttributeError, OSError):
            return False
        return bool(unshare(new_user | new_network) == 0 or unshare(new_network) == 0)
