"""A shared beginning: decoded apart from the rest of each prompt, held, forked, and given up for others."""

import numpy as np
import pytest

from localsmc.errors import ContextFull
from localsmc.lm.kv_slots import KVSlots
from localsmc.lm.shared_beginning import PROMPT_CHUNK, HeldBeginning, SharedBeginning
from localsmc.lm.toy import ToyModel

KEEPER = 3


def tokens(*ids):
    return np.array(ids, dtype=np.int32)


def toy(n_cells=64):
    return ToyModel(5, seed=1, n_cells=n_cells, n_seq_max=KEEPER + 1)


def batches_of(model, monkeypatch):
    """The tokens of each batch that the model decodes from now on."""
    found, decode = [], model.decode

    def recording(ids, *arguments, **options):
        found.append(ids.tolist())
        return decode(ids, *arguments, **options)

    monkeypatch.setattr(model, "decode", recording)
    return found


BEGINNING = tokens(1, 2, 3)


@pytest.mark.parametrize(
    ("prompt", "batches"),
    [
        ((1, 2, 3, 4), [[1, 2, 3], [4]]),
        ((1, 2, 3, 1, 2), [[1, 2, 3], [1, 2]]),
        ((1, 2, 3), [[1, 2, 3]]),  # nothing would be left whose logits are needed
        ((1, 2), [[1, 2]]),
        ((2, 2, 3, 4), [[2, 2, 3, 4]]),
    ],
)
def test_a_prompt_is_cut_where_its_shared_beginning_ends(prompt, batches, monkeypatch):
    model = toy()
    found = batches_of(model, monkeypatch)
    _, logits = KVSlots(SharedBeginning(model, BEGINNING), 4).prefill(tokens(*prompt))
    assert found == batches
    assert logits[0] == pytest.approx(model.logits(list(prompt)))


@pytest.mark.parametrize("is_held", [True, False])
def test_long_parts_are_decoded_in_chunks_that_do_not_cross_the_cut(is_held, monkeypatch):
    model = toy(n_cells=4 * PROMPT_CHUNK)
    model.n_batch = PROMPT_CHUNK
    beginning = tokens(*([1, 2] * (PROMPT_CHUNK // 2 + 3)))
    prompt = np.concatenate((beginning, tokens(*([3, 4] * (PROMPT_CHUNK // 2 + 2)))))
    found = batches_of(model, monkeypatch)
    wrapped = HeldBeginning(model) if is_held else SharedBeginning(model, beginning)
    if is_held:
        wrapped.hold(beginning)
    slots = KVSlots(wrapped, 4)
    slots.prefill(prompt)
    assert [len(batch) for batch in found] == [PROMPT_CHUNK, 6, PROMPT_CHUNK, 4]
    assert slots.n_cached == (len(beginning) if is_held else 0)
    assert slots.prompt_rows == len(prompt) - slots.n_cached


def test_what_is_held_is_decoded_once_and_takes_no_extra_room(monkeypatch):
    model = toy(n_cells=3 + 2 + 4)
    held = HeldBeginning(model)
    found = batches_of(model, monkeypatch)
    assert held.n_seq_max == KEEPER
    for prompt in (tokens(1, 2, 3, 4, 1), tokens(1, 2, 3, 2, 2)):
        decoded = held.hold(BEGINNING)
        slots = KVSlots(held, 4)
        slot, logits = slots.prefill(prompt)
        assert model.history(KEEPER) == BEGINNING.tolist()
        assert (slots.n_cached, slots.prompt_rows, model.n_used) == (3, 2, 5)
        assert logits[0] == pytest.approx(model.logits(prompt.tolist()))
        slots.decode_blocks(np.array([slot]), [np.array([1, 2, 3, 4])])
        assert slots.cells_used == model.n_used == model.n_cells
        with pytest.raises(ContextFull):
            slots.decode(np.array([slot]), np.array([1]))
        found.append(decoded)
    assert found == [[1, 2, 3], [4, 1], [1, 2, 3, 4], 3, [2, 2], [1, 2, 3, 4], 0]


def test_another_prompt_gets_the_cells_and_the_next_one_its_beginning_back():
    model = toy(n_cells=8)
    held = HeldBeginning(model)
    held.hold(BEGINNING)
    slots = KVSlots(held, 4)
    slots.prefill(tokens(4, 4, 3, 2))
    assert (model.history(KEEPER), slots.n_cached, model.n_used) == ([], 0, 4)
    again = KVSlots(held, 4)
    again.prefill(tokens(1, 2, 3, 4))
    assert (model.history(KEEPER), again.n_cached) == ([], 0)
    assert held.hold(BEGINNING) == 3
    assert held.hold(BEGINNING) == 0
    assert (model.history(KEEPER), model.n_used) == (BEGINNING.tolist(), 3)


def test_another_beginning_takes_its_place():
    model = toy()
    held = HeldBeginning(model)
    assert held.hold(BEGINNING) == 3
    assert held.hold(tokens(1, 2)) == 2
    assert model.history(KEEPER) == [1, 2]
    assert held.hold(tokens()) == 0
    assert (model.history(KEEPER), model.n_used) == ([], 0)


def test_nothing_is_held_after_a_failure(monkeypatch):
    model = toy()
    held = HeldBeginning(model)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model, "decode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            held.hold(BEGINNING)
    assert KVSlots(held, 4).prefill(tokens(1, 2, 3, 4))[1][0] == pytest.approx(model.logits([1, 2, 3, 4]))
    assert held.hold(BEGINNING) == 3


def test_a_model_with_one_sequence_holds_nothing():
    model = ToyModel(5, seed=1, n_cells=64, n_seq_max=1)
    held = HeldBeginning(model)
    assert (held.hold(BEGINNING), held.n_seq_max) == (0, 1)
    slots = KVSlots(held, 4)
    slots.prefill(tokens(1, 2, 3, 4))
    assert (slots.n_cached, slots.prompt_rows) == (0, 4)


def test_a_recurrent_model_forks_a_whole_beginning():
    model = toy()
    model.can_forget = False
    held = HeldBeginning(model)
    held.hold(BEGINNING)
    for prompt in (tokens(1, 2, 3, 4), tokens(1, 2, 3, 1, 1)):
        slots = KVSlots(held, 4)
        assert slots.prefill(prompt)[1][0] == pytest.approx(model.logits(prompt.tolist()))
        assert slots.n_cached == 3
