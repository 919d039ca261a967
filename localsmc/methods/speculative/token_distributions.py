"""The next-token distributions of the methods with two models."""

from __future__ import annotations

import numpy as np

from localsmc.methods.speculative.deferral_rules import RuleDistribution
from localsmc.numerics.log_math import Doubles, Floats, Lowest, require_numbers


class TokenDistributions:
    """Maps logits to distributions: a temperature (0 for greedy), and a truncation of the drawn one."""

    def __init__(self, temperature: float, lowest: Lowest | None, n_vocab: int) -> None:
        self.temperature = temperature
        self._lowest, self._n_vocab = lowest, n_vocab

    def distribution(self, logits: Floats) -> RuleDistribution:
        """The distributions of rows of logits (R, W) over the target's vocabulary; tokens beyond W get 0."""
        return self.read(logits)[0]

    def read(self, logits: Floats) -> tuple[RuleDistribution, Doubles]:
        """`distribution`, and the log-sum-exp (R,) of each row."""
        logits = logits[:, : self._n_vocab]
        found, log_norm = softmax(logits)
        plain = self._widened(found)
        if self.temperature == 1.0 and self._lowest is None:
            return RuleDistribution(plain, plain), log_norm
        if self.temperature == 0.0:
            drawn = np.zeros_like(plain)
            drawn[np.arange(len(logits)), logits.argmax(axis=1)] = 1.0
            return RuleDistribution(drawn, plain), log_norm
        if self._lowest is not None:
            lowest = np.array([self._lowest(row) for row in logits])[:, None]
            logits = np.where(logits < lowest, -np.inf, logits).astype(logits.dtype)
        drawn, _ = softmax(logits / logits.dtype.type(self.temperature))
        return RuleDistribution(self._widened(drawn), plain), log_norm

    def _widened(self, probabilities: Floats) -> Floats:
        missing = self._n_vocab - probabilities.shape[1]
        return np.pad(probabilities, ((0, 0), (0, missing))) if missing else probabilities


def softmax(logits: Floats) -> tuple[Floats, Doubles]:
    """Probabilities (R, V), and the log-sum-exp of each row."""
    top = logits.max(axis=1)
    require_numbers(top)
    found: Floats = np.exp(logits - top[:, None])
    total = found.sum(axis=1, dtype=np.float64)
    found /= total[:, None].astype(found.dtype)
    return found, top + np.log(total)
