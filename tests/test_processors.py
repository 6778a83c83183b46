"""The processors that a process may use: its affinity, and the quotas of its control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from toyadmos_datasets.engine import processor_count, processors


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Write what the kernel shows of a process's control groups below another root."""
    named = {"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{name}": content for name, content in files.items()}
    for name, content in named.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


V1 = "7:memory:/job\n3:cpu,cpuacct:/job/step\n1:name=systemd:/\n"

CASES = {
    "a container, version 2": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "a part of a processor is one": ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
    "one and a half are two": ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
    "no limit, version 2": ("0::/\n", {"cpu.max": "max 100000\n"}, None),
    "a service below the root": ("0::/system.slice/a\n", {"system.slice/a/cpu.max": "300000 100000\n"}, 3),
    "a group above limits it": (
        "0::/pod/box\n",
        {"pod/cpu.max": "200000 100000\n", "pod/box/cpu.max": "400000 100000\n"},
        2,
    ),
    "another group's limit is not ours": ("0::/mine\n", {"other/cpu.max": "100000 100000\n"}, None),
    "version 1": (V1, {"cpu,cpuacct/job/cpu.cfs_quota_us": "200000", "cpu,cpuacct/job/cpu.cfs_period_us": "100000"}, 2),
    "a container, version 1": (
        "4:cpu:/docker/ab\n",
        {"cpu/cpu.cfs_quota_us": "4000", "cpu/cpu.cfs_period_us": "1000"},
        4,
    ),
    "no limit, version 1": (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "nonsense": ("0::/\n", {"cpu.max": "many\n"}, None),
    "an odd line": ("nonsense\n0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "no control groups": ("", {}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_quota_limits_the_processors(tmp_path, case):
    groups, files, expected = CASES[case]

    assert processor_count._quota(machine(tmp_path, groups, files)) == expected


def test_a_pod_of_two_processors_on_a_large_host_starts_two_workers(tmp_path, monkeypatch):
    root = machine(tmp_path, "0::/kubepods/pod1\n", {"kubepods/pod1/cpu.max": "200000 100000\n"})
    quota = processor_count._quota
    monkeypatch.setattr(processor_count.loky, "cpu_count", lambda: 64)
    monkeypatch.setattr(processor_count, "_quota", lambda: quota(root))

    assert processors() == 2


def test_without_a_quota_the_affinity_decides(monkeypatch):
    monkeypatch.setattr(processor_count.loky, "cpu_count", lambda: 64)
    monkeypatch.setattr(processor_count, "_quota", lambda: None)

    assert processors() == 64
