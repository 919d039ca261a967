"""Placement of layers on devices of any size, and errors for models that are too large."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import localsmc
from localsmc.engine import context_plan, context_size
from localsmc.engine.settings import Settings
from localsmc.errors import ContextError, ModelLoadFailed
from localsmc.gguf.header import ArrayInfo, Header, TensorInfo
from localsmc.llama import ALL_LAYERS, AUTO_LAYERS, ContextOptions, Device, LoadOptions
from localsmc.memory import estimate, gpu_offload, host
from localsmc.memory.gpu_offload import CPU, MARGIN
from localsmc.memory.host import HostMemory
from localsmc.methods import METHODS, from_options

GIB = 2**30
N_LAYER, LAYER, OUTPUT = 32, 128 * 2**20, 256 * 2**20
CELL = 2**17  # bytes of a cell over all layers: 32 layers, 8 heads of 128, keys and values, 2 bytes each


def header(*, n_layer=N_LAYER, layer=LAYER, output=OUTPUT, tied=False):
    """As of an 8B model: 4 GiB of layers, a quarter in front of them and another behind."""
    metadata = {
        "general.architecture": "test",
        "tokenizer.ggml.tokens": ArrayInfo("string", 128_000),
        "test.block_count": n_layer,
        "test.embedding_length": 4096,
        "test.context_length": 8192,
        "test.attention.head_count": 32,
        "test.attention.head_count_kv": 8,
        "test.feed_forward_length": 14_336,
    }
    names = [(f"blk.{i}.ffn.weight", layer) for i in range(n_layer)] + [("token_embd.weight", output)]
    names += [] if tied else [("output.weight", output)]
    tensors = tuple(TensorInfo(name, (2 * n,), "Q4_0", 0, n) for name, n in names)
    size = sum(n for _, n in names)
    return Header(path=Path("x.gguf"), parts=(), size=size, version=3, metadata=metadata, tensors=tensors)


def gpu(free, name="GPU0", *, total=None, is_shared=False):
    whole = free if total is None else total
    return Device(name, f"{name} of {whole:g} GiB", True, int(free * GIB), int(whole * GIB), is_shared)


def context(n_cells=4096, **others):
    return ContextOptions(n_ctx=n_cells, **{"n_seq_max": 16} | others)


def compute(n_cells=4096):
    return gpu_offload.need(header(), context(n_cells), on_gpu=True).compute


# --- how many layers fit ------------------------------------------------------------------------------


def test_bytes_of_a_cell_are_as_the_table_says():
    assert estimate.bytes_per_cell(header(), "f16", "f16") == CELL


@pytest.mark.parametrize(("free", "n_on_gpu"), [(80, 33), (8, 33), (4, 18), (2, 4), (1.2, 0), (0, 0)])
def test_as_many_layers_as_fit(free, n_on_gpu):
    placed = gpu_offload.place(header(), context(), [gpu(free)])
    assert placed.n_gpu_layers == n_on_gpu
    # The last ones, the output among them.
    assert placed.where == (CPU,) * (33 - n_on_gpu) + (0,) * n_on_gpu
    if 0 < n_on_gpu < 33:
        layers = (n_on_gpu - 1) * (LAYER + 4096 * CELL // N_LAYER)
        assert placed.planned_bytes == (layers + OUTPUT + compute(),)
        assert (
            placed.planned_bytes[0] + MARGIN
            <= free * GIB
            < placed.planned_bytes[0] + MARGIN + LAYER + CELL * 4096 // 32
        )


def test_without_a_gpu_all_is_on_the_cpu():
    placed = gpu_offload.place(header(), context(), [])
    assert (placed.n_gpu_layers, placed.planned_bytes, str(placed)) == (0, (), "all 33 layers on the CPU")


def test_the_cache_takes_room_from_layers():
    counts = [gpu_offload.place(header(), context(n), [gpu(6)]).n_gpu_layers for n in (256, 8192, 32768)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 33 > counts[1] > counts[2] > 0


def test_a_cache_of_another_type_takes_less():
    f16, q8 = (
        gpu_offload.place(header(), context(16384, type_k=kind, type_v=kind), [gpu(6)]).n_gpu_layers
        for kind in ("f16", "q8_0")
    )
    assert f16 < q8


@pytest.mark.parametrize("asked", [0, 1, 20, 33, 1000])
def test_what_is_asked_for_is_done(asked):
    placed = gpu_offload.place(header(), context(), [gpu(0.5)], n_gpu_layers=asked)
    assert placed.n_gpu_layers == min(asked, 33)


def test_an_output_that_is_the_input_stands_on_both_sides():
    parts = gpu_offload.place(header(tied=True), context(), []).parts
    assert parts[-1].weights == OUTPUT


# --- several GPUs -------------------------------------------------------------------------------------


def counts(placed):
    return [placed.where.count(i) for i in range(len(placed.gpus))]


@pytest.mark.parametrize(
    ("free", "shares", "expected"),
    [
        ((40, 40), (), [17, 16]),
        ((30, 10), (), [26, 7]),
        ((40, 40), (3, 1), [25, 8]),
        ((40, 40), (0, 1), [0, 33]),
        ((40, 40), (0, 0), [17, 16]),  # no shares are shares by free memory
        ((40, 40), (1,), [33, 0]),
        ((40, 40), (1, 1, 5), [17, 16]),
        ((3.4, 3.4), (), [15, 14]),
    ],
    ids=["equal", "unequal", "asked", "second", "none", "too few", "too many", "small"],
)
def test_layers_are_split_as_llama_cpp_splits_them(free, shares, expected):
    gpus = [gpu(size, f"GPU{i}") for i, size in enumerate(free)]
    placed = gpu_offload.place(header(), context(), gpus, tensor_split=shares)
    assert counts(placed) == expected
    used = [i for i, n in enumerate(expected) if n]
    assert all((placed.planned_bytes[i] > 0) == (i in used) for i in range(len(gpus)))
    assert all(placed.planned_bytes[i] + MARGIN <= gpus[i].free for i in used)


@pytest.mark.parametrize("free", [0, 1.2, 1.4])
def test_a_full_gpu_among_empty_ones_gets_nothing(free):
    placed = gpu_offload.place(header(), context(), [gpu(24), gpu(free, "GPU1", total=24)])
    assert counts(placed) == [33, 0]


def test_asked_for_layers_are_split_by_what_is_free_as_llama_cpp_does_itself():
    gpus = [gpu(24), gpu(2, "GPU1")]
    assert counts(gpu_offload.place(header(), context(), gpus, n_gpu_layers=33)) == [31, 2]


def test_it_says_what_it_did():
    one = gpu_offload.place(header(), context(), [gpu(4, total=8)])
    assert str(one) == "18 of 33 layers on GPU0 of 8 GiB: 2.9 of 4.0 GiB free"
    two = gpu_offload.place(header(), context(), [gpu(40), gpu(40, "GPU1")])
    assert str(two).startswith("17 of 33 layers on GPU0 of 40 GiB: 2.7 of 40.0 GiB free; 16 of 33")


# --- cells that are left ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "ram", "expected"),
    [
        (80, 1, (80 * GIB) // CELL),  # all on the GPU: the machine's memory does not matter
        (0, 1, GIB // CELL),
        (2, 64, None),
    ],
    ids=["GPU", "CPU", "both"],
)
def test_cells_are_what_is_left_where_layers_are(free, ram, expected):
    placed = gpu_offload.place(header(), context(), [gpu(free)])
    left = {"": ram * GIB, "GPU0": free * GIB}
    found = gpu_offload.cells_left([(header(), placed)], context(), left)
    if expected is None:
        on_gpu = placed.n_gpu_layers - 1  # the output has no cache
        expected = int((free * GIB - compute()) / (CELL / N_LAYER * on_gpu))
    elif free:
        expected -= -(-compute() // CELL)
    assert found == expected


def test_a_draft_shares_what_is_left():
    placed = gpu_offload.place(header(), context(), [gpu(80)])
    left = {"": 0.0, "GPU0": 20.0 * GIB}
    found = gpu_offload.cells_left([(header(), placed)] * 2, context(), left)
    assert found == (20 * GIB - 2 * compute()) // (2 * CELL)


def test_nothing_left_is_no_cells():
    placed = gpu_offload.place(header(), context(), [gpu(80)])
    assert gpu_offload.cells_left([(header(), placed)], context(), {"": 0.0, "GPU0": -1.0 * GIB}) == 0


# --- the plan before loading --------------------------------------------------------------------------


def plan(n_predict=1024, settings=None, **options):
    method = from_options(METHODS["power-smc"], options)
    settings = Settings(conclude="off") if settings is None else replace(settings, conclude="off")
    return context_plan.plan_context(header(), n_predict, [method], settings)


def test_cells_are_planned_to_conclude_a_completion():
    method = from_options(METHODS["power-smc"], {"particles": 1})
    asked = context_plan.plan_context(header(), 1000, [method], Settings(conclude="on"))
    assert asked.n_ctx >= 1024 + 1000 + context_plan.CONCLUSION_GUESS


def test_cells_are_planned_for_particles_and_tokens():
    assert plan(particles=1).n_ctx == 1024 + 1024
    assert plan(particles=1, settings=Settings(n_predict=512)).n_ctx == 1024 + 512
    assert plan(particles=1, settings=Settings(n_predict=-1)).n_ctx == 1024 + 8192
    assert plan(particles=4).n_ctx < plan(particles=16).n_ctx
    assert plan(settings=Settings(n_ctx=300)).n_ctx == 300


def test_a_planned_cache_is_no_larger_than_the_weights():
    n_cells = plan(particles=256, settings=Settings(n_predict=-1)).n_ctx
    assert n_cells == estimate.padded(header().size // CELL)


# --- whether there is enough --------------------------------------------------------------------------

RAM = HostMemory(total=64 * GIB, free=60 * GIB)


def large(n_gib):
    return header(layer=n_gib * GIB // N_LAYER)


def check(head, gpus=(), ram=RAM, asked=None):
    asked = asked or context()
    return gpu_offload.check(head, gpu_offload.place(head, asked, gpus), asked, ram)


@pytest.mark.parametrize(
    ("size", "gpus", "ram"),
    [
        (4, (), RAM),
        (59, (), RAM),
        (80, (gpu(30),), RAM),
        (4, (gpu(0.1, total=24),), RAM),
        (30, (gpu(40, is_shared=True),), RAM),
        (4, (), HostMemory(8 * GIB, 8 * GIB, True)),
    ],
)
def test_what_fits_is_loaded_without_a_word(size, gpus, ram):
    assert check(large(size), gpus, ram) == []


@pytest.mark.parametrize(
    ("size", "gpus", "ram", "there"),
    [
        (62, (), RAM, "this machine has 60.8 GiB"),
        (90, (gpu(24),), RAM, "this machine has 84.8 GiB with its GPUs"),
        (62, (gpu(40, is_shared=True),), RAM, "this machine has 60.8 GiB"),
        (8, (), HostMemory(6 * GIB, 6 * GIB, True), "this container has 5.7 GiB"),
    ],
)
def test_what_no_memory_holds_is_refused(size, gpus, ram, there):
    with pytest.raises(ModelLoadFailed, match=there) as refusal:
        check(large(size), gpus, ram)
    assert str(refusal.value).startswith(f"`x.gguf` needs {size + 0.5 + 0.5 + 0.3:.0f}"[:16])
    assert "(weights " in str(refusal.value)
    assert "a quantization of at most " in refusal.value.hint
    assert "--no-memory-check" in refusal.value.hint


def test_what_fits_is_named():
    with pytest.raises(ModelLoadFailed) as refusal:
        check(large(62))
    named = float(refusal.value.hint.split("a quantization of at most ")[1].split()[0])
    # 60.8 less the cache of 4096 cells, and what the CPU computes in.
    needed = gpu_offload.need(large(62), context())
    assert named == pytest.approx(60.8 - (needed.cache + needed.compute) / GIB, abs=0.06)


def test_a_smaller_model_where_no_quantization_would_do():
    with pytest.raises(ModelLoadFailed) as refusal:
        check(large(62), ram=HostMemory(2 * GIB, 2 * GIB))
    assert refusal.value.hint.startswith("use a smaller model")


def test_less_free_than_needed_is_a_warning():
    (notice,) = check(large(30), ram=HostMemory(64 * GIB, 10 * GIB))
    assert "`x.gguf` needs 3" in notice
    assert "10.0 GiB are free" in notice
    # On the GPU it does not take the machine's.
    assert check(large(30), [gpu(40)], HostMemory(64 * GIB, 10 * GIB)) == []


def test_a_cache_that_is_larger_than_what_is_free_is_refused():
    asked = context(2**20)
    placed = gpu_offload.place(large(4), asked, [])
    with pytest.raises(ContextError, match=r"a context of 1048576 tokens needs 128\.0 GiB, but 60\.0"):
        gpu_offload.check_context(large(4), placed, asked, RAM)
    gpu_offload.check_context(large(4), placed, context(2**18), RAM)
    # What nobody asked for is made smaller instead.
    assert check(large(4), asked=asked) == []


# --- loading ------------------------------------------------------------------------------------------


@pytest.fixture
def machine_with(monkeypatch):
    """Says what free memory there is; whatever is put on its GPUs stays on the CPU all the same."""

    def say(*gpus, ram=RAM):
        from localsmc.engine import load

        def in_use(options):
            return [] if options.n_gpu_layers == 0 or options.cpu_only else list(gpus)

        monkeypatch.setattr(load, "gpus_in_use", in_use)
        monkeypatch.setattr(host, "available", lambda: ram)

    return say


MIB = 1 / 1024


@pytest.mark.parametrize(
    ("asked", "free", "passed", "on_gpu"),
    [
        (AUTO_LAYERS, 2, 6, 6),
        (AUTO_LAYERS, 1 + 5 * MIB, 3, 3),
        (AUTO_LAYERS, 0.5, 0, 0),
        (ALL_LAYERS, 0.5, ALL_LAYERS, 6),
        (2, 0.5, 2, 2),
        (0, 80, 0, 0),
    ],
)
def test_loading_finds_out_how_many(machine_with, asked, free, passed, on_gpu):
    machine_with(gpu(free))
    # 512 rows of logits would be more than the model.
    settings = Settings(n_ctx=256, n_ubatch=32)
    with localsmc.load(options=LoadOptions(n_gpu_layers=asked), settings=settings) as model:
        assert model.llama.options.n_gpu_layers == passed
        assert model.placement.n_gpu_layers == on_gpu
        none_fits = "no layer of `tiny.gguf` fits in the free memory of a GPU: all run on the CPU"
        assert model.notices == ([] if on_gpu or asked == 0 else [none_fits])


def test_a_draft_takes_its_memory_first(machine_with, random_llama):
    machine_with(gpu(1 + 9.2 * MIB))
    settings = Settings(n_ctx=256, n_ubatch=32)
    with localsmc.load(settings=settings) as alone:
        n_alone = alone.placement.n_gpu_layers
    with localsmc.load(draft=random_llama, settings=settings) as model:
        assert model.draft.placement.n_gpu_layers == 3
        assert 0 < model.placement.n_gpu_layers < n_alone


def test_what_is_too_large_is_not_loaded(machine_with, random_llama, monkeypatch):
    from localsmc.engine import load

    machine_with(ram=HostMemory(2**18, 2**18))
    monkeypatch.setattr(load.trial_load, "ensure_loadable", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ModelLoadFailed, match="needs 0"):
        localsmc.load(random_llama)


def test_unless_that_is_wanted(machine_with, random_llama):
    machine_with(ram=HostMemory(2**18, 2**18))
    with localsmc.load(random_llama, LoadOptions(check_memory=False)) as model:
        assert model.notices == []


def test_little_free_memory_is_a_notice(machine_with, random_llama):
    machine_with(ram=HostMemory(GIB, 2**18))
    with localsmc.load(random_llama, settings=Settings(n_ctx=16, n_ubatch=16)) as model:
        (notice,) = model.notices
    assert "are free" in notice


def test_a_context_takes_what_is_left(machine_with):
    machine_with()
    with localsmc.load() as model:
        cells = []
        for free in (GIB, 4 * 2**20, 0):
            machine_with(ram=replace(RAM, free=free))
            method = model.method("power-smc", particles=64)
            cells.append(context_size.n_ctx(model, method, 20, 256, Settings()))
    per_cell = estimate.bytes_per_cell(model.header, "f16", "f16")
    # Half of 4 MiB; and a text at least.
    assert cells[1:] == [estimate.padded(int(2 * 2**20 / per_cell)), 512]
    assert cells[0] > cells[1]
