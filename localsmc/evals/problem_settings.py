"""The settings for the problems of a task: its examples, and the messages that come before a question."""

from __future__ import annotations

from dataclasses import replace

from localsmc.engine import conclusion, instruction
from localsmc.engine.load import Model
from localsmc.engine.settings import Settings
from localsmc.errors import ConfigError
from localsmc.evals.tasks import Item, Task
from localsmc.evals.tasks.golds import place_of


def refuse_lost_messages(task: Task, settings: Settings) -> None:
    """Refuse settings that would drop or replace the messages that problems have before their question."""
    for item in task.items:
        if settings.raw and (item.system is not None or item.earlier):
            raise ConfigError(
                f"`{task.source}` has messages before the question ({place_of(item)}), and `raw` sends the"
                " question only",
                hint="remove `--raw`",
            )
        if settings.system is not None and item.system is not None:
            raise ConfigError(
                f"`{task.source}` has system messages of its own ({place_of(item)})", hint="remove `--system`"
            )


def messages_json(item: Item) -> list[dict[str, str]] | None:
    """The messages before the question; None if there are none."""
    system = [] if item.system is None else [{"role": "system", "content": item.system}]
    return [*system, *map(dict, item.earlier)] or None


def settings_of(settings: Settings, item: Item) -> Settings:
    """The settings for a problem: those of its task, with the messages that come before its question."""
    system = settings.system if item.system is None else item.system
    return replace(settings, system=system, earlier=item.earlier or settings.earlier)


def task_settings(model: Model, task: Task, settings: Settings) -> Settings:
    """The settings for all problems of a task, with its examples and the system message that all share."""
    systems = {item.system for item in task.items}
    if systems != {None} and len(systems) == 1:
        settings = replace(settings, system=systems.pop())
    if task.examples is not None:
        settings = replace(settings, examples=task.examples)
    if task.kind == "reply":  # nothing to put in a box, or to ask for afterwards
        box, conclude = settings.box, settings.conclude
        settings = replace(
            settings,
            box="off" if box == "auto" else box,
            conclude="off" if conclude == "auto" else conclude,
        )
    is_graded = any(item.gold is not None for item in task.items)
    settings = conclusion.settings_of_task(settings, is_graded=is_graded)
    return instruction.settings_of_task(model, settings)
