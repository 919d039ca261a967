"""What a benchmark runs: plain decoding, bare batches in llama.cpp, methods, and llama-cpp-python's Llama."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from localsmc.engine.load import Model
from localsmc.errors import ConfigError
from localsmc.llama import MAX_SEQUENCES
from localsmc.methods import METHODS, Method
from localsmc.methods.base import draft_kind, options_of
from localsmc.methods.spec import MethodSpec

Kind = Literal["plain", "raw", "method", "rows", "peer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One benchmark case of `n_tokens` tokens.

    plain   one completion at temperature 1 through the engine
    raw     llama_decode on batches of `rows` tokens, without anything else: an upper bound on speed
    method  `method` with realistic histories, which may share tokens
    rows    `method` with `rows` particles that share no tokens after the prompt and never end
    peer    llama-cpp-python's `Llama`: `rows` completions one after another; with `is_best`, the most
            probable of them
    """

    kind: Kind
    label: str
    n_tokens: int
    method: Method | None = None
    rows: int = 1
    is_best: bool = False


def cases(
    model: Model,
    specs: Sequence[MethodSpec],
    *,
    particles: Sequence[int] = (),
    alphas: Sequence[float] = (),
    n_tokens: Sequence[int],
    has_peers: bool = False,
    is_synthetic: bool = False,
) -> list[Case]:
    """All requested cases, without duplicates; `model` provides the methods' defaults.

    Each method runs with every number of particles and every exponent, if it has this parameter and its
    spec does not set it. Raises ConfigError for a list that applies to no method, and for methods that
    cannot be replayed.
    """
    if is_synthetic:
        _reject_pairs(specs)
    _reject_unused(specs, "particles", "-N", particles)
    _reject_unused(specs, "alpha", "--alpha", alphas)
    methods = list(_methods(model, specs, particles, alphas))
    counts = sorted(set(particles) or {getattr(method, "particles", 1) for _, method in methods})
    counts = [n for n in counts if n <= MAX_SEQUENCES]
    found = (case for n in n_tokens for case in _of_length(model, methods, counts, n, has_peers=has_peers))
    return list(dict.fromkeys(found))


def _of_length(
    model: Model,
    methods: Sequence[tuple[str, Method]],
    counts: Sequence[int],
    n: int,
    *,
    has_peers: bool,
) -> Iterator[Case]:
    yield Case(kind="plain", label="plain decoding", n_tokens=n, method=model.method("sample"))
    for rows in counts:
        yield Case(kind="raw", label=f"llama_decode, rows={rows}", n_tokens=n, rows=rows)
    for label, method in methods:
        yield Case(kind="method", label=label, n_tokens=n, method=method)
    for rows in counts:
        if rows > 1:
            yield in_rows(model, rows, n)
    if has_peers:
        yield Case(kind="peer", label="Llama, one completion", n_tokens=n)
        for rows in counts:
            if rows > 1:
                yield Case(kind="peer", label=f"Llama, {rows} in turn", n_tokens=n, rows=rows)
                yield Case(kind="peer", label=f"Llama, best of {rows}", n_tokens=n, rows=rows, is_best=True)


def in_rows(model: Model, rows: int, n_tokens: int) -> Case:
    """Power-SMC with `rows` particles that share no tokens; other parameters are the model's defaults."""
    method = model.method("power-smc", particles=rows, share=False, resampling="systematic")
    return Case(kind="rows", label=f"power-smc, rows={rows}", n_tokens=n_tokens, method=method, rows=rows)


def _methods(
    model: Model, specs: Iterable[MethodSpec], particles: Sequence[int], alphas: Sequence[float]
) -> Iterator[tuple[str, Method]]:
    for spec in specs:
        for counted in _varied(spec, "particles", "N", particles):
            for one in _varied(counted, "alpha", "alpha", alphas):
                yield one.label, model.method(one.name, **one.options)


def _varied(spec: MethodSpec, option: str, written: str, values: Sequence[float]) -> Iterator[MethodSpec]:
    if not values or option not in options_of(METHODS[spec.name]) or option in spec.options:
        yield spec
        return
    sign = "," if ":" in spec.label else ":"
    for value in values:
        label = f"{spec.label}{sign}{written}={value:g}"
        yield replace(spec, label=label, options={**spec.options, option: value})


def _reject_unused(specs: Sequence[MethodSpec], option: str, written: str, values: Sequence[float]) -> None:
    free = (option in options_of(METHODS[spec.name]) and option not in spec.options for spec in specs)
    if values and not any(free):
        raise ConfigError(f"`{written}` applies to none of the methods", hint="remove it")


def _reject_pairs(specs: Sequence[MethodSpec]) -> None:
    for spec in specs:
        if draft_kind(METHODS[spec.name]):
            raise ConfigError(
                f"`{spec.label}` uses two models and cannot be replayed on a synthetic one",
                hint="benchmark it on real models: -m large.gguf -md small.gguf",
            )
