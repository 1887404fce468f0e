# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Every metric and attribute name that otelkit gives out.

Names are OpenTelemetry's: dots, UCUM units, no ``_total``. Where a semantic
convention exists it is followed to the letter; the others are ours, and
design.md's vocabulary lists them.
"""

from __future__ import annotations

from otelkit._core._snapshot import Kind, Metric

# -- attributes ---------------------------------------------------------------

ERROR_TYPE = "error.type"
CODE_FUNCTION_NAME = "code.function.name"
SERVICE = "service"
ACTION = "action"
EVENT = "event"
JOB = "job.name"
"""Not ``job``: that label is the scrape's. The Collector drops metrics that have it, Prometheus renames it."""
QUANTILE = "quantile"
OVERFLOW = "otel.metric.overflow"
METRIC = "otelkit.metric"
REASON = "otelkit.reason"

# -- functions and named actions ----------------------------------------------

FUNCTION = "function"
"""Family of a decorated function without a name of its own; see `call_metrics`."""

# -- services -----------------------------------------------------------------

SERVICE_REQUESTS = Metric("service.requests", Kind.COUNTER, "{request}", "Requests started, per action.")
SERVICE_ACTIVE_REQUESTS = Metric(
    "service.active_requests", Kind.UP_DOWN_COUNTER, "{request}", "Requests started and not yet ended, per action."
)
SERVICE_ERRORS = Metric("service.errors", Kind.COUNTER, "{error}", "Requests that failed, per action and error type.")
SERVICE_RESPONSE_TIME = Metric("service.response_time", Kind.HISTOGRAM, "s", "Time from start to end of a request.")

# -- events -------------------------------------------------------------------

EVENT_RECEIVED = Metric("event.received", Kind.COUNTER, "{event}", "Events handed to a handler.")
EVENT_ACTIVE = Metric("event.active", Kind.UP_DOWN_COUNTER, "{event}", "Events being handled.")
EVENT_FAILURES = Metric("event.failures", Kind.COUNTER, "{event}", "Events whose handler failed.")
EVENT_PROCESSING_TIME = Metric("event.processing_time", Kind.HISTOGRAM, "s", "Time a handler took for one event.")
EVENT_LATENCY = Metric("event.latency", Kind.HISTOGRAM, "s", "Time from an event's emission to its processing.")

EVENT_PUBLISHED = Metric("event.published", Kind.COUNTER, "{event}", "Events whose publication was started.")
EVENT_PUBLISHING = Metric("event.publishing", Kind.UP_DOWN_COUNTER, "{event}", "Events being published.")
EVENT_PUBLISH_FAILURES = Metric("event.publish_failures", Kind.COUNTER, "{event}", "Events not published.")
EVENT_PUBLISH_TIME = Metric("event.publish_time", Kind.HISTOGRAM, "s", "Time the publication of one event took.")

# -- jobs ---------------------------------------------------------------------

JOB_RUNS = Metric("job.runs", Kind.COUNTER, "{run}", "Runs started of a background job.")
JOB_ACTIVE = Metric("job.active", Kind.UP_DOWN_COUNTER, "{run}", "Runs started and not yet ended.")
JOB_FAILURES = Metric("job.failures", Kind.COUNTER, "{run}", "Runs that failed.")
JOB_DURATION = Metric("job.duration", Kind.HISTOGRAM, "s", "Time a run took.")
JOB_LAST_SUCCESS = Metric("job.last_success", Kind.GAUGE, "s", "Unix time at which a run last succeeded.")

# -- batches and their jobs ---------------------------------------------------
# A job is one call of the user's function, also where the engine sends chunks. `JOB_ACTIVE` and `JOB_DURATION` are
# shared with @otelkit.job, whose series have no batch.engine.

BATCH_ENGINE = "batch.engine"
STATUS = "status"
CHUNK_SIZE = "job.chunk.size"
"""Of a span that stands for a chunk: how many jobs it has."""

STATUSES = ("submitted", "running", "completed", "failed", "retried", "cancelled")
"""Values of `STATUS`: how many jobs ever came to be that, not how many are that now. Timed out is failed."""

BATCH_CREATED = Metric("batch.created", Kind.COUNTER, "{batch}", "Batches handed to an engine.")
BATCH_SIZE = Metric("batch.size", Kind.HISTOGRAM, "{job}", "Jobs of one batch.")
BATCH_WORKERS = Metric("batch.workers", Kind.UP_DOWN_COUNTER, "{worker}", "Workers that an engine has.")
JOB_STATUS = Metric("job.status", Kind.COUNTER, "{job}", "Jobs that came to a status, per status.")
JOB_PENDING = Metric(
    "job.pending", Kind.UP_DOWN_COUNTER, "{job}", "Jobs submitted and, as far as the submitter knows, not yet started."
)
JOB_RETRIES = Metric("job.retries", Kind.COUNTER, "{job}", "Times that a job was given back to be run again.")
JOB_ERRORS = Metric("job.errors", Kind.COUNTER, "{error}", "Jobs that failed, per error type.")
JOB_QUEUE_TIME = Metric("job.queue_time", Kind.HISTOGRAM, "s", "Time from a job's submission to its start.")

# -- inference ------------------------------------------------------------------
# Ours: there is no convention for models that run in the process.

INFERENCE_ENGINE = "inference.engine"
"""torch, onnxruntime, sklearn, transformers; ``custom`` for steps by hand, ``loop`` for `otelkit.track`."""
INFERENCE_MODEL = "inference.model"
INFERENCE_OPERATION = "inference.operation"
"""What was asked of the model: run, forward, predict, fit, generate, ..."""
INFERENCE_PHASE = "inference.phase"
"""preprocess, transfer, compute, postprocess, quantise, or a name of the program's own."""
INFERENCE_WARMUP = "inference.warmup"
"""``true`` for a model's first steps, which pay for what later ones find ready."""
INFERENCE_BATCH_SIZE_ATTRIBUTE = "inference.batch_size"
"""On spans only."""
INFERENCE_PROVIDER = "inference.provider"
"""Of ONNX Runtime: what executes a session; on spans all that it may use."""

INFERENCE_REQUESTS = Metric("inference.requests", Kind.COUNTER, "{request}", "Inference steps started.")
INFERENCE_ACTIVE_REQUESTS = Metric(
    "inference.active_requests", Kind.UP_DOWN_COUNTER, "{request}", "Inference steps started and not yet ended."
)
INFERENCE_ERRORS = Metric("inference.errors", Kind.COUNTER, "{error}", "Inference steps that failed, per error type.")
INFERENCE_DURATION = Metric("inference.duration", Kind.HISTOGRAM, "s", "Time from start to end of a step, on the host.")
INFERENCE_BATCH_SIZE = Metric("inference.batch_size", Kind.HISTOGRAM, "{item}", "Items in one step that succeeded.")
INFERENCE_ITEMS = Metric("inference.items", Kind.COUNTER, "{item}", "Items of steps that succeeded.")
INFERENCE_THROUGHPUT = Metric("inference.throughput", Kind.GAUGE, "{item}/s", "Items a second over the last minute.")
INFERENCE_PHASE_DURATION = Metric("inference.phase.duration", Kind.HISTOGRAM, "s", "Time one phase of a step took.")
INFERENCE_DEVICE_TIME = Metric("inference.device_time", Kind.HISTOGRAM, "s", "Time a step kept its device busy.")
INFERENCE_WAIT_TIME = Metric("inference.wait_time", Kind.HISTOGRAM, "s", "Time a step waited for its input.")
INFERENCE_SESSIONS = Metric(
    "inference.sessions", Kind.UP_DOWN_COUNTER, "{session}", "Sessions in use, per execution provider."
)
INFERENCE_CACHE_HITS = Metric("inference.cache.hits", Kind.COUNTER, "{hit}", "Look-ups that a cache answered.")
INFERENCE_CACHE_MISSES = Metric("inference.cache.misses", Kind.COUNTER, "{miss}", "Look-ups that no cache answered.")
INFERENCE_BATCH_FILL = Metric(
    "inference.batch_fill", Kind.HISTOGRAM, "1", "Share of the batch's places that held an item."
)
INFERENCE_PADDING = Metric("inference.padding", Kind.HISTOGRAM, "1", "Share of the input's elements that was padding.")

INFERENCE_TIME_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""A call of a small model takes microseconds, a large one's training step minutes."""
BATCH_SIZE_BUCKETS = tuple(float(2**power) for power in range(15))
SHARE_BUCKETS = (0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 0.99)

# -- generation: gen_ai.* of the semantic conventions, in development there -----
# Names, units, buckets and attributes are theirs; nothing outside of this section spells them.

GEN_AI_OPERATION_NAME = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - a name
GEN_AI_REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_REQUEST_TEMPERATURE = "gen_ai.request.temperature"
GEN_AI_REQUEST_TOP_P = "gen_ai.request.top_p"
GEN_AI_REQUEST_TOP_K = "gen_ai.request.top_k"
GEN_AI_REQUEST_STREAM = "gen_ai.request.stream"
GEN_AI_USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"

GEN_AI_REQUEST_DURATION = Metric(
    "gen_ai.server.request.duration", Kind.HISTOGRAM, "s", "Time from start to end of a generation."
)
GEN_AI_TIME_TO_FIRST_TOKEN = Metric(
    "gen_ai.server.time_to_first_token", Kind.HISTOGRAM, "s", "Time to the first token of a generation."
)
GEN_AI_TIME_PER_OUTPUT_TOKEN = Metric(
    "gen_ai.server.time_per_output_token", Kind.HISTOGRAM, "s", "Time per output token after the first."
)
GEN_AI_TOKEN_USAGE = Metric(
    "gen_ai.client.token.usage", Kind.HISTOGRAM, "{token}", "Tokens of one generation, input and output."
)
GEN_AI_OPERATION_DURATION = Metric(
    "gen_ai.client.operation.duration", Kind.HISTOGRAM, "s", "Time from start to end of a generation, to its caller."
)

GEN_AI_DURATION_BUCKETS = tuple(0.01 * 2**power for power in range(14))
GEN_AI_TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
GEN_AI_FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
GEN_AI_OUTPUT_TOKEN_BUCKETS = (
    *(0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
)

# -- otelkit's own health -----------------------------------------------------

DROPPED = Metric("otelkit.dropped", Kind.COUNTER, "{item}", "Observations, spans or points that otelkit had to drop.")
OVERFLOWED = Metric(
    "otelkit.overflowed", Kind.COUNTER, "{item}", "Observations recorded to a metric's overflow series."
)
FAILURES = Metric("otelkit.failures", Kind.COUNTER, "{failure}", "Failures in otelkit, kept from the program.")
EXPORTS = Metric("otelkit.exports", Kind.COUNTER, "{export}", "Exports tried, by exporter and outcome.")
EXPORT_DURATION = Metric("otelkit.export.duration", Kind.HISTOGRAM, "s", "Time one export took, sending included.")
SCRAPE_DURATION = Metric("otelkit.scrape.duration", Kind.HISTOGRAM, "s", "Time it took to make one page.")
COLLECTION_DURATION = Metric("otelkit.collection.duration", Kind.HISTOGRAM, "s", "Time one collection of cells took.")
CPU_TIME = Metric(
    "otelkit.cpu.time", Kind.COUNTER, "s", "CPU seconds that otelkit's own threads spent collecting and exporting."
)
SERIES = Metric("otelkit.series", Kind.GAUGE, "{series}", "Label sets that otelkit keeps, over all declarations.")
SPAN_QUEUE_SIZE = Metric("otelkit.span_queue.size", Kind.GAUGE, "{span}", "Ended spans that wait for export.")
SPAN_QUEUE_LIMIT = Metric(
    "otelkit.span_queue.limit", Kind.GAUGE, "{span}", "Ended spans that may wait; further ones are dropped."
)
SPAN_BUFFER_SIZE = Metric(
    "otelkit.span_buffer.size", Kind.GAUGE, "By", "Encoded spans that wait for a receiver, in memory and on disk."
)
SAMPLER_PROBABILITY = Metric(
    "otelkit.sampler.probability", Kind.GAUGE, "1", "Probability with which the adaptive sampler keeps a trace now."
)

EXPORTER = "otelkit.exporter"
OUTCOME = "otelkit.outcome"
LABEL = "otelkit.label"
WHERE = "otelkit.where"
ACTIVITY = "otelkit.activity"
SIGNAL = "otelkit.signal"
STORAGE = "otelkit.storage"

SELF_ATTRIBUTES = {
    METRIC: "name of the metric it is about, or spans",
    REASON: "why, in words",
    LABEL: "the label with the most different values when the limit was reached",
    WHERE: "the part of otelkit, or the callback, that failed",
    ERROR_TYPE: "class of the exception",
    EXPORTER: "name in metrics_exporters or traces_exporters",
    OUTCOME: "success, failure, rejected or dropped",
    ACTIVITY: "collection, encoding, export or scrape",
    SIGNAL: "metrics or traces",
    STORAGE: "memory or disk",
}
"""Attributes of the self-metrics, and what they say."""

SELF_METRICS: tuple[tuple[Metric, tuple[str, ...]], ...] = (
    (DROPPED, (METRIC, REASON)),
    (OVERFLOWED, (METRIC, LABEL)),
    (FAILURES, (WHERE, ERROR_TYPE)),
    (EXPORTS, (EXPORTER, OUTCOME)),
    (EXPORT_DURATION, (EXPORTER, SIGNAL)),
    (SCRAPE_DURATION, (EXPORTER,)),
    (COLLECTION_DURATION, ()),
    (CPU_TIME, (ACTIVITY, EXPORTER)),
    (SERIES, ()),
    (SPAN_QUEUE_SIZE, (EXPORTER,)),
    (SPAN_QUEUE_LIMIT, (EXPORTER,)),
    (SPAN_BUFFER_SIZE, (EXPORTER, STORAGE)),
    (SAMPLER_PROBABILITY, ()),
)
"""Every metric about otelkit itself, with its attributes; docs/self-metrics.md is made from it."""

PROBE = "otelkit.probe"
"""What ``otelkit doctor --overhead`` measures with; never published."""

# -- the resource -------------------------------------------------------------

TELEMETRY_DISTRO_NAME = "telemetry.distro.name"
TELEMETRY_DISTRO_VERSION = "telemetry.distro.version"


def call_metrics(family: str) -> tuple[Metric, Metric, Metric, Metric]:
    """
    Return calls, active_calls, errors and duration for ``family``.

    ``function.calls`` and its like for a decorated function, ``<name>.calls``
    for one that was given a name.
    """
    return (
        Metric(f"{family}.calls", Kind.COUNTER, "{call}", "Calls started."),
        Metric(f"{family}.active_calls", Kind.UP_DOWN_COUNTER, "{call}", "Calls started and not yet ended."),
        Metric(f"{family}.errors", Kind.COUNTER, "{error}", "Calls that failed, per error type."),
        Metric(f"{family}.duration", Kind.HISTOGRAM, "s", "Time from start to end of a call."),
    )


def prefixed(prefix: str, name: str) -> str:
    """Put ``prefix`` in front of ``name``: its trailing ``_`` and ``.`` stripped, a dot between."""
    stem = prefix.rstrip("_.")
    return f"{stem}.{name}" if stem else name


# -- the machine: host --------------------------------------------------------
# system.*, process.*, cpython.* and hw.* are the semantic conventions' of
# schema 1.44.0, down to instrument and unit; "ours" marks the few that are not.

CPU_MODE = "cpu.mode"
CPU_LOGICAL_NUMBER = "cpu.logical_number"
SYSTEM_DEVICE = "system.device"
SYSTEM_MEMORY_STATE = "system.memory.state"
SYSTEM_PAGING_STATE = "system.paging.state"
SYSTEM_PAGING_FAULT_TYPE = "system.paging.fault.type"
SYSTEM_FILESYSTEM_STATE = "system.filesystem.state"
SYSTEM_FILESYSTEM_TYPE = "system.filesystem.type"
SYSTEM_FILESYSTEM_MODE = "system.filesystem.mode"
SYSTEM_FILESYSTEM_MOUNTPOINT = "system.filesystem.mountpoint"
DISK_IO_DIRECTION = "disk.io.direction"
NETWORK_IO_DIRECTION = "network.io.direction"
NETWORK_INTERFACE_NAME = "network.interface.name"

SYSTEM_CPU_TIME = Metric("system.cpu.time", Kind.COUNTER, "s", "Seconds each logical CPU spent on each mode.")
SYSTEM_CPU_UTILIZATION = Metric(
    "system.cpu.utilization", Kind.GAUGE, "1", "Share of the time since the last collection that a CPU spent on a mode."
)
SYSTEM_CPU_LOGICAL_COUNT = Metric(
    "system.cpu.logical.count", Kind.UP_DOWN_COUNTER, "{cpu}", "Logical CPUs that the operating system manages."
)
SYSTEM_CPU_PHYSICAL_COUNT = Metric(
    "system.cpu.physical.count", Kind.UP_DOWN_COUNTER, "{cpu}", "Physical processor cores of the hardware."
)
SYSTEM_CPU_FREQUENCY = Metric("system.cpu.frequency", Kind.GAUGE, "Hz", "Operating frequency of the logical CPU.")
SYSTEM_MEMORY_USAGE = Metric("system.memory.usage", Kind.UP_DOWN_COUNTER, "By", "Memory in use by state.")
SYSTEM_MEMORY_UTILIZATION = Metric("system.memory.utilization", Kind.GAUGE, "1", "Share of memory in use by state.")
SYSTEM_MEMORY_LIMIT = Metric("system.memory.limit", Kind.UP_DOWN_COUNTER, "By", "Memory available in the system.")
SYSTEM_MEMORY_LINUX_AVAILABLE = Metric(
    "system.memory.linux.available",
    Kind.UP_DOWN_COUNTER,
    "By",
    "Estimate of the memory available for starting new applications without swapping.",
)
SYSTEM_PAGING_USAGE = Metric("system.paging.usage", Kind.UP_DOWN_COUNTER, "By", "Swap or pagefile usage.")
SYSTEM_PAGING_UTILIZATION = Metric("system.paging.utilization", Kind.GAUGE, "1", "Swap or pagefile utilization.")
SYSTEM_DISK_IO = Metric("system.disk.io", Kind.COUNTER, "By", "Disk bytes transferred.")
SYSTEM_DISK_OPERATIONS = Metric("system.disk.operations", Kind.COUNTER, "{operation}", "Disk operations.")
SYSTEM_DISK_MERGED = Metric(
    "system.disk.merged",
    Kind.COUNTER,
    "{operation}",
    "Disk reads and writes merged into single physical disk operations.",
)
SYSTEM_DISK_IO_TIME = Metric("system.disk.io_time", Kind.COUNTER, "s", "Time the disk spent activated.")
SYSTEM_DISK_OPERATION_TIME = Metric(
    "system.disk.operation_time", Kind.COUNTER, "s", "Sum of the time each operation took to complete."
)
SYSTEM_FILESYSTEM_USAGE = Metric(
    "system.filesystem.usage", Kind.UP_DOWN_COUNTER, "By", "A filesystem's space by state."
)
SYSTEM_FILESYSTEM_UTILIZATION = Metric(
    "system.filesystem.utilization", Kind.GAUGE, "1", "Share of a filesystem's space by state."
)
SYSTEM_FILESYSTEM_LIMIT = Metric(
    "system.filesystem.limit", Kind.UP_DOWN_COUNTER, "By", "Total capacity of the filesystem."
)
SYSTEM_NETWORK_IO = Metric("system.network.io", Kind.COUNTER, "By", "Bytes transmitted and received.")
SYSTEM_NETWORK_PACKET_COUNT = Metric("system.network.packet.count", Kind.COUNTER, "{packet}", "Packets transferred.")
SYSTEM_NETWORK_PACKET_DROPPED = Metric(
    "system.network.packet.dropped", Kind.COUNTER, "{packet}", "Packets dropped although there was no error."
)
SYSTEM_NETWORK_ERRORS = Metric("system.network.errors", Kind.COUNTER, "{error}", "Network errors detected.")
SYSTEM_UPTIME = Metric("system.uptime", Kind.GAUGE, "s", "Time the system has been running.")

# -- the machine: this process ------------------------------------------------

PROCESS_CONTEXT_SWITCH_TYPE = "process.context_switch.type"
CPYTHON_GC_GENERATION = "cpython.gc.generation"

PROCESS_CPU_TIME = Metric("process.cpu.time", Kind.COUNTER, "s", "CPU seconds of the process by CPU mode.")
PROCESS_CPU_UTILIZATION = Metric(
    "process.cpu.utilization",
    Kind.GAUGE,
    "1",
    "CPU time since the last collection, divided by elapsed time and by the CPUs available to the process.",
)
PROCESS_MEMORY_USAGE = Metric("process.memory.usage", Kind.UP_DOWN_COUNTER, "By", "Physical memory in use.")
PROCESS_MEMORY_VIRTUAL = Metric("process.memory.virtual", Kind.UP_DOWN_COUNTER, "By", "Committed virtual memory.")
PROCESS_MEMORY_UTILIZATION = Metric(
    "process.memory.utilization", Kind.GAUGE, "1", "Share of the physical memory that the process uses."
)
PROCESS_DISK_IO = Metric("process.disk.io", Kind.COUNTER, "By", "Disk bytes transferred.")
PROCESS_THREAD_COUNT = Metric("process.thread.count", Kind.UP_DOWN_COUNTER, "{thread}", "Threads of the process.")
PROCESS_UNIX_FILE_DESCRIPTOR_COUNT = Metric(
    "process.unix.file_descriptor.count", Kind.UP_DOWN_COUNTER, "{file_descriptor}", "Unix file descriptors in use."
)
PROCESS_UPTIME = Metric("process.uptime", Kind.GAUGE, "s", "Time the process has been running.")
PROCESS_CONTEXT_SWITCHES = Metric(
    "process.context_switches", Kind.COUNTER, "{context_switch}", "Context switches of the process."
)
PROCESS_PAGING_FAULTS = Metric("process.paging.faults", Kind.COUNTER, "{fault}", "Page faults of the process.")

CPYTHON_GC_COLLECTIONS = Metric(
    "cpython.gc.collections",
    Kind.COUNTER,
    "{collection}",
    "Times a generation was collected since interpreter start.",
)
CPYTHON_GC_COLLECTED_OBJECTS = Metric(
    "cpython.gc.collected_objects",
    Kind.COUNTER,
    "{object}",
    "Objects collected inside a generation since interpreter start.",
)
CPYTHON_GC_UNCOLLECTABLE_OBJECTS = Metric(
    "cpython.gc.uncollectable_objects",
    Kind.COUNTER,
    "{object}",
    "Objects found to be uncollectable inside a generation since interpreter start.",
)

# -- the machine: GPUs --------------------------------------------------------

HW_ID = "hw.id"
HW_NAME = "hw.name"
HW_PARENT = "hw.parent"
HW_VENDOR = "hw.vendor"
HW_DRIVER_VERSION = "hw.driver_version"
HW_TYPE = "hw.type"
HW_STATE = "hw.state"
HW_SENSOR_LOCATION = "hw.sensor_location"
HW_GPU_TASK = "hw.gpu.task"
HW_GPU_CLOCK = "hw.gpu.clock"
"""Ours: graphics, sm, memory or video."""

HW_GPU_UTILIZATION = Metric("hw.gpu.utilization", Kind.GAUGE, "1", "Fraction of time spent in a specific task.")
HW_GPU_MEMORY_USAGE = Metric("hw.gpu.memory.usage", Kind.UP_DOWN_COUNTER, "By", "GPU memory used.")
HW_GPU_MEMORY_LIMIT = Metric("hw.gpu.memory.limit", Kind.UP_DOWN_COUNTER, "By", "Size of the GPU memory.")
HW_GPU_MEMORY_UTILIZATION = Metric("hw.gpu.memory.utilization", Kind.GAUGE, "1", "Fraction of GPU memory used.")
HW_GPU_IO = Metric("hw.gpu.io", Kind.COUNTER, "By", "Received and transmitted bytes by the GPU.")
HW_POWER = Metric("hw.power", Kind.GAUGE, "W", "Instantaneous power consumed by the component.")
HW_ENERGY = Metric("hw.energy", Kind.COUNTER, "J", "Energy consumed by the component.")
HW_TEMPERATURE = Metric("hw.temperature", Kind.GAUGE, "Cel", "Temperature in degrees Celsius.")
HW_ERRORS = Metric("hw.errors", Kind.COUNTER, "{error}", "Errors encountered by the component.")
HW_STATUS = Metric(
    "hw.status",
    Kind.UP_DOWN_COUNTER,
    "1",
    "Operational status: 1 (true) or 0 (false) for each of the possible states.",
)

# Ours, where no convention exists; none of these names is in schema 1.44.0.
HW_GPU_CLOCK_FREQUENCY = Metric("hw.gpu.clock.frequency", Kind.GAUGE, "Hz", "Frequency a clock of the GPU runs at.")
HW_GPU_PCIE_THROUGHPUT = Metric(
    "hw.gpu.pcie.throughput", Kind.GAUGE, "By/s", "Bytes a second over PCIe, received and transmitted by the GPU."
)
HW_GPU_PROCESS_MEMORY_USAGE = Metric(
    "hw.gpu.process.memory.usage", Kind.UP_DOWN_COUNTER, "By", "GPU memory that this process uses."
)
