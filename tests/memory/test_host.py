"""Memory of the host, read from made-up system files."""

from __future__ import annotations

import psutil
import pytest

from localsmc.memory import host

MIB = 2**20
HUGE = "9223372036854771712"


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"
CACHING = "anon 5\ninactive_file 1048576\n"


@pytest.mark.parametrize(
    ("files", "total", "free"),
    [
        (
            {
                "proc/self/cgroup": "0::/\n",
                f"{V2}/memory.max": "104857600\n",
                f"{V2}/memory.current": "10485760\n",
                f"{V2}/memory.stat": CACHING,
            },
            100,
            91,
        ),
        (  # a group within one that has less
            {
                "proc/self/cgroup": "0::/a/b c\n",
                f"{V2}/a/b c/memory.max": "104857600\n",
                f"{V2}/a/b c/memory.current": "10485760\n",
                f"{V2}/a/memory.max": "52428800\n",
                f"{V2}/a/memory.current": "10485760\n",
            },
            50,
            40,
        ),
        (  # the host's path in a container that has the mount only
            {
                "proc/self/cgroup": "12:cpu:/x\n9:hugetlb,memory:/docker/123\n0::/\n",
                f"{V1}/memory.limit_in_bytes": "104857600\n",
                f"{V1}/memory.usage_in_bytes": "20971520\n",
                f"{V1}/memory.stat": "total_inactive_file 10485760\n",
            },
            100,
            90,
        ),
        (
            {
                "proc/self/cgroup": "0::/\n",
                f"{V2}/memory.max": "1048576\n",
                f"{V2}/memory.current": "2097152\n",
            },
            1,
            0,
        ),
    ],
    ids=["version 2", "nested", "version 1", "overdrawn"],
)
def test_a_container_has_less(tmp_path, files, total, free):
    found = host.available(write(tmp_path, files))
    assert (found.total, found.free, found.is_limited) == (total * MIB, free * MIB, True)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "max\n", f"{V2}/memory.current": "5\n"},
        {
            "proc/self/cgroup": "4:memory:/\n",
            f"{V1}/memory.limit_in_bytes": HUGE,
            f"{V1}/memory.usage_in_bytes": "5",
        },
        {"proc/self/cgroup": "no groups\n\n", f"{V2}/memory.max": "5\n"},
    ],
    ids=["none", "no files", "max", "huge", "nonsense"],
)
def test_without_a_limit_it_is_the_machines(tmp_path, files):
    found = host.available(write(tmp_path, files))
    assert (found.total, found.is_limited) == (psutil.virtual_memory().total, False)
    assert 0 < found.free <= found.total


@pytest.mark.parametrize(
    ("files", "system", "processor", "found"),
    [
        ([], "linux", "x86_64", []),
        (["dev/nvidia0"], "linux", "x86_64", ["NVIDIA"]),
        (["usr/lib/wsl/lib/libcuda.so.1"], "linux", "x86_64", ["NVIDIA"]),
        (["dev/kfd"], "linux", "x86_64", ["AMD"]),
        (["dev/kfd", "dev/nvidia0"], "linux", "x86_64", ["NVIDIA", "AMD"]),
        (["Windows/System32/nvcuda.dll"], "win32", "AMD64", ["NVIDIA"]),
        ([], "darwin", "arm64", ["Apple"]),
        ([], "darwin", "x86_64", []),
    ],
)
def test_gpus_by_the_files_of_their_drivers(tmp_path, files, system, processor, found):
    assert host.gpus(write(tmp_path, dict.fromkeys(files, "")), system, processor) == found
