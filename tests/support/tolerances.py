"""Tolerances for logits of the same tokens in different batches, by kind of model and device.

The tolerances are absolute. The toy's logits are exact in float64. llama.cpp's depend on the shape of the
batch and the order of the cells. On a CPU with F16 weights and cache they differ by up to 1.4e-2 on
logits of size 20. The random models have F32 weights and the llama an F16 cache: they differ by 6e-4, and by
8e-3 with flash attention, which accumulates in F16 there.

A GPU chooses other kernels from 9 and from 17 rows on, and rounding depends on the kernel: F32
operands are rounded to TF32's 10 bits, sums of F16 products to F16, and tiles are summed in another order.
This was not measured, for lack of a GPU. Random changes of the weights by 2^-10 move the random models'
logits by up to 0.024, and the embedded model's Q8_0 copy, whose products are rounded far more coarsely than
F16 sums, differs by up to 0.24: so these are upper bounds. `pytest --gpu-layers -1` prints the tolerances
that were needed; lower these to match.

A wrong history changes the logits of the random models by 0.5 or more (one of the last four of 5 to 15 tokens
replaced), so these models must detect it on a GPU. In the embedded model the median change is 0.8, but
it is as small as 0.002 if the model ignores a token.
"""

from __future__ import annotations

ON_CPU = {
    "toy": 1e-12,
    "embedded": 3e-2,
    "streams": 3e-2,
    "random": 3e-2,
    "mamba": 1e-2,
    "hybrid": 1e-2,
    "window": 3e-2,
}
ON_GPU = {
    "toy": 1e-12,
    "embedded": 0.25,
    "streams": 0.25,
    "random": 0.1,
    "mamba": 5e-2,
    "hybrid": 0.1,
    "window": 0.1,
}

LAWS_ON_GPU = 0.1
"""Relative tolerance for the squared probability of a completion of three tokens, computed by prefills and
by the batches of a run: six times the error of a token's log p, 0.017. On a CPU it is negligible."""
