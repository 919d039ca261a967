"""Write greedy_texts.json: what llama-cpp-python writes on the real models, as the golden texts of a test.

    LOCALSMC_TEST_MODELS=FOLDER PYTHONPATH=tests/support python tests/real/greedy_texts.py

Prompts are rendered and tokenized by llama-cpp-python too: no line of localsmc takes part. Write the
file again only if a prompt below changes: the models' files never do.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from fetch_models import MODELS
from reference_llama import ReferenceLlama

FILE = Path(__file__).with_name("greedy_texts.json")
N_TOKENS = 32

PROBLEMS = {
    "smollm2": (
        "Which planet is the largest?",
        "Translate to French: Good morning.",
        "Write a Python function that adds two numbers.",
    ),
    "gemma": ("A B C D E", "1, 2, 3, 4, 5,", "Monday, Tuesday, Wednesday,"),
}
"""Problems whose texts begin with steps that are no near ties. The base model continues its own."""


def golden(name, reference):
    """The entries of a model."""
    for problem in PROBLEMS[name]:
        is_base = name == "gemma"
        prompt = reference.tokenize(problem, add_bos=True) if is_base else reference.chat_prompt(problem)
        tokens, leads = reference.greedy(prompt, N_TOKENS)
        yield {
            "model": name,
            "problem": problem,
            "prompt": prompt,
            "tokens": tokens,
            "leads": [round(lead, 3) for lead in leads],
        }


def main():
    """Write the file."""
    folder, entries = Path(os.environ["LOCALSMC_TEST_MODELS"]), []
    for name, model in MODELS.items():
        with contextlib.closing(ReferenceLlama(folder / model.file)) as reference:
            entries += golden(name, reference)
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
