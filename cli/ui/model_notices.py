"""What is told of a model that was loaded, and of a GPU that is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localsmc_cli.ui.output import Output

if TYPE_CHECKING:
    from localsmc.engine.load import Model
    from localsmc.llama import LoadOptions


def tell_loaded(output: Output, model: Model) -> None:
    """Where its layers are, for who asked for more, and what is wrong with that."""
    for one in (model, model.draft):
        if one is not None:
            output.detail(f"{one.source.path.name}: {one.placement}")
            for notice in one.notices:
                output.warn(notice)


def tell_idle_gpus(output: Output, load: LoadOptions) -> None:
    """A line where a GPU is here that this build of llama.cpp does not use, unless none is wanted."""
    from localsmc.llama import can_offload
    from localsmc.memory import host

    if load.n_gpu_layers == 0 or load.cpu_only or can_offload():
        return
    if makers := host.gpus():
        output.note(idle_line(makers))


def idle_line(makers: list[str]) -> str:
    """What is said of GPUs that are not used."""
    name = " and ".join(makers)
    return f"a GPU is here ({name}), but this llama.cpp does not use it: `localsmc doctor` says how"
