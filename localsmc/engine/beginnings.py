"""What the prompts of all problems begin with: decoded apart, and in an evaluation once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from localsmc.engine.prompting import build_prompt
from localsmc.engine.settings import Settings
from localsmc.lm.interface import TokenIds, common_prefix
from localsmc.methods import Method
from localsmc.methods.base import COMPLETIONS, draft_kind

if TYPE_CHECKING:
    from localsmc.engine.load import Model

LEAST_SHARED = 16
"""A shorter beginning is not worth a batch of its own."""

MOST_OF_A_HEAD = 16
"""Tokens of a turn's head, such as `user` and a line break; more than these are part of what is shared."""

NOTHING: TokenIds = np.zeros(0, dtype=np.int32)

_PROBES = ("A", "7", "(")
"""Problems whose prompts have nothing in common but their beginning."""


class Beginnings(NamedTuple):
    """The beginning of the model's prompts, and that of its draft model's if it has one."""

    of_model: TokenIds
    of_draft: TokenIds | None = None


def beginnings(model: Model, method: Method, settings: Settings) -> Beginnings:
    """The beginnings of the prompts of a method, and of its draft model if it uses one."""
    of_model, kind = beginning(model, settings), draft_kind(method)
    if kind is None:
        return Beginnings(of_model)
    draft = model.require_draft()
    if kind == COMPLETIONS:
        return Beginnings(of_model, beginning(draft, settings))
    # The draft reads the model's tokens, and those that it lacks as its last token.
    return Beginnings(of_model, np.minimum(of_model, draft.llama.n_vocab - 1).astype(np.int32))


def beginning(model: Model, settings: Settings) -> TokenIds:
    """The tokens with which every problem's prompt begins: a function of the model and settings alone.

    They end after the last control token before the problem, because no text changes how what precedes one is
    tokenised; without one, a token before the prompts of unlike problems part, which a blank before the
    problem could change. Empty if they are few. A problem whose prompt begins otherwise all the same, because
    the template rewrites it, shares nothing.
    """
    if settings.raw and settings.examples is None:
        return NOTHING
    shared = common_prefix([build_prompt(model, probe, settings).tokens for probe in _PROBES])
    controls = np.flatnonzero(np.isin(shared, model.llama.control_tokens))
    ends_in_head = len(controls) and len(shared) - controls[-1] <= MOST_OF_A_HEAD
    shared = shared[: controls[-1] + 1] if ends_in_head else shared[:-1]
    return shared if len(shared) >= LEAST_SHARED else NOTHING
