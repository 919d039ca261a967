"""The one importer of llama_cpp: its low-level functions as `C`, its log, its structs.

llama.cpp's log goes to the logger `localsmc.llama`, its last errors into our exceptions.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from collections import deque
from typing import Any

from localsmc.errors import LocalSMCError

# ggml_abort would start a debugger to print a backtrace.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

try:
    import llama_cpp
    import llama_cpp.llama_cpp as C  # noqa: N812
    from llama_cpp import Llama
    from llama_cpp._ctypes_extensions import load_shared_library
    from llama_cpp.llama_grammar import json_schema_to_gbnf
except (ImportError, OSError, RuntimeError) as error:  # the last: a library that cannot be loaded
    raise LocalSMCError(
        f"llama.cpp cannot be loaded: {error}", hint="`localsmc doctor` says what to do"
    ) from error

__all__ = [
    "C",
    "Llama",
    "build_info",
    "errors",
    "json_schema_to_gbnf",
    "last_errors",
    "libggml",
    "set_fields",
]

# From llama.cpp's own folder: the binding's `_ggml` does not heed LLAMA_CPP_LIB_PATH, and the other
# build's library, if there is one, knows nothing of the devices that llama.cpp computes on.
libggml = load_shared_library("ggml", C._base_path)

logger = logging.getLogger("localsmc.llama")

# ggml.h's levels; the binding's own table is one off and hides errors.
_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
last_errors: deque[str] = deque(maxlen=4)
_last_level = logging.DEBUG


@C.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _: Any) -> None:
    global _last_level
    # 5 continues the line before.
    _last_level = _LEVELS.get(level, _last_level)
    line = text.decode(errors="replace").rstrip()
    if line.strip("."):
        logger.log(_last_level, line)
        if _last_level == logging.ERROR:
            last_errors.append(line)


C.llama_log_set(_log, ctypes.c_void_p(0))
C.llama_backend_init()


def errors() -> str:
    """llama.cpp's last error lines, once, without the names of its functions."""
    lines = [re.sub(r"^(\w+: )+(error loading model: )*", "", line) for line in last_errors]
    last_errors.clear()
    telling = [line for line in dict.fromkeys(lines) if line != "failed to load model"]
    return f": {'; '.join(telling)}" if telling else ""


def set_fields(struct: ctypes.Structure, **values: Any) -> None:
    """Set fields that exist; ctypes would take unknown ones without a word."""
    known = {field[0] for field in struct._fields_}
    for name, value in values.items():
        if name not in known:
            raise TypeError(f"{type(struct).__name__} has no field `{name}` in this llama-cpp-python")
        setattr(struct, name, value)


def build_info() -> str:
    """Binding version and the instruction sets and backends llama.cpp was built with."""
    features = C.llama_print_system_info().decode().strip(" |")
    return f"llama-cpp-python {llama_cpp.__version__} ({features})"
