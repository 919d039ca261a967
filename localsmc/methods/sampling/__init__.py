"""Independent samples and what is chosen among them: sample, greedy, best of N, self-consistency."""
