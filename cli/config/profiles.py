"""The built-in profiles. A profile of the same name in the user's file replaces one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    # For a first look: a step with four histories costs little more than one of plain decoding.
    "fast": {"particles": 4, "eval": {"method": ["power-smc:N=4", "sample"]}, "bench": {"particles": 4}},
    # The defaults, for a command whose configuration names another profile.
    "balanced": {},
    # More particles also find completions that are light at first, and a majority vote is right more
    # often than a draw.
    "careful": {
        "particles": 64,
        "select": "majority",
        "eval": {"method": ["power-smc:N=64,select=majority", "sample"]},
        "bench": {"particles": 64},
    },
}
"""Name to values, in the form of `[profiles.NAME]`."""
