"""Problem sets with known answers: standard sets, generated problems for the embedded model, user files."""

from __future__ import annotations

from localsmc.evals.tasks.registry import TASKS, load_task, user_task
from localsmc.evals.tasks.task import Item, Task

__all__ = ["TASKS", "Item", "Task", "load_task", "user_task"]
