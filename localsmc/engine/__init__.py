"""A method on a model: loading, prompting, the context's plan, one solved problem, a conversation."""
