"""What a run was made of: its date, machine, problems, models and methods, from the manifest.

Manifests of other versions and commands may lack any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from localsmc.evals.run_folder import RunRecord
from localsmc.report import table
from localsmc.report.agreement import completeness
from localsmc.report.table import Column, Table, text
from localsmc.system.humanize import format_bytes, format_count

UNKNOWN = "not recorded"


def facts(run: RunRecord) -> list[tuple[str, str]]:
    """Names and values, in reading order."""
    raw = run.manifest.raw
    tasks = [value for value in raw.get("tasks", []) if isinstance(value, Mapping)]
    found = [
        ("date", date(run)),
        ("machine", machine(run)),
        ("software", _software(raw)),
        ("problems", "; ".join(map(task, tasks))),
        ("seeds", ", ".join(map(str, run.manifest.seeds))),
        ("done", completeness(run)),
    ]
    return [(name, value) for name, value in found if value]


def date(run: RunRecord) -> str:
    """When the run was started: "2026-03-01 14:05 UTC"."""
    try:
        started = datetime.fromisoformat(str(run.manifest.raw.get("started")).replace("Z", "+00:00"))
        return f"{started.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return UNKNOWN


def machine(run: RunRecord) -> str:
    """The devices, the threads and the system: "AMD EPYC, 2 threads, Linux x86_64"."""
    found = run.manifest.raw.get("machine")
    if not isinstance(found, Mapping):
        return UNKNOWN
    devices, threads = found.get("devices"), found.get("threads")
    parts = [str(one) for one in devices] if isinstance(devices, list) else []
    if isinstance(threads, list) and threads:
        counts = dict.fromkeys(threads)
        parts.append(f"{' or '.join(map(str, counts))} thread{'' if list(counts) == [1] else 's'}")
    parts.append(str(found.get("system", "")))
    return text(", ".join(part for part in parts if part)) or UNKNOWN


def _software(raw: Mapping[str, Any]) -> str:
    found = raw.get("machine")
    build = str(found.get("llama.cpp") or "") if isinstance(found, Mapping) else ""
    # The rest of a build's description are its CPU features.
    parts = [f"localsmc {raw['version']}" if raw.get("version") else "", build.split(" (")[0]]
    return text(", ".join(part for part in parts if part))


def task(values: Mapping[str, Any]) -> str:
    """A task with its version, its number of problems, its source and its grader."""
    parts = [table.problems(str(values.get("n_problems", "?")))]
    parts += [str(values["source"])] if values.get("source") else []
    parts += [f"grader {values['grader']}"] if values.get("grader") else []
    return text(f"{values.get('name')} v{values.get('version', '?')} ({', '.join(parts)})")


def models(run: RunRecord) -> Table | None:
    """The models with their sizes, the draft model last; None if the run has none."""
    rows = [
        (
            one.get("name"),
            role,
            one.get("params"),
            one.get("quantization"),
            one.get("bytes"),
            str(one.get("sha256") or "")[:12],
        )
        for key, role in (("models", ""), ("draft", "draft"))
        for one in run.manifest.raw.get(key) or []
        if isinstance(one, Mapping)
    ]
    columns = (
        Column("name", "name"),
        Column("role", "used as"),
        Column("params", "parameters", _number(format_count)),
        Column("quantization", "quantization"),
        Column("bytes", "file", _number(format_bytes)),
        Column("sha256", "SHA-256"),
    )
    return Table(name="model_sizes", title="Models", columns=columns, rows=tuple(rows)) if rows else None


def _number(show: table.Show) -> table.Show:
    return lambda value: show(value) if isinstance(value, int | float) else text(value)


def methods(run: RunRecord) -> Table:
    """The methods with their parameters."""
    manifest = run.manifest
    rows = [
        (
            label,
            manifest.names[label],
            ", ".join(f"{key} {value}" for key, value in config.items() if value is not None),
        )
        for label, config in manifest.methods.items()
    ]
    columns = (Column("label", "method"), Column("name", "kind"), Column("config", "parameters"))
    return Table(name="method_parameters", title="Methods", columns=columns, rows=tuple(rows))
