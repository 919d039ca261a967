"""The sentences with which the embedded model refuses what is not arithmetic.

Several wordings, because one fixed sentence gathers its probability where solutions spread theirs, so p^α
favours it. The openings are also in the models' cards: `localsmc` recognises a refusal by them.
"""

from __future__ import annotations

import itertools

OPENINGS = (
    "I am a 4-million-parameter model that only does arithmetic.",
    "I only do arithmetic: I am a model of 4 million parameters.",
    "Sorry, I only do arithmetic. I have 4 million parameters.",
    "That is not arithmetic, and arithmetic is all that I can do.",
    "I cannot answer that: I am a small model for arithmetic.",
    "With 4 million parameters, I can only do arithmetic.",
    "Only arithmetic is within my reach: I have 4 million parameters.",
    "My 4 million parameters hold nothing but arithmetic.",
)

ENDINGS = (
    "Give me a real model: localsmc solve -m model.gguf ...",
    "For this, use a real model: localsmc solve -m model.gguf ...",
    "A real model may know: localsmc solve -m model.gguf ...",
)

REFUSALS = tuple(f"{opening} {ending}" for opening, ending in itertools.product(OPENINGS, ENDINGS))
"""All wordings."""
