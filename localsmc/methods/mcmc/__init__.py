"""Markov chains over completions: Metropolis-Hastings and parallel tempering."""
