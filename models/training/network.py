"""The llama architecture in PyTorch, with llama.cpp's tensor layout.

Tensor names are those of the GGUF, and rotary pairs are adjacent channels (llama.cpp's `llama`
architecture), so that export is a copy. This module does not use the tokenizer or the training code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

RMS_EPSILON = 1e-5
ROPE_BASE = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """The sizes of a network; n_embd and n_ff are multiples of 256 so that K-quants apply."""

    n_vocab: int
    n_embd: int
    n_ff: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_ctx: int


@dataclass(frozen=True, slots=True)
class Places:
    """Positions of tokens: cos and sin of their rotary angles (B or 1, T, 1, W/2), and the attention mask.

    `mask` (B, 1, T, T) is true where the token of the row attends to the token of the column. Without it,
    attention is causal.
    """

    cos: torch.Tensor
    sin: torch.Tensor
    mask: torch.Tensor | None


class Attention(nn.Module):
    """Grouped-query causal attention with rotary positions."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.n_head, self.n_head_kv = shape.n_head, shape.n_head_kv
        self.width = shape.n_embd // shape.n_head
        self.attn_q = nn.Linear(shape.n_embd, shape.n_head * self.width, bias=False)
        self.attn_k = nn.Linear(shape.n_embd, shape.n_head_kv * self.width, bias=False)
        self.attn_v = nn.Linear(shape.n_embd, shape.n_head_kv * self.width, bias=False)
        self.attn_output = nn.Linear(shape.n_head * self.width, shape.n_embd, bias=False)

    def forward(self, x: torch.Tensor, places: Places) -> torch.Tensor:
        batch, length, _ = x.shape
        q = self.attn_q(x).view(batch, length, self.n_head, self.width)
        k = self.attn_k(x).view(batch, length, self.n_head_kv, self.width)
        v = self.attn_v(x).view(batch, length, self.n_head_kv, self.width).transpose(1, 2)
        q, k = (rotate(part, places).transpose(1, 2) for part in (q, k))
        mixed = functional.scaled_dot_product_attention(
            q, k, v, places.mask, is_causal=places.mask is None, enable_gqa=self.n_head != self.n_head_kv
        )
        return self.attn_output(mixed.transpose(1, 2).reshape(batch, length, -1))


class TransformerBlock(nn.Module):
    """Attention and a SwiGLU feed-forward layer, each with a pre-RMS-norm and a residual connection."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        self.attn = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        self.ffn_gate = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_up = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_down = nn.Linear(shape.n_ff, shape.n_embd, bias=False)

    def forward(
        self,
        x: torch.Tensor,
        places: Places,
        chosen: torch.Tensor | None = None,
    ) -> torch.Tensor:
        x = x + self.attn(self.attn_norm(x), places)
        if chosen is not None:
            x = x.flatten(0, 1).index_select(0, chosen)
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """Token ids (B, T) to logits (B, T, V); the output matrix is the embedding matrix.

    With `positions` (B, T) and `mask` (B, T, T), the rows are trees instead of texts. With `chosen`,
    N indices into the flattened tokens, only their logits are returned (N, V), and the layers after the
    last attention are computed only for them.
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.n_vocab, shape.n_embd)
        self.blk = nn.ModuleList(TransformerBlock(shape) for _ in range(shape.n_layer))
        self.output_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        width = shape.n_embd // shape.n_head
        frequency = ROPE_BASE ** (-torch.arange(0, width, 2).float() / width)
        angle = torch.arange(shape.n_ctx).float()[:, None] * frequency
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        chosen: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if positions is None:
            positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        cos, sin = self.cos[positions][:, :, None], self.sin[positions][:, :, None]
        places = Places(cos, sin, None if mask is None else mask[:, None])
        x = self.token_embd(tokens)
        for block in self.blk[:-1]:
            x = block(x, places)
        x = self.blk[-1](x, places, chosen)
        return functional.linear(self.output_norm(x), self.token_embd.weight)


def rotate(x: torch.Tensor, places: Places) -> torch.Tensor:
    """Rotate the adjacent channel pairs of x (B, T, H, D) by the angles of their positions."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = places.cos, places.sin
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2).to(x.dtype)
