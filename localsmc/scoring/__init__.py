"""Log-probabilities of given texts: pairs of prompt and text, options of a question, a whole file."""
