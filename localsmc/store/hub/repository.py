"""A repository of the hub, and the names it has in addresses and caches."""

from __future__ import annotations

from dataclasses import dataclass

from localsmc.store.hub.access import shown_endpoint


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of models, or of data sets."""

    id: str
    kind: str = "model"

    @property
    def path(self) -> str:
        """Where its files are below the hub's address."""
        return self.id if self.kind == "model" else f"{self.kind}s/{self.id}"

    @property
    def folder(self) -> str:
        """Its folder in a cache."""
        return f"{self.kind}s--" + self.id.replace("/", "--")

    @property
    def page(self) -> str:
        """Where people read of it."""
        return f"{shown_endpoint()}/{self.path}"
