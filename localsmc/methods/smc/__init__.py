"""Sequential Monte Carlo for the power distribution: Power-SMC, and its version with a draft model."""
