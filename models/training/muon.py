"""The Muon optimizer (Keller Jordan, 2024) with orthogonalisation in float32.

PyTorch's version orthogonalises in bfloat16, which CPUs without bfloat16 instructions emulate at several
times the cost. The update, state and defaults are otherwise the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic that moves singular values towards 1, as in the original."""
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Updates each matrix along the orthogonal factor of its Nesterov momentum."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every matrix that has a gradient; matrices of one shape are processed together."""
        for group in self.param_groups:
            same_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    same_shape.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in same_shape.items():
                updates = orthogonal(torch.stack([self._nesterov(matrix) for matrix in matrices]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * scale)

    def _nesterov(self, matrix: torch.nn.Parameter) -> torch.Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
        return matrix.grad.lerp(momentum, MOMENTUM)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Approximately U·Vᵀ of each matrix's singular value decomposition, by Newton-Schulz iterations."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
