"""Language models as samplers see them: the interface, KV slots, prefix cache, constraints, the toy model."""
