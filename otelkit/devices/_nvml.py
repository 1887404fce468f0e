# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The NVML library itself: opening it, listing what it has, and forking beside it.

NVML is one per process and keeps locks of its own, which a forked child
would inherit locked if another thread was inside a call. So all calls are
made under one lock of ours, and a fork waits for it, a second at most.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from otelkit._core._fork import forks
from otelkit.devices._visible import Entry
from otelkit.exceptions import OtelkitError

_logger = logging.getLogger("otelkit")

FORK_WAIT_S = 1.0


class GpuUnavailableError(OtelkitError):
    """There is no NVIDIA driver, or NVML cannot use it; the text has NVML's reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"Expected an NVIDIA driver with libnvidia-ml.so.1, got {reason!r} - at NVML's initialisation."
            " Install the driver; in a container, start it with GPUs and the driver capability 'utility'."
        )


_lock = threading.Lock()
_forking = threading.local()
_users = 0
"""How often NVML was initialised from here, by the process `_pid`."""
_pid = 0


def lock() -> threading.Lock:
    """Return the lock that every call into NVML is made under; a forked child has a fresh one."""
    return _lock


def _before_fork() -> None:
    _forking.held = _lock.acquire(timeout=FORK_WAIT_S)


def _after_fork_in_parent() -> None:
    if _forking.held:
        _lock.release()


def _in_child() -> None:
    global _lock
    _lock = threading.Lock()


# From the start: also the search for a driver that is not there is made under the lock.
forks.in_child(_in_child)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)


def initialise() -> Any:
    """
    Return the binding, its library initialised once more.

    Raises:
        GpuUnavailableError: The binding, the library or the driver is missing or unusable.
    """
    try:
        import pynvml
    except ImportError as error:
        raise GpuUnavailableError(f"{error}; install nvidia-ml-py") from None
    global _users, _pid
    if _pid != os.getpid():  # NVML counts its users, and would take a forked child for initialised
        for _ in range(_users):
            attempt(pynvml, pynvml.nvmlShutdown)
        _users, _pid = 0, os.getpid()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise GpuUnavailableError(str(error)) from None
    _users += 1
    return pynvml


def release(nvml: Any) -> None:
    """Take one initialisation back, if it was this process's."""
    global _users
    if _users and _pid == os.getpid():
        _users -= 1
        attempt(nvml, nvml.nvmlShutdown)


def attempt(nvml: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what ``call`` returns, ``None`` if NVML refuses."""
    try:
        return call(*arguments)
    except nvml.NVMLError:
        return None


def gpus(nvml: Any) -> list[Entry]:
    """
    List all GPUs in NVML's order, each with its MIG instances; one that cannot be opened keeps its place.

    Raises:
        GpuUnavailableError: NVML cannot even count them.
    """
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        raise GpuUnavailableError(str(error)) from None
    found = []
    for index in range(count):
        handle = attempt(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
        uuid = attempt(nvml, nvml.nvmlDeviceGetUUID, handle) if handle is not None else None
        gpu = Entry(uuid, handle)
        if uuid is None:
            _logger.warning("otelkit: GPU %d cannot be opened and is left out. The others go on.", index)
        else:
            gpu.children = _instances(nvml, gpu)
        found.append(gpu)
    return found


def _instances(nvml: Any, gpu: Entry) -> list[Entry]:
    modes = attempt(nvml, nvml.nvmlDeviceGetMigMode, gpu.handle)
    if not modes or modes[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return []
    found = []
    for index in range(attempt(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, gpu.handle) or 0):
        handle = attempt(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu.handle, index)
        uuid = attempt(nvml, nvml.nvmlDeviceGetUUID, handle) if handle is not None else None
        if uuid is not None:
            ids = (
                attempt(nvml, nvml.nvmlDeviceGetGpuInstanceId, handle),
                attempt(nvml, nvml.nvmlDeviceGetComputeInstanceId, handle),
            )
            found.append(Entry(uuid, handle, instance=ids, parent=gpu))
    return found
