"""localsmc: better answers from the GGUF model you already have, by sampling from p(y|x)^α.

    import localsmc

    with localsmc.load() as model:                       # or localsmc.load("model.gguf")
        result = localsmc.solve(model, "What is 17 * 23?")
        print(result.answer)

Names are imported on first use, so importing the package is fast.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from localsmc.version import __version__

if TYPE_CHECKING:
    from localsmc.engine.conversation import Conversation
    from localsmc.engine.example_file import read_examples
    from localsmc.engine.load import Model, load
    from localsmc.engine.settings import Settings
    from localsmc.engine.solve import Generation, solve, start
    from localsmc.errors import LocalSMCError
    from localsmc.llama import LoadOptions
    from localsmc.lm.toy import ToyModel
    from localsmc.methods import METHODS, Greedy, PowerSMC, Sample
    from localsmc.results import Result, StepInfo
    from localsmc.scoring.perplexity import perplexity
    from localsmc.scoring.score import score
    from localsmc.text.examples import Examples, Pair

_MODULES = {
    "Conversation": "engine.conversation",
    "Examples": "text.examples",
    "Generation": "engine.solve",
    "Greedy": "methods",
    "LoadOptions": "llama",
    "LocalSMCError": "errors",
    "METHODS": "methods",
    "Model": "engine.load",
    "Pair": "text.examples",
    "PowerSMC": "methods",
    "Result": "results",
    "Sample": "methods",
    "Settings": "engine.settings",
    "StepInfo": "results",
    "ToyModel": "lm.toy",
    "__version__": "version",
    "load": "engine.load",
    "perplexity": "scoring.perplexity",
    "read_examples": "engine.example_file",
    "score": "scoring.score",
    "solve": "engine.solve",
    "start": "engine.solve",
}

__all__ = [
    "Conversation",
    "Examples",
    "Generation",
    "Greedy",
    "LoadOptions",
    "LocalSMCError",
    "METHODS",
    "Model",
    "Pair",
    "PowerSMC",
    "Result",
    "Sample",
    "Settings",
    "StepInfo",
    "ToyModel",
    "__version__",
    "load",
    "perplexity",
    "read_examples",
    "score",
    "solve",
    "start",
]

# The library logs nothing unless the application configures logging; this includes llama.cpp's warnings.
logging.getLogger("localsmc").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module `localsmc` has no attribute `{name}`")
    return getattr(importlib.import_module(f"localsmc.{_MODULES[name]}"), name)
