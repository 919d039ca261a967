"""A repository on the hub, with its names in URLs and caches."""

from __future__ import annotations

from dataclasses import dataclass

from localsmc.store.hub.access import shown_endpoint


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of models or datasets."""

    id: str
    kind: str = "model"

    @property
    def path(self) -> str:
        """The path of its files below the hub's address."""
        return self.id if self.kind == "model" else f"{self.kind}s/{self.id}"

    @property
    def folder(self) -> str:
        """The name of its folder in a cache."""
        return f"{self.kind}s--" + self.id.replace("/", "--")

    @property
    def page(self) -> str:
        """The URL of its web page."""
        return f"{shown_endpoint()}/{self.path}"
