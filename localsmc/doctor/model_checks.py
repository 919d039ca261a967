"""Check model files: the embedded models by checksum, the user's model by loading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import localsmc_models
from localsmc.doctor.finding import Check, Verdict
from localsmc.doctor.llama_build import UNKNOWN, LlamaBuild
from localsmc.errors import LocalSMCError, ModelLoadFailed
from localsmc.gguf import header, reader
from localsmc.lm.cache_layout import CacheLayout
from localsmc.memory import host
from localsmc.store import hub, model_source, trial_load
from localsmc.system.humanize import format_bytes, format_count

MESSAGE = {"role": "user", "content": "What is 17 * 23?"}


def embedded() -> Verdict:
    """Compare the embedded models with their checksums."""
    names = localsmc_models.names()
    expected = {model_source.EMBEDDED, model_source.EMBEDDED_DRAFT}
    damaged = [name for name in names if _sha256(name) != localsmc_models.card(name).sha256]
    if faults := [
        *(f"{name} is missing" for name in sorted(expected - {*names})),
        *(f"{n} is damaged" for n in damaged),
    ]:
        hint = "reinstall localsmc: pip install --force-reinstall localsmc"
        return Verdict("broken", "; ".join(faults), hint)
    return Verdict("ok", f"{', '.join(names)}: checksums match")


def _sha256(name: str) -> str:
    return hashlib.sha256(localsmc_models.path(name).read_bytes()).hexdigest()


class GivenModel:
    """The checks of the user's model; checks that need its header run after `file` has read it."""

    def __init__(self, name: str, engine: LlamaBuild) -> None:
        self._name, self._engine = name, engine
        self._header: header.Header | None = None

    def checks(self) -> Iterator[tuple[str, Check]]:
        """The file; if it is a model, also its memory, loading and chat template."""
        yield "model", self.file
        if self._header is not None:
            yield from (
                ("model memory", self.memory),
                ("model loads", self.loads),
                ("chat template", self.template),
            )

    @property
    def header(self) -> header.Header:
        """The model's header; raises LocalSMCError before `file` has read it."""
        if self._header is None:
            raise LocalSMCError("the model's header has not been read")
        return self._header

    def file(self) -> Verdict:
        """Whether the file exists and is a model; nothing is downloaded."""
        meant = model_source.parse_name(self._name)
        if isinstance(meant, hub.HubName) and hub.cache.find(meant) is None:
            return Verdict("broken", f"{meant} is not downloaded", f"localsmc models pull {meant}")
        source = model_source.resolve(self._name, hub.Access(offline=True))
        self._header = header = reader.read_header(source.path, title=source.title)
        return Verdict(
            "ok",
            f"{header.name}, {format_count(header.n_params)} parameters, {header.file_type},"
            f" {format_bytes(header.size)}: {source.path}",
        )

    def memory(self) -> Verdict:
        """Whether the model fits in memory with default settings."""
        if self._engine.facts is None:  # importing it here could also crash
            return UNKNOWN
        from localsmc import llama
        from localsmc.engine import context_plan
        from localsmc.engine.settings import Settings
        from localsmc.memory import gpu_offload
        from localsmc.methods import METHODS, from_options

        n_predict = model_source.recommended(self.header.name).n_predict
        context = context_plan.plan_context(
            self.header, n_predict, [from_options(METHODS["power-smc"], {})], Settings()
        )
        placed = gpu_offload.place(self.header, context, llama.gpus_in_use(llama.LoadOptions()))
        notices = gpu_offload.check(self.header, placed, context, host.available())
        if notices:
            return Verdict("warning", notices[0], "choose a smaller quantization")
        needed = gpu_offload.need(self.header, context)
        return Verdict("ok", f"{format_bytes(needed.total)} with {context.n_ctx} cells; {placed}")

    def loads(self) -> Verdict:
        """Whether llama.cpp loads the model and decodes several sequences, in a child process."""
        (found,) = trial_load.probe([self.header.path])
        if found.outcome != "loaded":
            raise ModelLoadFailed(found.message, hint=found.hint or None)
        if found.layout is CacheLayout.UNIFIED:
            return Verdict("ok", "llama.cpp loads it, reads its vocabulary and decodes several sequences")
        from localsmc.engine.load import LAYOUT_NOTICES

        notice = LAYOUT_NOTICES[found.layout].format(self.header.architecture)
        return Verdict("warning", notice, "a later llama.cpp may do better: upgrade llama-cpp-python")

    def template(self) -> Verdict:
        """Whether the chat template renders a message."""
        from localsmc.text.chat_template import ChatTemplate

        source = self.header.metadata.get("tokenizer.chat_template")
        if not isinstance(source, str):
            return Verdict("ok", "none: prompts are plain text, as for a base model")
        text = ChatTemplate(source).render([MESSAGE])
        if MESSAGE["content"] not in text:
            return Verdict(
                "warning", "it omits the message's text", "use `--raw`, or another GGUF file of this model"
            )
        return Verdict("ok", f"renders a message to {len(text)} characters")
