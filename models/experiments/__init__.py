"""Commands that produce the measured results in docs/results; not included in the wheel."""
