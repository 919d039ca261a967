"""The instruction below a problem: which one a model gets, if any."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localsmc.engine.settings import Settings
from localsmc.text import instructions
from localsmc.text.request import wants_answer

if TYPE_CHECKING:
    from localsmc.engine.load import Model


def instruction_of(model: Model, problem: str, settings: Settings) -> str | None:
    """The instruction to add below a problem, None if there is none."""
    if settings.box == "off" or settings.raw or model.source.defaults.boxes_unasked:
        return None
    if settings.box == "on":
        return instructions.BOXED
    return instructions.NEUTRAL if _is_free(model, settings) and wants_answer(problem) else None


def _is_free(model: Model, settings: Settings) -> bool:
    """Whether nothing else says how to reply. A base model would continue an instruction."""
    says_how = settings.system is not None or settings.examples is not None or settings.is_restricted
    return not says_how and model.llama.chat_template is not None


def settings_of_task(model: Model, settings: Settings) -> Settings:
    """The settings for the problems of a task, which all have an answer: "auto" asks for it in a box."""
    if settings.box != "auto":
        return settings
    says_how = settings.raw or settings.examples is not None or settings.is_restricted
    return replace(settings, box="off" if says_how or model.llama.chat_template is None else "on")


def expects_answer(model: Model, instruction: str | None, settings: Settings) -> bool:
    """Whether a completion without an answer is worth a remark."""
    return instruction is not None or settings.is_restricted or model.source.defaults.boxes_unasked
