r"""Conclude completions that state no answer: ask for it, and read it greedily.

Request   the completion's text, without its end token, is continued by a fixed closing request within the
          same reply: what ends an open thought in the model's own form, then `Final answer: \boxed{`.
Answer    the most probable token at each step, up to the closing brace, the end of the line or an end
          token, in at most MAX_TOKENS tokens. So it is a function of the completion's text: no random choice
          is made, and the law over texts and all weights stay as they are.
Layout    the texts are ordered by their tokens, and all that fit are read in one batch. Slots of finished
          completions without an answer are set aside while the run does not need them: such a text only takes
          the request and its answer. The others are decoded again, after the prompt. llama.cpp rounds one row
          and many rows differently, so an answer whose tokens are nearly tied can depend on which of the two
          happened. Slots set aside also move later tokens of the run to other cells, which rounds
          differently: with the same seed a run without conclusions has the same distribution, but single
          tokens can differ. The same run always gives the same texts and answers.
Cost      the tokens of the requests, of the answers, and of texts that are decoded again; counted in
          `ConclusionUsage`, apart from those of the run.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from localsmc.engine.reply_form import marks_of
from localsmc.engine.settings import Settings
from localsmc.llama import LlamaModel
from localsmc.lm.interface import LanguageModel, TokenIds, common_prefix
from localsmc.lm.kv_slots import KVSlots
from localsmc.methods import Method
from localsmc.results import ConclusionUsage
from localsmc.selection import BY_VOTE
from localsmc.text.request import wants_answer

if TYPE_CHECKING:
    from localsmc.engine.load import Model

REQUEST = "Final answer: \\boxed{"
MAX_TOKENS = 32
"""The longest answer, in tokens."""

PORTION = 512
"""Tokens of texts decoded between two checks for a time limit or Ctrl-C."""


def resolved(settings: Settings, method: Method, problem: str) -> Settings:
    """The settings with `conclude` on or off: "auto" is on if a selector votes on a problem's answers."""
    if settings.conclude != "auto":
        return settings
    is_free = not settings.raw and not settings.is_restricted
    votes = (settings.select or method.select) in BY_VOTE
    is_problem = settings.box == "on" or wants_answer(problem)
    return replace(settings, conclude="on" if is_free and votes and is_problem else "off")


def settings_of_task(settings: Settings, *, is_graded: bool) -> Settings:
    """The settings with `conclude` on or off for the problems of a task: "auto" is on if they are graded."""
    if settings.conclude != "auto":
        return settings
    return replace(settings, conclude="on" if is_graded and not settings.is_restricted else "off")


def request_tokens(model: Model, completing: str = "") -> TokenIds:
    """The closing request (T,); `completing` ends the thought and opens the reply, if that is not done."""
    return model.llama.tokenize_on(f"{completing}\n\n{REQUEST}", special=True)


def n_reserved(model: Model, settings: Settings) -> int:
    """Tokens that a completion needs in the context to be concluded: the request and its answer."""
    if settings.conclude != "on":
        return 0
    if model.llama not in _LONGEST_REQUEST:
        requests = (request_tokens(model, completing) for completing in marks_of(model.llama).all_completing)
        _LONGEST_REQUEST[model.llama] = max(map(len, requests))
    return _LONGEST_REQUEST[model.llama] + MAX_TOKENS


_LONGEST_REQUEST: WeakKeyDictionary[LlamaModel, int] = WeakKeyDictionary()
"""Tokens of the longest closing request of each model: every context plan asks for them."""


class UnansweredText(NamedTuple):
    """A completion without an answer, as tokens: its own, and those of its text and the request after it."""

    completion: TokenIds
    asked: TokenIds


@dataclass(slots=True)
class Conclusions:
    """The answers that were asked for, as the model wrote them, and their cost."""

    texts: dict[bytes, str] = field(default_factory=dict)
    """From a completion's tokens, as bytes, to the text that the model put in the box."""
    usage: ConclusionUsage = ConclusionUsage()
    seconds: float = 0.0
    decode_seconds: float = 0.0
    """Wall time, and that part of it in llama.cpp."""

    def of(self, completion: TokenIds) -> str | None:
        """The text in the box for a completion; None if it was not asked for, or the box stayed open."""
        return self.texts.get(completion.tobytes())


def conclude(
    slots: KVSlots, prompt: TokenIds, texts: Sequence[UnansweredText], check: Callable[[], None]
) -> Conclusions:
    """Ask for the answers of completions, with the slots of their run, which is over.

    A text that is too long for the context is left out. `check` is called before each batch; it may raise to
    stop. The slots' counters stay those of the run; the slots themselves are invalid afterwards.
    """
    began, decoding_before = time.perf_counter(), slots.model.decode_seconds
    before = slots.counts
    ordered = sorted(texts, key=lambda text: text.asked.tolist())
    try:
        held, rest = _take_back(slots, ordered)
        found = _read(slots, held, check) if held else {}
        n_prompt, rows, calls = 0, slots.rows - before.rows, slots.decode_calls - before.decode_calls
    finally:
        slots.counts = before
    n_read = len(held)
    for group in _groups(slots.model, len(prompt), rest):
        fresh = KVSlots(slots.model, max(len(text.asked) for text in group) + MAX_TOKENS)
        root, _ = fresh.prefill(prompt, check)
        # A model with one sequence has one text at a time, which takes the prompt's slot.
        taken = [root] if fresh.n_slots == 1 else [fresh.fork(root) for _ in group]
        found |= _read(fresh, list(zip(taken, group, strict=True)), check)
        n_read += len(group)
        n_prompt, rows, calls = n_prompt + fresh.prompt_rows, rows + fresh.rows, calls + fresh.decode_calls
    return Conclusions(
        texts=found,
        usage=ConclusionUsage(
            texts=n_read,
            prompt_tokens=n_prompt,
            rows=rows,
            decode_calls=calls,
        ),
        seconds=time.perf_counter() - began,
        decode_seconds=slots.model.decode_seconds - decoding_before,
    )


HeldText = tuple[int, UnansweredText]
"""A text, and the slot that holds its beginning."""


def _take_back(
    slots: KVSlots, texts: Sequence[UnansweredText]
) -> tuple[list[HeldText], list[UnansweredText]]:
    """The texts whose slots were set aside and fit together, and the rest."""
    held: list[HeldText] = []
    rest: list[UnansweredText] = []
    aside = [slots.find_aside(text.completion[:-1]) for text in texts]
    n_users = Counter(aside)
    for slot in n_users:
        if slot is not None:
            slots.take_back(slot)
    n_more = 0
    for text, slot in zip(texts, aside, strict=True):
        n_users[slot] -= 1
        if slot is None:
            rest.append(text)
            continue
        n_shared = len(common_prefix([text.completion[:-1], text.asked]))
        n_needed = len(text.asked) - n_shared + MAX_TOKENS
        # Tokens of a stop string, or of a completion that continued, have to be forgotten.
        can_continue = n_shared == slots.lengths(np.array([slot]))[0] or slots.model.can_forget
        has_room = len(text.asked) + MAX_TOKENS <= slots.n_each
        has_room = has_room and slots.cells_used + n_more + n_needed <= slots.model.n_cells
        # Completions can share a slot: all but the last of them fork it.
        is_last = not n_users[slot]
        if not can_continue or not has_room or not (is_last or slots.has_free_slot):
            rest.append(text)
            continue
        own = slot if is_last else slots.fork(slot, n_shared)
        slots.truncate(own, n_shared)
        held.append((own, text))
        n_more += n_needed
    return held, rest


def _groups(
    model: LanguageModel, n_prompt: int, texts: Sequence[UnansweredText]
) -> Iterator[list[UnansweredText]]:
    """The texts in order, as many at a time as the context holds."""
    group: list[UnansweredText] = []
    n_cells = n_prompt
    for text in texts:
        n_needed = len(text.asked) + MAX_TOKENS
        if n_prompt + n_needed > min(model.n_cells, model.n_length):
            continue
        if group and (len(group) == max(1, model.n_seq_max - 1) or n_cells + n_needed > model.n_cells):
            yield group
            group, n_cells = [], n_prompt
        group.append(text)
        n_cells += n_needed
    if group:
        yield group


def _read(slots: KVSlots, texts: Sequence[HeldText], check: Callable[[], None]) -> dict[bytes, str]:
    """What the model puts in the boxes of texts, by completion; without those that stay open or empty."""
    model, held = slots.model, np.array([slot for slot, _ in texts])
    written, answers = [b""] * len(texts), dict[bytes, str]()
    lengths = slots.lengths(held).tolist()
    blocks = [text.asked[n:].astype(np.int64) for (_, text), n in zip(texts, lengths, strict=True)]
    rows = []
    for part in _portions(list(map(len, blocks))):
        check()
        rows.append(slots.decode_blocks(held[part], blocks[part], last_only=True).copy())
    logits = np.concatenate(rows)
    left = np.arange(len(texts))
    for n_left in range(MAX_TOKENS - 1, -1, -1):
        tokens = logits.argmax(axis=1)
        goes_on = np.zeros(len(left), dtype=np.bool_)
        for row, (i, token) in enumerate(zip(left.tolist(), tokens.tolist(), strict=True)):
            written[i] += b"\n" if model.is_eog[token] else model.pieces[token]
            answer = in_box(written[i])
            goes_on[row] = answer is None
            if answer:
                answers[texts[i][1].completion.tobytes()] = answer
        left, tokens = left[goes_on], tokens[goes_on]
        if not n_left or not len(left):
            break
        check()
        logits = slots.decode(held[left], tokens)
    return answers


def _portions(sizes: Sequence[int]) -> Iterator[slice]:
    """Slices of texts of these numbers of tokens: up to PORTION tokens in each, and one text at least."""
    first, n_tokens = 0, 0
    for i, size in enumerate(sizes):
        if i > first and n_tokens + size > PORTION:
            yield slice(first, i)
            first, n_tokens = i, 0
        n_tokens += size
    yield slice(first, len(sizes))


def in_box(written: bytes) -> str | None:
    """The text up to the brace that closes the box, or the end of its line; None if neither is there yet."""
    depth, is_escaped = 1, False
    for at, byte in enumerate(written):
        if byte in b"\n\r":
            return written[:at].decode(errors="replace").strip()
        if is_escaped:
            is_escaped = False
            continue
        is_escaped = byte == ord("\\")
        depth += (byte == ord("{")) - (byte == ord("}"))
        if depth == 0:
            return written[:at].decode(errors="replace").strip()
    return None
