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
    """Whether nothing else says how to reply; a base model would continue an instruction."""
    is_told = settings.system is not None or settings.examples is not None or settings.is_restricted
    return not is_told and model.llama.chat_template is not None


def settings_of_task(model: Model, settings: Settings) -> Settings:
    """The settings for the problems of a task, which all have an answer: "auto" asks for it in a box.

    A system message often says something else, so it does not replace that request.
    """
    if settings.box != "auto":
        return settings
    is_free = not settings.raw and _is_free(model, replace(settings, system=None))
    return replace(settings, box="on" if is_free else "off")


def expects_answer(model: Model, instruction: str | None, settings: Settings) -> bool:
    """Whether it is worth a remark if no completion has an answer.

    After the neutral request a text such as "The capital of France is Paris." is an answer in itself.
    """
    has_form = settings.is_restricted or settings.examples is not None
    return has_form or instruction == instructions.BOXED or model.source.defaults.boxes_unasked
