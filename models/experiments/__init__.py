"""Commands behind the measured results in docs/results; not in the wheel."""
