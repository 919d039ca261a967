"""Sequential Monte Carlo on the power distribution: Power-SMC and its draft-model form."""
