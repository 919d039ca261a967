"""Folders of models as ollama, LM Studio and pip leave them on a disk. Files are linked, not copied."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path

MODEL, ADAPTER, PROJECTOR, TENSOR = "model", "adapter", "projector", "tensor"


def link(source: Path, target: Path) -> Path:
    """A symbolic link at `target`, with its folders."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)
    return target


class Ollama:
    """ollama's folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs").mkdir(parents=True)

    def blob(self, file: Path) -> str:
        """Add a file as a blob; returns its digest."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        path = self.folder / "blobs" / f"sha256-{digest}"
        if not os.path.lexists(path):
            link(file, path)
        return digest

    def add(self, name: str, *layers: tuple[str, str]) -> Path:
        """Add a manifest, HOST/NAMESPACE/MODEL/TAG, of layers by kind and digest; returns its path."""
        entries = [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}", "size": 1}
            for kind, digest in layers
        ]
        return self.write(name, json.dumps({"schemaVersion": 2, "config": {}, "layers": entries}))

    def write(self, name: str, text: str) -> Path:
        """Write any text as a manifest."""
        path = self.folder / "manifests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def install(site: Path, name: str, files: dict[str, Path | None], requires: tuple[str, ...] = ()) -> None:
    """Install a Python package of these files; None is a file that RECORD lists but that is missing."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {package}\n" for package in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    for path, source in files.items():
        if source is not None:
            link(source, site / path)
    with (info / "RECORD").open("w", newline="") as record:
        rows = [*files, f"{info.name}/METADATA", f"{info.name}/RECORD"]
        csv.writer(record, lineterminator="\n").writerows([row, "", ""] for row in rows)
