"""Models as text: a table of local models, and a page about one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from localsmc.system.humanize import format_bytes, format_count
from localsmc.system.printable import printable
from localsmc_cli.ui.columns import columns

if TYPE_CHECKING:
    from localsmc.gguf.header import Header
    from localsmc.memory.estimate import MemoryEstimate
    from localsmc.store.inventory import InventoryEntry
    from localsmc.store.recommended import Recommendation

TOKENS = 1024
"""Default context size per particle."""

_MAX_TEXT = 200
"""Maximum number of characters shown of a metadata value."""


@dataclass(frozen=True, slots=True)
class MemoryQuestion:
    """The number of particles, and the KV cache size in tokens that they share."""

    particles: int
    n_ctx: int

    def need(self, header: Header) -> MemoryEstimate:
        """The estimate, in bytes."""
        from localsmc.memory.estimate import estimate

        return estimate(header, n_cells=self.n_ctx, n_sequences=self.particles)


# --- tables ---------------------------------------------------------------------------------------


def catalogue(entries: Sequence[InventoryEntry], aliases: Mapping[str, str]) -> str:
    """A table of local models, with aliases below."""
    heads = ("model", "type", "size", "params", "context", "chat")
    table = columns(heads, [_row(entry) for entry in entries], numbers=(2, 3, 4))
    broken = [printable(f"{entry.name}: {entry.error}") for entry in entries if entry.error]
    short = [printable(f"{alias} -> {model}") for alias, model in aliases.items()]
    return "\n\n".join(filter(None, [table, "\n".join(broken), "\n".join(short)]))


def _row(entry: InventoryEntry) -> tuple[str, ...]:
    facts = entry.facts
    if facts is None:
        return (entry.name, "?", "?", "?", "?", "?")
    sizes = format_bytes(facts.bytes), format_count(facts.params), str(facts.context or "?")
    return (entry.name, facts.quantization, *sizes, "yes" if facts.has_chat_template else "no")


def recommended_list(found: Sequence[Recommendation]) -> str:
    """Model names with memory and reason."""
    from localsmc.store.recommended import CELLS

    # A name in a column would be wrapped and could not be copied.
    lines = [f"{one.name}\n    {one.memory / 1e9:.1f} GB, {one.why}" for one in found]
    remark = (
        f"Memory is for the file and a KV cache of {CELLS:,} tokens\nin F16, enough for 16 particles of"
        " 1,024 tokens; llama.cpp\nneeds some hundred MB more. File sizes are from the hub;\nlocalsmc"
        " was not tested with these models."
    )
    return "\n".join([*lines, "", remark])


# --- one model ------------------------------------------------------------------------------------


def record(header: Header, memory: MemoryQuestion) -> dict[str, Any]:
    """The page as JSON."""
    from localsmc.store.inventory import chat_template, facts_of

    need = memory.need(header)
    return {
        "name": header.name,
        "paths": [str(path) for path in header.parts],
        "architecture": header.architecture,
        **asdict(facts_of(header)),
        "memory": {
            "particles": memory.particles,
            "n_ctx": memory.n_ctx,
            "weights": need.weights,
            "cache": need.cache,
            "compute": need.compute,
            "total": need.total,
        },
        "metadata": {key: _plain(value) for key, value in header.metadata.items()},
        "chat_template": chat_template(header),
    }


def page(header: Header, memory: MemoryQuestion) -> str:
    """The page as text."""
    from localsmc.store.inventory import chat_template

    metadata = [
        (key, _short(value)) for key, value in header.metadata.items() if key != "tokenizer.chat_template"
    ]
    template = chat_template(header)
    return "\n\n".join(
        [
            columns((), _facts(header, memory)),
            "metadata\n" + columns((), metadata),
            "no chat template" if template is None else "chat template\n" + printable(template, keep="\n\t"),
        ]
    )


def _facts(header: Header, memory: MemoryQuestion) -> list[tuple[str, str]]:
    from localsmc.store.inventory import facts_of

    need, n_parts, facts = memory.need(header), len(header.parts), facts_of(header)
    bits = 8 * need.weights / header.n_params
    return [
        ("model", header.name),
        ("file", str(header.path) + (f" and {n_parts - 1} more" if n_parts > 1 else "")),
        ("architecture", header.architecture),
        ("type", f"{header.file_type}, {bits:.2f} bits per weight"),
        ("size", format_bytes(header.size)),
        ("parameters", format_count(header.n_params)),
        ("context", f"{facts.context or '?'} tokens"),
        (
            "memory",
            f"{format_bytes(need.total)} for {memory.particles} particles and {memory.n_ctx} tokens:"
            f" {format_bytes(need.weights)} weights, {format_bytes(need.cache)} KV cache,"
            f" {format_bytes(need.compute)} compute buffers",
        ),
    ]


def _plain(value: object) -> object:
    """A metadata value for JSON; an array as its length and type, and a non-finite number as text."""
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _short(value)


def _short(value: object) -> str:
    from localsmc.gguf.header import ArrayInfo

    if isinstance(value, ArrayInfo):
        return f"{value.length} of {value.type}"
    text = printable(str(value).replace("\n", " "))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
