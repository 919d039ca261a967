"""How the embedded models say that a question is not theirs: one sentence in many wordings.

One fixed sentence would gather its probability where solutions spread theirs, and p^alpha would favour it;
the wordings share it. The openings are in the model's card, so that `localsmc` recognises a refusal.
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

REFUSALS = tuple(" ".join(parts) for parts in itertools.product(OPENINGS, ENDINGS))
"""Every wording."""
