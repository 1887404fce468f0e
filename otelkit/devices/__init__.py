# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine that the program runs on: host, process, runtime, GPUs. Importing this loads neither psutil nor NVML."""

from otelkit.devices.gpu_nvml import GpuMonitor, GpuUnavailableError
from otelkit.devices.gpu_reading import GpuProcess, GpuReading
from otelkit.devices.machine import Machine, observe_machine

__all__ = ("GpuMonitor", "GpuProcess", "GpuReading", "GpuUnavailableError", "Machine", "observe_machine")
