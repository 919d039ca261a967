"""The state of a token history: live, stopped, out of length, or pruned."""

from __future__ import annotations

LIVE, STOPPED, OUT_OF_LENGTH, PRUNED = 0, 1, 2, 3
"""Not finished; ended by an end token or stop rule; at the token limit; dropped by the method."""
