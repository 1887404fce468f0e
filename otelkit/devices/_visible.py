# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which GPUs ``CUDA_VISIBLE_DEVICES`` leaves visible, and in which order.

Source: CUDA Programming Guide, "CUDA Environment Variables". What it leaves
open is taken from PyTorch's ``torch.cuda._parse_visible_devices``, which had
to match the driver: a repeated entry leaves no device, the first entry's
form is that of all, and an index is read as ``strtoul`` would.

Indices are NVML's, which are those of nvidia-smi and of
``CUDA_DEVICE_ORDER=PCI_BUS_ID``; CUDA's own default puts the fastest device
first, which differs only where the GPUs of a machine do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_INDEX = re.compile(r"\+?\d+")
_OLD_MIG = re.compile(r"MIG-(GPU-[^/]+)/(\d+)/(\d+)$")


@dataclass(eq=False)
class Entry:
    """
    A GPU or a MIG instance, as far as choosing it needs.

    Attributes:
        uuid: ``None`` for a GPU that could not be opened: it keeps its index.
        instance: Ids of the GPU instance and the compute instance, for a MIG instance.
        children: MIG instances of a GPU.
    """

    uuid: str | None
    handle: object = None
    instance: tuple[int, int] | None = None
    parent: Entry | None = None
    children: list[Entry] = field(default_factory=list)


def choose(setting: str | None, gpus: Sequence[Entry]) -> list[Entry]:
    """
    Return the visible GPUs in CUDA's order, a GPU's MIG instances behind it.

    Args:
        setting: The variable's value; ``None`` (not set) shows all, an empty one none.
        gpus: All of the machine, in NVML's order.
    """
    chosen = list(gpus) if setting is None else _named(setting, gpus)
    return [each for entry in chosen for each in (entry, *entry.children)]


def _named(setting: str, gpus: Sequence[Entry]) -> list[Entry]:
    words = [word.strip() for word in setting.split(",")]
    form = words[0][:4]
    chosen: list[Entry] = []
    for word in words:
        if form in ("GPU-", "MIG-"):
            found = _by_uuid(word, gpus) if word.startswith(form) else None
        else:
            found = _by_index(word, gpus)
        if found is None:  # CUDA sees only what precedes an invalid entry
            break
        if found in chosen:
            return []
        chosen.append(found)
    return chosen


def _by_index(word: str, gpus: Sequence[Entry]) -> Entry | None:
    digits = _INDEX.match(word)
    index = int(digits.group()) if digits else len(gpus)
    return gpus[index] if index < len(gpus) else None


def _by_uuid(word: str, gpus: Sequence[Entry]) -> Entry | None:
    """Find the one entry whose UUID starts with ``word``; an ambiguous prefix is invalid."""
    instances = [child for gpu in gpus for child in gpu.children]
    old = _OLD_MIG.match(word)
    if old:
        where = (int(old[2]), int(old[3]))
        found = [each for each in instances if each.instance == where and _is(each.parent, old[1])]
    else:
        found = [each for each in (*gpus, *instances) if (each.uuid or "").startswith(word)]
    return found[0] if len(found) == 1 else None


def _is(gpu: Entry | None, uuid: str) -> bool:
    return gpu is not None and gpu.uuid == uuid
