"""Numerics without a model: log-domain sums, tempered logits, sampling, resampling, statistics."""
