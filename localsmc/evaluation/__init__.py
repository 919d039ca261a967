"""Evaluation runs: problems × models × methods × seeds, one line of JSON each, resumable."""

from __future__ import annotations

from localsmc.evaluation.evaluate import Evaluation, Plan
from localsmc.evaluation.folder import RunFolder
from localsmc.evaluation.models import ModelSpec, parse_models

__all__ = ["Evaluation", "ModelSpec", "Plan", "RunFolder", "parse_models"]
