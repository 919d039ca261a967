"""Sets of problems with known answers: standard ones, the embedded model's own, and the user's files."""

from __future__ import annotations

from localsmc.tasks.base import Item, Task
from localsmc.tasks.table import TASKS, load_task, user_task

__all__ = ["TASKS", "Item", "Task", "load_task", "user_task"]
