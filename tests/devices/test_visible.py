# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""CUDA_VISIBLE_DEVICES leaves the GPUs visible that CUDA would."""

from __future__ import annotations

import pytest

from otelkit.devices._visible import Entry, choose


def machine() -> list[Entry]:
    """Two GPUs with a common start of their UUIDs, and one with two MIG instances."""
    gpus = [Entry("GPU-aa11"), Entry("GPU-aa22"), Entry("GPU-bb33")]
    gpus[2].children = [
        Entry("MIG-cc1", instance=(7, 0), parent=gpus[2]),
        Entry("MIG-cc2", instance=(8, 0), parent=gpus[2]),
    ]
    return gpus


ALL = ["GPU-aa11", "GPU-aa22", "GPU-bb33", "MIG-cc1", "MIG-cc2"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, ALL),
        ("", []),
        ("1,0", ["GPU-aa22", "GPU-aa11"]),
        (" 1 , 0 ", ["GPU-aa22", "GPU-aa11"]),
        ("2", ["GPU-bb33", "MIG-cc1", "MIG-cc2"]),
        ("0,-1,1", ["GPU-aa11"]),
        ("0,9,1", ["GPU-aa11"]),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,,1", ["GPU-aa11"]),
        ("1gpu,0", ["GPU-aa22", "GPU-aa11"]),
        ("0,1,0", []),
        ("GPU-aa22", ["GPU-aa22"]),
        ("GPU-b", ["GPU-bb33", "MIG-cc1", "MIG-cc2"]),
        ("GPU-aa22,GPU-aa11", ["GPU-aa22", "GPU-aa11"]),
        ("GPU-aa", []),
        ("GPU-aa11,GPU-aa,GPU-aa22", ["GPU-aa11"]),
        ("GPU-zz", []),
        ("GPU-aa11,1", ["GPU-aa11"]),
        ("0,GPU-aa22", ["GPU-aa11"]),
        ("GPU-aa11,GPU-aa11", []),
        ("MIG-cc2", ["MIG-cc2"]),
        ("MIG-cc2,MIG-cc1", ["MIG-cc2", "MIG-cc1"]),
        ("MIG-GPU-bb33/8/0", ["MIG-cc2"]),
        ("MIG-GPU-bb33/9/0", []),
    ],
)
def test_what_a_setting_leaves_visible(setting: str | None, expected: list[str]) -> None:
    """Indices, UUIDs, unique prefixes and MIG names choose in order; an invalid entry ends, a repeated one empties."""
    assert [entry.uuid for entry in choose(setting, machine())] == expected


def test_a_gpu_that_cannot_be_opened_keeps_its_index() -> None:
    """Behind a GPU without a UUID the others keep the numbers that CUDA gives them."""
    gpus = [Entry(None), Entry("GPU-1")]
    assert [entry.uuid for entry in choose("1", gpus)] == ["GPU-1"]
