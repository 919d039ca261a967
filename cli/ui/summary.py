"""A result as text, for standard error. Pure functions of records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from localsmc.results import AnswerShare, Completion, Result
from localsmc.system.printable import one_line
from localsmc.text import refusal
from localsmc.text.refusal import candidate

if TYPE_CHECKING:
    from localsmc.engine.solve import Generation

WIDTH = 48
"""Maximum number of characters shown of an answer."""

_REFUSED = (
    "hint: the embedded model only does arithmetic; for anything else take a real model: {}"
    " (`localsmc models recommended` lists some)"
)
REFUSAL_HINT = _REFUSED.format('localsmc solve -m model.gguf "..."')
REFUSAL_HINT_IN_CHAT = _REFUSED.format("/model model.gguf")


def share_lines(shares: Sequence[AnswerShare], limit: int, *, none: str = "no answer") -> list[str]:
    """The distribution over answers, one per line: "632  83 %"; answers beyond `limit` are summed."""
    rows = [(share_name(share, none=none), share.weight) for share in shares]
    if len(rows) > limit:
        rest = rows[limit - 1 :]
        rows[limit - 1 :] = [(f"{len(rest)} others", sum(weight for _, weight in rest))]
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name:<{width}}  {percent(weight):>5}" for name, weight in rows]


def share_name(share: AnswerShare, *, none: str = "no answer") -> str:
    """An answer on one line, or what stands in its place."""
    if share.is_refused:
        return refusal.NAME
    return none if share.answer is None else short(share.answer)


def answer_name(result: Result) -> str:
    """The answer of a result on one line, or what stands in its place."""
    if result.is_refused:
        return f"none ({refusal.NAME})"
    return "none found" if result.answer is None else short(result.answer)


def percent(share: float) -> str:
    """A share as a percentage, never rounded to 0 or 100."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1 - 1e-9:
        return ">99 %"
    return f"{100 * share:.0f} %"


def short(answer: str) -> str:
    """An answer on one line, cut at WIDTH."""
    line = one_line(answer)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def summary(result: Result, *, expects_answer: bool) -> str:
    """The answer, the distribution over answers, and the cost; only the cost of prose without an answer."""
    if not expects_answer and all(share.answer is None for share in result.answers):
        return f"\n{_account(result)}"
    confidence = f" (confidence: {result.confidence})" if result.confidence else ""
    lines = [f"\nAnswer: {answer_name(result)}{confidence}"]
    n_texts = sum(share.count for share in result.answers)
    if n_texts > 1:
        whole = [] if not is_partial(result) else [f"of the {n_texts} completions that were not abandoned:"]
        lines += ["", *(f"  {line}" for line in (*whole, *share_lines(result.answers, 8))), ""]
    return "\n".join([*lines, _account(result)])


def figures_line(result: Result, *, fills_context: bool) -> str:
    """The answer with its share, and the cost of a turn without loading the model."""
    usage, seconds = result.usage, result.usage.seconds
    share = next((share for share in result.answers if share.answer == result.answer), None)
    found = (
        ""
        if result.answer is None or share is None
        else f"{short(result.answer)} ({percent(share.weight)}) · "
    )
    return (
        f"{found}{_method(result)} · {usage.steps} steps, {usage.rows} tokens decoded,"
        f" {usage.prompt_tokens - usage.cached_tokens} of {usage.prompt_tokens} prompt tokens,"
        f" {seconds.total - seconds.load:.1f} s{_cut(result, fills_context)}"
    )


def remarks(result: Result, *, fills_context: bool) -> list[str]:
    """What to know of the printed text, and what to type: whether it was cut, and whose answer is shown."""
    cut = cut_line(result, fills_context=fills_context)
    lines = cut, concluded_line(result), drawn_line(result), refusal_line(result)
    return [line for line in lines if line]


def cut_line(result: Result, *, fills_context: bool) -> str | None:
    """A line if the printed text was cut at the token limit; `fills_context` if no more tokens fit."""
    shown = _shown(result)
    if shown is None or shown.finish_reason != "length":
        return None
    what_to_do = (
        "the context is full: shorten the problem, or raise `--ctx-size` if you gave it"
        if fills_context
        else f"add `-n {2 * shown.n_tokens}` for more"
    )
    return f"the text was cut at {_tokens(shown.n_tokens)}; {what_to_do}"


def concluded_line(result: Result) -> str | None:
    """A line if the answer is not in the printed text, but was asked for after it."""
    if result.source != "concluded" or result.answer is None:
        return None
    return f"the text states no answer; asked for one, the model says {short(result.answer)}"


def drawn_line(result: Result) -> str | None:
    """A line if the printed text was drawn by weight, and another answer has more weight than its own."""
    if result.method.config.get("select") != "draw":
        return None
    weights = {candidate(one): one.weight for one in result.answers}
    leading = next((one for one in result.answers if candidate(one) is not None), None)
    if leading is None or leading.weight <= weights.get(candidate(result), 0.0):
        return None
    name = f"{'a ' if leading.is_refused else ''}{share_name(leading)}"
    return (
        f"this text was drawn by weight; the leading answer is {name}"
        f" ({percent(leading.weight)}): add `--select majority` to print it"
    )


def refusal_line(result: Result) -> str | None:
    """A hint if the printed text is a refusal, of the embedded model or a copy of it."""
    return REFUSAL_HINT if result.is_refused else None


def _cut(result: Result, fills_context: bool) -> str:
    """A note if the printed completion was cut at the maximum number of tokens."""
    shown = _shown(result)
    if shown is None or shown.finish_reason != "length":
        return ""
    more = "the context is full" if fills_context else f"`-n {2 * shown.n_tokens}` allows more"
    return f" · cut off at {_tokens(shown.n_tokens)}; {more}"


def _tokens(n: int) -> str:
    return f"{n} token{'s' * (n != 1)}"


def _shown(result: Result) -> Completion | None:
    """The printed completion."""
    return next((one for one in result.completions if one.text == result.text), None)


def is_partial(result: Result) -> bool:
    """Whether the method abandoned completions that could not win, so that the rest is not a sample."""
    config = result.method.config
    n_texts = sum(share.count for share in result.answers)
    return bool(config.get("early")) and n_texts < config.get("particles", 1)


def _account(result: Result) -> str:
    usage, seconds = result.usage, result.usage.seconds
    working = seconds.decode + seconds.sample
    speed = usage.rows / working if working > 0 else 0.0
    return (
        f"{_method(result)}: {usage.steps} steps, {usage.rows} tokens decoded at {speed:,.0f} tokens/s,"
        f" {seconds.total:.1f} s, seed {result.seed}{_drafting(result)}"
    )


def _drafting(result: Result) -> str:
    """How many of the draft model's tokens were accepted."""
    draft = result.usage.draft
    if draft is None:
        return ""
    rated = f", {draft.rated} tokens decoded to rate them" if draft.rated else ""
    return (
        f"\nDraft: {draft.kept} of {draft.drafted} tokens accepted{rated}, {draft.rewritten} written by the"
        " model"
    )


def _method(result: Result) -> str:
    config = result.method.config
    shown = ("particles", "alpha", "temperature")
    parts = [f"{name} {config[name]:g}" for name in shown if name in config]
    return f"{result.method.name} ({', '.join(parts)})" if parts else result.method.name


def setup_lines(solving: Generation, asked_cells: int) -> list[str]:
    """The loaded model and the chosen settings, before the first step."""
    llama, context, method = solving.model.llama, solving.context, solving.method
    why = (
        "given by --ctx-size"
        if asked_cells
        else f"chosen for {len(solving.prompt)} prompt tokens, {method.kv_demand.texts} completions of"
        f" up to {solving.n_tokens} tokens, and the free memory"
    )
    return [
        f"model: {llama.path}, {llama.n_params / 1e6:,.1f} M parameters, {solving.model.header.file_type},"
        f" loaded in {llama.load_seconds:.2f} s",
        *_draft_lines(solving),
        f"context: {context.n_cells} tokens, {why}",
        f"prompt: {json.dumps(solving.prompt_text, ensure_ascii=False)}",
        f"method: {method}",
        f"seed: {solving.seed}",
    ]


def _draft_lines(solving: Generation) -> list[str]:
    if solving.draft is None:
        return []
    llama = solving.draft.llama
    return [
        f"draft: {llama.path}, {llama.n_params / 1e6:,.1f} M parameters, {solving.draft.header.file_type}"
    ]


def _concluded_work(result: Result) -> list[str]:
    concluded = result.usage.concluded
    if concluded is None:
        return []
    return [
        f"concluded: {concluded.texts} completions, {concluded.rows} tokens in {concluded.decode_calls}"
        f" decode calls after {concluded.prompt_tokens} prompt tokens, {result.usage.seconds.conclude:.2f} s"
    ]


def timing_lines(result: Result) -> list[str]:
    """Where the time went, for all steps."""
    usage, seconds = result.usage, result.usage.seconds
    working = seconds.decode + seconds.sample
    share = seconds.decode / working if working > 0 else 0.0
    return [
        f"time: load {seconds.load:.2f} s, prompt {seconds.prompt:.2f} s, decode {seconds.decode:.2f} s,"
        f" sample {seconds.sample:.2f} s ({percent(share)} of the steps is decoding),"
        f" total {seconds.total:.2f} s",
        f"work: {usage.rows} tokens in {usage.decode_calls} decode calls, at most {usage.peak_rows} at once;"
        f" {usage.forks} forks, {usage.resamples} resamplings, {usage.reductions} reductions;"
        f" at most {usage.peak_cells} KV cells; {usage.flops:.3g} floating-point operations",
        *_draft_work(result),
        *_concluded_work(result),
    ]


def _draft_work(result: Result) -> list[str]:
    draft = result.usage.draft
    if draft is None:
        return []
    return [
        f"draft: {draft.rows} tokens in {draft.decode_calls} decode calls, {draft.seconds:.2f} s;"
        f" {draft.wasted} tokens decoded by the model for no completion"
    ]


def reduction_warning(result: Result) -> str | None:
    """A warning if memory was too short for all histories, else None."""
    times = result.usage.reductions
    if not times:
        return None
    return (
        f"memory was short: histories were reduced, without bias, {times} time{'s' * (times > 1)};"
        f" to keep them all, raise --ctx-size above {result.model.n_ctx}, or lower -N or -n"
    )


def decided_line(result: Result) -> str:
    """Why a run stopped early, and what it left unfinished."""
    if "stop_when_decided" not in result.method.config:
        return _decided_by_tracks(result)
    share, by = result.method.config["stop_when_decided"], result.method.config["decided_by"]
    n_left = sum(one.finish_reason == "cancelled" for one in result.completions)
    n_texts = len(result.completions)
    how = "at their largest possible weight" if by == "bound" else "for it if they already give it"
    return (
        f"decided after {result.usage.steps} steps: one answer has at least {percent(share)} of the weight,"
        f" with {n_left} of {n_texts} completions unfinished and counted {how}"
    )


def _decided_by_tracks(result: Result) -> str:
    own = "refuses" if result.is_refused else "has an answer"
    enough = "two finished tracks agree" if result.method.config["fast"] == 2 else f"a finished track {own}"
    return f"decided after {result.usage.steps} steps: {enough}; the other tracks are not finished"
