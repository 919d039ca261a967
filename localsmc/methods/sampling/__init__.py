"""Independent samples, and selection among them: sample, greedy, best-of-n, self-consistency."""
