"""Markov chains over whole completions: Metropolis-Hastings and parallel tempering."""
