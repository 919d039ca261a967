"""A language model as samplers see it: the interface, KV slots, prefix cache, constraints, the toy model."""
