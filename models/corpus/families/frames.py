"""Sentences around a bare calculation, as people type them: most have few words or none."""

from __future__ import annotations

import random

from localsmc_models.corpus.wording import filled

FRAMES = (
    "{e}", "{e}", "{e}", "{e}", "{e}=", "{e} =", "{e} = ?", "{e}=?", "{e}?", "{e} equals", "{e} equals what?",
    "{e} is", "{e} is what", "= {e}", "What is {e}?", "What is {e}?", "What is {e}?", "What's {e}?",
    "Whats {e}?", "what is {e}", "what's {e}", "whats {e}", "Compute {e}.", "Compute {e}", "compute: {e}",
    "Calculate {e}.", "calculate {e}", "Calculate: {e}", "How much is {e}?", "how much is {e}", "Solve {e}",
    "Solve: {e}", "Work out {e}.", "Evaluate {e}.", "Find {e}.", "Find the value of {e}.", "Tell me {e}.",
    "Give me {e}", "What does {e} equal?", "What does {e} make?", "What is the [result|value|answer] of {e}?",
    "[the ]answer to {e}", "Can you [tell me what {e} is|compute {e}|calculate {e}|work out {e}]?",
    "Do you know what {e} is?", "I [need|want to know] {e}", "What do you get for {e}?", "Do the math: {e}",
    "How many is {e}?", "result of {e}", "value of {e}", "[Tell|Show] me what {e} is", "Figure out {e}",
    "{e} makes", "{e} = x", "What number is {e}?", "Could you please do {e}?", "what will {e} be",
    "What would {e} be?", "{e} gives?", "{e} = ...", "{e} = _", "Let me know what {e} is.",
    "How do I calculate {e}?", "Just {e}", "what {e}",
)  # fmt: skip


def framed(calculation: str, rng: random.Random) -> str:
    """The question for a calculation that is written in signs or words."""
    return filled(rng.choice(FRAMES), {"e": calculation}, rng)
