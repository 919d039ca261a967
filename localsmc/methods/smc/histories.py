"""The distinct histories of a population: parallel arrays, one entry per history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from localsmc.methods.finish_state import LIVE
from localsmc.numerics.log_math import Doubles, Ints, effective_sample_size
from localsmc.text.stop_rule import StopState


@dataclass(frozen=True)
class Histories:
    """Parallel arrays (H,), one entry per distinct history; immutable."""

    node: Ints
    """The node of its last token in the token tree."""
    count: Ints
    """Number of particles on it."""
    logw: Doubles
    """Log-weight of each of its particles."""
    logp: Doubles
    """Log-probability of its tokens under the model at temperature 1."""
    finish: NDArray[np.int8]
    """LIVE, STOPPED, OUT_OF_LENGTH or PRUNED."""
    slot: Ints
    """The KV slot that holds its prefix; siblings share one until `Particles.decode`."""
    stop: tuple[StopState, ...]
    """The state of the stop rule."""
    source: Ints
    """Inherited by children: for look-ahead copies the index of the history they started from, for draft-smc
    the draft's KV slot (or, for the draft's histories, the index of the target's); else 0."""

    @cached_property
    def live(self) -> Ints:
        """The indices of those that are not finished."""
        return np.flatnonzero(self.finish == LIVE)

    @cached_property
    def log_totals(self) -> Doubles:
        """(H,) log of the total weight of each history's particles."""
        return self.logw + np.log(self.count)

    @cached_property
    def ess(self) -> float:
        """Effective sample size, in particles."""
        return effective_sample_size(self.logw, self.count)

    def take(self, index: Ints | NDArray[np.bool_]) -> Histories:
        """The histories with these indices, in this order, or those where a mask is True."""
        index = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Histories(
            node=self.node[index],
            count=self.count[index],
            logw=self.logw[index],
            logp=self.logp[index],
            finish=self.finish[index],
            slot=self.slot[index],
            stop=tuple(self.stop[i] for i in index.tolist()),
            source=self.source[index],
        )

    def append_children(self, other: Histories) -> Histories:
        """These histories followed by the others."""
        return Histories(
            node=np.concatenate((self.node, other.node)),
            count=np.concatenate((self.count, other.count)),
            logw=np.concatenate((self.logw, other.logw)),
            logp=np.concatenate((self.logp, other.logp)),
            finish=np.concatenate((self.finish, other.finish)),
            slot=np.concatenate((self.slot, other.slot)),
            stop=self.stop + other.stop,
            source=np.concatenate((self.source, other.source)),
        )

    def __len__(self) -> int:
        return len(self.node)
