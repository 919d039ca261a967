"""The class that lm-eval registers as the model `localsmc`. Only this module imports lm-eval."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm

from localsmc.errors import ConfigError
from localsmc.harness import NAME
from localsmc.harness.generation_arguments import GenerationArguments
from localsmc.harness.model_arguments import ModelArguments
from localsmc.harness.text_model import TextModel
from localsmc.version import __version__

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

logger = logging.getLogger(__name__)


@register_model(NAME)
class HarnessModel(LM):
    """A model of localsmc, with the arguments of `ModelArguments`.

    Batches are as large as the context allows, and `gpu_layers` says what a GPU gets: the batch sizes and the
    device that lm-eval always passes are not used.
    """

    def __init__(
        self,
        *,
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: Any = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self._texts = TextModel(ModelArguments.of(arguments))
        for notice in self._texts.model.notices:
            logger.warning(notice)

    def loglikelihood(
        self, requests: Sequence[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """See `LM.loglikelihood`."""
        pairs = [request.args for request in requests]
        found = ((i, tuple(one)) for i, one in self._texts.log_likelihoods(pairs))
        return self._in_order("loglikelihood", requests, found, disable_tqdm)

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[float]:
        """See `LM.loglikelihood_rolling`."""
        found = self._texts.rolling_log_likelihoods([request.args[0] for request in requests])
        return self._in_order("loglikelihood_rolling", requests, found, disable_tqdm)

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """See `LM.generate_until`. A repeated request gets another seed."""
        for request in requests:  # an argument that is refused is told before anything runs
            GenerationArguments.of(request.args[1])
        if (spec := self._texts.arguments.method) is not None:
            logger.info("%s writes the texts, whatever tasks say of sampling and temperature", spec.label)
        return self._in_order("generate_until", requests, self._generated(requests), disable_tqdm)

    def _generated(self, requests: Sequence[Instance]) -> Iterator[tuple[int, str]]:
        repeats: Counter[str] = Counter()
        for i, request in enumerate(requests):
            context, given = request.args
            key = json.dumps([context, given], default=str)
            yield i, self._texts.generate(context, given, repeats[key])
            repeats[key] += 1

    def _in_order(
        self,
        name: str,
        requests: Sequence[Instance],
        found: Iterator[tuple[int, Any]],
        disable_tqdm: bool,
    ) -> list[Any]:
        """The results in the order of the requests; each is kept in lm-eval's cache as it is done."""
        results: dict[int, Any] = {}
        before = self._texts.n_cut
        for i, result in tqdm(found, total=len(requests), desc=name, disable=disable_tqdm):
            results[i] = result
            self.cache_hook.add_partial(name, requests[i].args, result)
        if n_cut := self._texts.n_cut - before:
            logger.warning("%d of %d contexts are too long, and were cut at their left", n_cut, len(requests))
        return [results[i] for i in range(len(requests))]

    # --- chats ---

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """See `LM.apply_chat_template`; without a generation prompt the last message begins the reply."""
        return self._texts.render(chat_history, continues=not add_generation_prompt)

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The source of the template, empty for one that llama.cpp has as a program.

        Raises ConfigError for a name, and where there is no template.
        """
        if isinstance(chat_template, str):
            raise ConfigError(
                "`--apply_chat_template` takes no name with localsmc",
                hint=f"write --model_args chat_template={chat_template} and --apply_chat_template",
            )
        if not chat_template:
            return ""
        # Contexts that lm-eval has in its cache are not rendered again.
        self._texts.has_chat = True
        return self._texts.template.source

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval's cache of requests is told apart by: the model's file and the template."""
        model = self._texts.model
        options = model.llama.options.chat_template or "", self._texts.arguments.thinking
        return f"{model.source.sha256 or model.source.path}-{options}"

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval's results say of the model."""
        model, arguments = self._texts.model, self._texts.arguments
        return {
            "model_num_parameters": model.llama.n_params,
            "model_dtype": model.header.file_type,
            "model_sha": model.source.sha256,
            "method": None if arguments.method is None else arguments.method.to_json(),
            "localsmc_version": __version__,
        }
