"""Problem sets with known answers: standard sets, generated problems for the embedded model, user files."""

from __future__ import annotations

from localsmc.evals.tasks.registry import TASKS, load_task, runs_code
from localsmc.evals.tasks.task import Gold, Item, Task
from localsmc.evals.tasks.user_task import user_task

__all__ = ["TASKS", "Gold", "Item", "Task", "load_task", "runs_code", "user_task"]
