"""Evaluation: problems x models x methods x seeds into a run folder that resumes; tasks and grading."""
