"""How far llama.cpp's numbers may be apart for the same tokens in other batches, by kind of model and device.

Absolute, on logits. The toy's are float64 exactly. llama.cpp's differ by the batch's shape and the
cells' order. On a CPU with F16 weights and cache by up to 1.4e-2 on logits of size 20; the random
models have F32 weights, the llama an F16 cache: 6e-4, and 8e-3 with flash attention, which adds up in
F16 there.

A GPU chooses another kernel from 9 and from 17 rows on, and what it rounds depends on the kernel: F32
operands to TF32's 10 bits, sums of F16 products to F16, tiles added up in another order. No GPU was
here to measure it. Weights changed at random by 2^-10 move the random models' logits by up to 0.024,
and the embedded model's Q8_0 copy, whose products are rounded far more coarsely than F16 sums, is off
by up to 0.24: so these are bounds. `pytest --gpu-layers -1` prints what was needed; lower them by it.

A wrong history is off by 0.5 or more in the random models (one of the last four of 5 to 15 tokens
replaced), which have to find it on a GPU. In the embedded one it is off by 0.8 in the median, and by as
little as 0.002 where it does not heed a token.
"""

from __future__ import annotations

ON_CPU = {"toy": 1e-12, "embedded": 3e-2, "streams": 3e-2, "random": 3e-2, "mamba": 1e-2}
ON_GPU = {"toy": 1e-12, "embedded": 0.25, "streams": 0.25, "random": 0.1, "mamba": 5e-2}

LAWS_ON_GPU = 0.1
"""Relative, on the probability of a text of three tokens to the power 2, as prefills give it and as
batches of a run do: six times what log p of a token may be off by, 0.017. On a CPU it is lost in noise."""
