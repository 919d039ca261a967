"""Evaluation: run problems x models x methods x seeds into a resumable run folder; tasks and grading."""
