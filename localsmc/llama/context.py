"""A llama.cpp context: the cache of all sequences; decodes batches and returns logits.

Inputs that would make llama.cpp abort the process, or silently return wrong logits, are detected here
first and raise an error instead.
"""

from __future__ import annotations

import ctypes
import time
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from localsmc.errors import ContextError, ContextFull, DecodeFailed, ModelLoadFailed, SequenceError
from localsmc.gguf.tensor_types import KV_TYPES, bytes_per_element
from localsmc.llama.binding import C, errors, last_errors, set_fields
from localsmc.llama.devices import default_threads
from localsmc.llama.load_options import FLASH_ATTENTION, ContextOptions
from localsmc.lm.interface import TokenIds
from localsmc.numerics.log_math import Floats, Ints

if TYPE_CHECKING:
    from localsmc.llama.weights import LlamaModel


def open_context(model: LlamaModel, options: ContextOptions) -> LlamaContext:
    """Create a context for a model; it is closed before the weights are freed.

    To replace a context, close the old one first, because both need memory. Raises ContextError if
    llama.cpp cannot create it, and ModelLoadFailed if the model has no sequence memory.
    """
    context = LlamaContext(model, options)
    model.close_first(context)
    return context


class LlamaContext:
    """A llama.cpp context with the cache of all sequences: implements `LanguageModel`."""

    dtype: np.dtype[Any] = np.dtype(np.float32)

    def __init__(self, model: LlamaModel, options: ContextOptions) -> None:
        self.model, self.options = model, options
        self.decode_seconds = self.logits_seconds = 0.0
        self.n_vocab, self.is_eog, self.pieces = model.n_vocab, model.is_eog, model.pieces
        self.n_seq_max = options.n_seq_max
        self.n_threads = options.n_threads or default_threads(model.n_params)
        last_errors.clear()
        pointer = C.llama_init_from_model(model.pointer, self._params(options))
        if not pointer:
            raise ContextError(
                f"llama.cpp cannot create a context of {options.n_ctx} tokens{errors()}",
                hint="lower `--ctx-size`, `--particles` or `--predict`",
            )
        self._context = pointer
        self._finalizer = weakref.finalize(self, C.llama_free, pointer)
        self._memory = C.llama_get_memory(pointer)
        if not self._memory:
            self.close()
            raise ModelLoadFailed(
                f"`{model.path}` is not a causal model: it has no sequence memory",
                hint="use a causal language model",
            )
        self.n_cells = int(C.llama_n_ctx(pointer))
        self.can_forget = not (C.llama_model_is_recurrent(model.pointer) or model.is_hybrid)
        if C.llama_model_is_recurrent(model.pointer):
            # A recurrent model stores one state per sequence, whatever its length.
            self.n_cells *= options.n_seq_max
        self.n_length = (
            min(self.n_cells, model.n_ctx_train)
            if options.layout.is_unified
            else int(C.llama_n_ctx_seq(pointer))
        )
        # llama.cpp reduces the batch size to the context size, and aborts on larger batches.
        self.n_batch = int(C.llama_n_batch(pointer))
        self._length = np.zeros(self.n_seq_max, dtype=np.int64)
        self._row = np.zeros(self.n_seq_max, dtype=np.int64)
        self._handed_out: Floats | None = None
        self._view: tuple[int, int, Floats] = (0, 0, np.empty((0, self.n_vocab), np.float32))
        self._batch = _Batch(self.n_batch)

    @property
    def n_reused(self) -> int:
        """Number of compute graphs that llama.cpp reused instead of rebuilding."""
        return int(C.llama_perf_context(self._alive()).n_reused)

    def _params(self, options: ContextOptions) -> Any:
        flash = options.flash_attention
        if flash == "auto" and not self.model.gpus and bytes_per_element(options.type_v) >= 2:
            # On a CPU, flash attention is slower for large batches and no faster for small ones, and it
            # accumulates values in fp16, so equal histories in different cells give different logits.
            # A quantised V cache requires it.
            flash = "off"
        params = C.llama_context_default_params()
        set_fields(
            params,
            n_ctx=options.n_ctx,
            n_batch=options.n_batch,
            # One token per sequence and one more: hybrid models may put that many into one graph.
            n_ubatch=min(max(options.n_ubatch, options.n_seq_max + 1), options.n_batch),
            n_seq_max=options.n_seq_max,
            n_threads=self.n_threads,
            n_threads_batch=self.n_threads,
            flash_attn_type=FLASH_ATTENTION[flash],
            type_k=KV_TYPES[options.type_k],
            type_v=KV_TYPES[options.type_v],
            kv_unified=options.layout.is_unified,
            # Sliding-window caches must not recycle cells that several sequences share.
            swa_full=True,
            embeddings=False,
        )
        return params

    @property
    def is_open(self) -> bool:
        """Whether the context is usable: False after `close`, or after a decode that failed midway."""
        return bool(self._finalizer.alive)

    def close(self) -> None:
        """Free the context; safe to call twice."""
        self._finalizer()

    def _alive(self) -> Any:
        if not self._finalizer.alive:
            raise SequenceError("the context is closed")
        return self._context

    # --- the LanguageModel protocol ---

    def decode(self, tokens: Ints, positions: Ints, seqs: Ints, *, outputs: Ints | None = None) -> Floats:
        """See `LanguageModel.decode`; returns a read-only view of llama.cpp's memory."""
        self._alive()
        self._check(tokens, positions, seqs)
        if not self.options.layout.mixes_sequences and (seqs != seqs[0]).any():
            return self._decode_apart(tokens, positions, seqs, outputs)
        return self._decode(tokens, positions, seqs, outputs)

    def _decode_apart(self, tokens: Ints, positions: Ints, seqs: Ints, outputs: Ints | None) -> Floats:
        """Decode one sequence after the other; the rows are in the order of the batch."""
        wanted = np.arange(len(seqs)) if outputs is None else outputs
        logits = np.empty((len(wanted), self.n_vocab), self.dtype)
        for seq in np.unique(seqs):
            rows = np.flatnonzero(seqs == seq)
            is_wanted = seqs[wanted] == seq
            # llama.cpp needs at least one output row.
            here = np.searchsorted(rows, wanted[is_wanted]) if is_wanted.any() else np.array([len(rows) - 1])
            try:
                found = self._decode(tokens[rows], positions[rows], seqs[rows], here)
            except ContextFull as error:
                # Other sequences of the batch are in the cache.
                self.close()
                raise DecodeFailed(f"the KV cache has no room for {len(tokens)} tokens") from error
            if is_wanted.any():
                logits[is_wanted] = found
        return logits

    def _decode(self, tokens: Ints, positions: Ints, seqs: Ints, outputs: Ints | None) -> Floats:
        context, n_rows = self._context, len(tokens)
        self._invalidate_view()
        batch = self._batch.fill(tokens, positions, seqs, outputs)
        last_errors.clear()
        began = time.perf_counter()
        code = C.llama_decode(context, batch)
        C.llama_synchronize(context)
        self.decode_seconds += time.perf_counter() - began
        if code == 1:
            raise ContextFull(f"the KV cache has no room for {n_rows} tokens", hint="raise `--ctx-size`")
        if code != 0:
            # Part of the batch may be in the cache: the state of the sequences is unknown.
            self.close()
            raise DecodeFailed(f"llama.cpp could not decode {n_rows} tokens (code {code}){errors()}")
        self._length[seqs] = positions + 1
        began = time.perf_counter()
        view = self._logits(n_rows if outputs is None else len(outputs))
        if self.options.guard_views:
            self._handed_out = view = view.copy()
        self.logits_seconds += time.perf_counter() - began
        return view

    def _logits(self, n_rows: int) -> Floats:
        pointer = C.llama_get_logits(self._context)
        address = ctypes.addressof(pointer.contents)
        n_held, _, view = self._view
        # llama.cpp reuses its buffer while it is large enough; a slice is cheaper than a new view.
        if self._view[1] != address or n_rows > n_held:
            view = np.ctypeslib.as_array(pointer, shape=(n_rows, self.n_vocab))
            view.flags.writeable = False
            self._view = n_rows, address, view
        return view[:n_rows]

    def _check(self, tokens: Ints, positions: Ints, seqs: Ints) -> None:
        """Raise SequenceError for input that llama.cpp aborts on or wrongly accepts."""
        n_rows = len(tokens)
        if not 1 <= n_rows <= self.n_batch:
            raise SequenceError(f"the batch has {n_rows} tokens, but must have 1 to {self.n_batch}")
        if tokens.min() < 0 or tokens.max() >= self.n_vocab:
            raise SequenceError(f"a token id is not in 0 … {self.n_vocab - 1}")
        self._check_seqs(seqs.min(), seqs.max())
        expected = self._length[seqs]
        rows = np.arange(n_rows)
        self._row[seqs] = rows
        if not np.array_equal(self._row[seqs], rows):
            # Several tokens of one sequence have consecutive positions.
            for seq in np.unique(seqs):
                in_seq = seqs == seq
                expected[in_seq] += np.arange(np.count_nonzero(in_seq))
        if not np.array_equal(positions, expected):
            raise SequenceError(
                f"positions are {positions.tolist()[:8]}, but must be {expected.tolist()[:8]}"
            )

    def _check_seqs(self, lowest: int, highest: int) -> None:
        if lowest < 0 or highest >= self.n_seq_max:
            raise SequenceError(f"a sequence id is not in 0 … {self.n_seq_max - 1}")

    def _invalidate_view(self) -> None:
        if self._handed_out is not None:
            self._handed_out.fill(np.nan)

    def copy(self, source: int, target: int) -> None:
        """See `LanguageModel.copy`."""
        self._alive()
        self._check_seqs(min(source, target), max(source, target))
        if self._length[target]:
            # llama.cpp would add the cells of `source` to those of `target`, and attend to both.
            raise SequenceError(f"sequence {target} is in use: a copy to it would mix two histories")
        C.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._length[target] = self._length[source]

    def remove(self, seq: int, start: int = 0) -> None:
        """See `LanguageModel.remove`; a recurrent model can only remove a whole sequence."""
        self._alive()
        self._check_seqs(seq, seq)
        if start >= self._length[seq]:
            return
        if not C.llama_memory_seq_rm(self._memory, seq, start or -1, -1):
            raise SequenceError(
                f"cannot remove sequence {seq} from position {start} on:"
                " the model stores a recurrent state, not a list of tokens"
            )
        self._length[seq] = start

    def clear(self) -> None:
        """See `LanguageModel.clear`."""
        self._alive()
        self._invalidate_view()
        C.llama_memory_clear(self._memory, False)
        self._length[:] = 0

    def match_prefix(self, seq: int, prompt: TokenIds) -> int:
        """See `LanguageModel.match_prefix`; always 0, because there is no prefix cache."""
        return 0

    def n_shared(self, prompt: TokenIds) -> int:
        """See `LanguageModel.n_shared`; always 0, because no prompt is known to share anything."""
        return 0

    def store_prefix(self, seq: int, prompt: TokenIds) -> None:
        """See `LanguageModel.store_prefix`; does nothing."""


class _Batch:
    """A llama_batch backed by NumPy arrays and filled by slices; llama_decode copies it on entry."""

    def __init__(self, n_rows: int) -> None:
        self._token, self._pos = np.zeros(n_rows, np.int32), np.zeros(n_rows, np.int32)
        self._seq, self._n_seq = np.zeros((n_rows, 1), np.int32), np.ones(n_rows, np.int32)
        self._output = np.zeros(n_rows, np.int8)
        address, stride = self._seq.ctypes.data, self._seq.strides[0]
        self._seq_rows = np.uint64(address) + np.arange(n_rows, dtype=np.uint64) * np.uint64(stride)
        self._struct = C.llama_batch()
        set_fields(
            self._struct,
            token=_pointer(self._token, ctypes.c_int32),
            pos=_pointer(self._pos, ctypes.c_int32),
            n_seq_id=_pointer(self._n_seq, ctypes.c_int32),
            seq_id=ctypes.cast(self._seq_rows.ctypes.data, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=_pointer(self._output, ctypes.c_int8),
        )

    def fill(self, tokens: Ints, positions: Ints, seqs: Ints, outputs: Ints | None = None) -> Any:
        n = len(tokens)
        self._token[:n], self._pos[:n], self._seq[:n, 0] = tokens, positions, seqs
        self._output[:n] = outputs is None
        if outputs is not None:
            self._output[outputs] = 1
        self._struct.n_tokens = n
        return self._struct


def _pointer(array: NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
