"""Evaluation runs: problems × models × methods × seeds, one line of JSON each, resumable."""

from __future__ import annotations

from localsmc.evals.model_specs import ModelSpec, parse_models
from localsmc.evals.run_folder import RunFolder
from localsmc.evals.runner import Evaluation, Plan

__all__ = ["Evaluation", "ModelSpec", "Plan", "RunFolder", "parse_models"]
