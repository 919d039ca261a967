"""Worked examples that are put before a problem: pairs of question and answer, or a text.

With a chat template each pair is a user's turn and the model's. Without one, pairs and the problem have a
plain form, which a completion would go on writing: `STOPS` end it before its next question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from localsmc.text.chat_template import Message

QUESTION, ANSWER = "Question:", "Answer:"
"""The labels of the plain form."""

STOPS = (f"\n\n{QUESTION}", f"\n{QUESTION}")
"""Where a completion in the plain form ends."""


class Pair(NamedTuple):
    """A question and its answer, as they are shown."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Either `pairs`, or a `text` that is put before the problem as it stands, after a blank line."""

    pairs: tuple[Pair, ...] = ()
    text: str = ""

    def messages(self) -> list[Message]:
        """The pairs as turns of a conversation."""
        turns: list[Message] = []
        for question, answer in self.pairs:
            turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return turns

    def to_json(self) -> dict[str, Any]:
        """The examples with a hash of them, for a record of a run."""
        content = asdict(self)
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        return {"n_pairs": len(self.pairs), "digest": digest, **content}


def plain_pairs(pairs: Sequence[Pair]) -> str:
    """Answered questions in the plain form, each followed by a blank line."""
    return "".join(f"{QUESTION} {question}\n{ANSWER} {answer}\n\n" for question, answer in pairs)


def plain_question(problem: str) -> str:
    """A question in the plain form, up to where its answer begins."""
    return f"{QUESTION} {problem}\n{ANSWER}"
