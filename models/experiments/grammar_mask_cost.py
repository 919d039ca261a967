"""Measure the time to compute grammar masks, on one thread.

    python -m localsmc_models.experiments.grammar_mask_cost [model.gguf] [--tokens N]

For each grammar, tokens are sampled uniformly among the allowed ones, and the mask at each step is timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from localsmc.engine import output_format
from localsmc.engine.load import Model, load
from localsmc.engine.settings import Settings
from localsmc.llama import LlamaGrammar
from localsmc_models.error_boundary import run

SCHEMA = '{"type": "object", "properties": {"answer": {"type": "integer"}, "why": {"type": "string"}}}'

CASES = {
    "a line": Settings(grammar='root ::= "The answer is " [0-9]+ "."'),
    "JSON of a schema": Settings(json_schema=SCHEMA),
    "any text but quotes": Settings(grammar='root ::= [^"]*'),
}


def measure(model: Model, settings: Settings, n_tokens: int) -> tuple[list[float], list[int]]:
    """Milliseconds per mask, and the number of tokens that each allows."""
    rng = np.random.default_rng(1)
    grammar = LlamaGrammar(model.llama, output_format.to_gbnf(settings))
    state, times, sizes = grammar.start(), [], []
    while len(times) < n_tokens:
        began = time.perf_counter()
        (mask,) = grammar.allowed([state])
        times.append(1e3 * (time.perf_counter() - began))
        sizes.append(int(mask.sum()))
        tokens = np.flatnonzero(mask & ~model.llama.is_eog)
        # At the end of a completion, start another one.
        state = grammar.advance(state, int(rng.choice(tokens))) if len(tokens) else grammar.start()
    return times, sizes


def main() -> None:
    """Print one line per grammar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--tokens", type=int, default=40)
    options = parser.parse_args()
    if options.tokens < 1:
        parser.error("--tokens must be at least 1")
    with load(options.model) as model:
        print(f"{model.llama.n_vocab} tokens in the vocabulary")
        for name, settings in CASES.items():
            times, sizes = measure(model, settings, options.tokens)
            median, longest = statistics.median(times), max(times)
            allowed = int(statistics.median(sizes))
            print(
                f"{name}: {median:.2f} ms per mask, at most {longest:.2f}, {allowed} tokens allowed (medians)"
            )


if __name__ == "__main__":
    run(main)
