"""The llama architecture in PyTorch, laid out as llama.cpp computes it.

Tensor names are those of the GGUF, rotary pairs are adjacent channels (llama.cpp's `llama`
architecture), so exporting is a copy. Knows nothing of tokens' meaning or of training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

RMS_EPSILON = 1e-5
ROPE_BASE = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a network; n_embd and n_ff are multiples of 256 so that K-quants apply."""

    n_vocab: int
    n_embd: int
    n_ff: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_ctx: int


class Attention(nn.Module):
    """Grouped-query causal attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.n_head, self.n_head_kv = shape.n_head, shape.n_head_kv
        self.width = shape.n_embd // shape.n_head
        self.attn_q = nn.Linear(shape.n_embd, shape.n_head * self.width, bias=False)
        self.attn_k = nn.Linear(shape.n_embd, shape.n_head_kv * self.width, bias=False)
        self.attn_v = nn.Linear(shape.n_embd, shape.n_head_kv * self.width, bias=False)
        self.attn_output = nn.Linear(shape.n_head * self.width, shape.n_embd, bias=False)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        batch, length, _ = x.shape
        q = self.attn_q(x).view(batch, length, self.n_head, self.width)
        k = self.attn_k(x).view(batch, length, self.n_head_kv, self.width)
        v = self.attn_v(x).view(batch, length, self.n_head_kv, self.width).transpose(1, 2)
        q, k = (rotate(part, rotation).transpose(1, 2) for part in (q, k))
        mixed = functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, enable_gqa=self.n_head != self.n_head_kv
        )
        return self.attn_output(mixed.transpose(1, 2).reshape(batch, length, -1))


class Block(nn.Module):
    """Attention and a SwiGLU feed-forward layer, each behind an RMS norm and a skip."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        self.attn = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        self.ffn_gate = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_up = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_down = nn.Linear(shape.n_ff, shape.n_embd, bias=False)

    def forward(self, x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        x = x + self.attn(self.attn_norm(x), rotation)
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """Token ids (B, T) to logits (B, T, V); the output matrix is the embedding's."""

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.n_vocab, shape.n_embd)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        self.output_norm = nn.RMSNorm(shape.n_embd, eps=RMS_EPSILON)
        width = shape.n_embd // shape.n_head
        frequency = ROPE_BASE ** (-torch.arange(0, width, 2).float() / width)
        angle = torch.arange(shape.n_ctx).float()[:, None] * frequency
        self.register_buffer("cos", angle.cos()[None, :, None], persistent=False)
        self.register_buffer("sin", angle.sin()[None, :, None], persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        rotation = self.cos[:, :length], self.sin[:, :length]
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, rotation)
        return functional.linear(self.output_norm(x), self.token_embd.weight)


def rotate(x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn the adjacent channel pairs of x (B, T, H, D) by their position's angles."""
    cos, sin = rotation
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2).to(x.dtype)
