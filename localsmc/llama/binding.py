"""The only module that imports llama_cpp: its low-level functions as `C`, its log, its structs.

llama.cpp's log goes to the logger `localsmc.llama`; its last errors are added to exception messages.
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
        f"llama.cpp cannot be loaded: {error}", hint="run `localsmc doctor` for advice"
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

# Load ggml from llama.cpp's folder: the binding's `_ggml` ignores LLAMA_CPP_LIB_PATH, and a library
# from another build would not know the devices that llama.cpp uses.
libggml = load_shared_library("ggml", C._base_path)

logger = logging.getLogger("localsmc.llama")

# The levels in ggml.h; the binding's table is off by one and hides errors.
_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
last_errors: deque[str] = deque(maxlen=4)
_last_level = logging.DEBUG


@C.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _: Any) -> None:
    global _last_level
    # 5 (GGML_LOG_LEVEL_CONT) continues the previous line.
    _last_level = _LEVELS.get(level, _last_level)
    line = text.decode(errors="replace").rstrip()
    if line.strip("."):
        logger.log(_last_level, line)
        if _last_level == logging.ERROR:
            last_errors.append(line)


C.llama_log_set(_log, ctypes.c_void_p(0))
C.llama_backend_init()


def errors() -> str:
    """llama.cpp's last error lines, without duplicates and function names; clears them."""
    lines = [re.sub(r"^(\w+: )+(error loading model: )*", "", line) for line in last_errors]
    last_errors.clear()
    specific = [line for line in dict.fromkeys(lines) if line != "failed to load model"]
    return f": {'; '.join(specific)}" if specific else ""


def set_fields(struct: ctypes.Structure, **values: Any) -> None:
    """Set fields of a struct; raises TypeError for unknown names, which ctypes would silently accept."""
    known = {field[0] for field in struct._fields_}
    for name, value in values.items():
        if name not in known:
            raise TypeError(f"{type(struct).__name__} has no field `{name}` in this llama-cpp-python")
        setattr(struct, name, value)


def build_info() -> str:
    """The binding's version, and the instruction sets and backends that llama.cpp was built with."""
    features = C.llama_print_system_info().decode().strip(" |")
    return f"llama-cpp-python {llama_cpp.__version__} ({features})"
