"""Notices about loaded models and unused GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc_cli.ui.output import Output

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.engine.settings import Settings
    from localsmc.llama import LoadOptions


BOXES_UNASKED = "this model states its answers without being asked: no instruction is added"
NO_SWITCH = "the chat template has no switch for reasoning: `--reasoning` and `/think` do not change it"


MERGED = "the chat template has no system message: yours begins the user's first message"

FOR_PROBLEMS = "continues the problem's text; `--examples FILE` shows it how to answer"
FOR_CHAT = "continues the text of the conversation; `--chat-template NAME|FILE` gives it one"
"""What a base model does with a text, and what to type."""


def print_form(output: Output, model: Model, settings: Settings, base: str = FOR_PROBLEMS) -> None:
    """Print that a base model takes no conversation, and which settings have no effect on a model."""
    if model.llama.chat_template is None and not settings.raw and settings.examples is None:
        output.note(f"{model.source.path.name} is a base model: it has no chat template and {base}")
    if settings.box == "on" and model.source.defaults.boxes_unasked:
        output.note(BOXES_UNASKED)
    print_missing_switch(output, model, settings)
    print_place_of_system(output, model, settings)


def print_missing_switch(output: Output, model: Model, settings: Settings) -> None:
    """Print that the chat template cannot turn reasoning on or off, if that is asked for."""
    template = model.llama.chat_template
    if settings.thinking is not None and template is not None and not template.has_thinking_switch:
        output.note(NO_SWITCH)


def print_place_of_system(output: Output, model: Model, settings: Settings) -> None:
    """Print that the chat template has no system message, if there is one to send."""
    template = model.llama.chat_template
    if settings.system is None or settings.raw or template is None:
        return
    if not template.takes_system:
        output.note(MERGED)


def print_offload(output: Output, model: Model) -> None:
    """Print warnings about the placement of layers, and with `--verbose` the placement."""
    for one in (model, model.draft):
        if one is not None:
            output.detail(f"{one.source.file_name}: {one.placement}")
            for notice in one.notices:
                output.warn(notice)


def warn_idle_gpus(output: Output, load: LoadOptions) -> None:
    """Print a notice if this build of llama.cpp does not use a GPU, unless the options exclude GPUs."""
    from localsmc.llama import can_offload
    from localsmc.memory import host

    if load.n_gpu_layers == 0 or load.cpu_only or can_offload():
        return
    if makers := host.gpus():
        output.note(idle_line(makers))


def idle_line(makers: list[str]) -> str:
    """The notice about unused GPUs."""
    name = " and ".join(makers)
    return f"this build of llama.cpp does not use the GPU ({name}); to change that, see `localsmc doctor`"
