# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the Prometheus reader knows of workers: a port and a group, put together from settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from otelkit._core._guard import guard
from otelkit._core._snapshot import Metric
from otelkit.exceptions import ConfigurationError
from otelkit.exporters.workers import place
from otelkit.exporters.workers.changes import Changes
from otelkit.exporters.workers.folder import Folder
from otelkit.exporters.workers.group import Group, Scoped
from otelkit.exporters.workers.identity import server_process
from otelkit.exporters.workers.policy import Policy, default_policy
from otelkit.exporters.workers.port import Port
from otelkit.exporters.workers.wire import Snapshot

if TYPE_CHECKING:
    from otelkit.exporters._metrics_server import MetricsServer

__all__ = ("Workers", "WorkersSettings")

Collect = Callable[[], tuple[Scoped, dict[str, str]]]


class WorkersSettings(Protocol):
    """The settings that matter here; `otelkit.config.Settings` has them."""

    @property
    def service_name(self) -> str | None: ...
    @property
    def prometheus_host(self) -> str: ...
    @property
    def prometheus_port(self) -> int: ...
    @property
    def workers_folder(self) -> str | None: ...


class Workers:
    """
    One reader's port, and its place among the workers.

    Args:
        settings: Which service, address and folder.
        bind: Makes and starts the server.
        collect: Returns this process's metrics and target.
        declared: Policy by name of metric, as far as it was declared.

    Attributes:
        port: The port of the page, whoever has it.

    Raises:
        OSError: The port cannot be bound, by no worker of this server.
        ConfigurationError: ``workers_folder`` cannot be used.
    """

    def __init__(
        self,
        settings: WorkersSettings,
        bind: Callable[[], MetricsServer],
        collect: Collect,
        declared: Mapping[str, Policy],
    ) -> None:
        self._settings = settings
        self._collect = collect
        self._changes = Changes()
        self._trouble = ""
        self._policy_of = _policies(settings, declared)
        server = bind() if settings.prometheus_port == 0 else None
        self.port: int = server.port if server else settings.prometheus_port
        folder = self._find_folder()
        self._port = Port(folder, bind)
        self._group: Group | None = None
        if folder is None:
            self._port.server = server
            self._port.take()
            return
        try:
            if server:
                self._port.adopt(server, folder)
            else:
                self._port.take()
        except BaseException:
            if self._is_own():
                folder.discard()
            raise
        # Nobody can share a port that was not known before; children make themselves known.
        alone = self._is_own() and (server is not None or server_process().pid == os.getpid())
        self._group = Group(folder, self._snapshot, self._port.take, alone=alone)

    def _is_own(self) -> bool:
        return self._settings.workers_folder is None

    def _find_folder(self) -> Folder | None:
        settings = self._settings
        service, host, given = settings.service_name or "", settings.prometheus_host, settings.workers_folder
        try:
            if given is not None:
                return place.given_folder(Path(given), service, host, self.port)
            return place.own_folder(service, host, self.port)
        except OSError as error:
            if given is not None:
                source = getattr(settings, "source", None)
                raise ConfigurationError(
                    "a folder that can be written to",
                    f"{given!r} ({error.strerror})",
                    f"workers_folder ({source('workers_folder')})" if source else "workers_folder",
                    "Set it to a folder that every worker may write into, or leave it out.",
                ) from error
            self._trouble = str(error)
            if server_process().pid != os.getpid():
                self._warn()
            return None

    def _warn(self) -> None:
        """Say that workers do not share; a process that is alone has no need to know."""
        guard.warn(
            "workers folder",
            f"otelkit has no folder that workers could share ({self._trouble}): each answers for itself. "
            "Set workers_folder to one that this user may write into.",
        )

    def _snapshot(self) -> Snapshot:
        collected_ns = time.monotonic_ns()
        groups, target = self._collect()
        assert self._group is not None
        member = self._group.member
        return self._changes.date(
            Snapshot.of(member.pid, member.started_ns, collected_ns, target, groups, self._policy_of)
        )

    def start(self) -> None:
        """Begin to take part."""
        if self._group:
            self._group.start()

    def together(self) -> tuple[Scoped, dict[str, str]] | None:
        """Return metrics and target of all workers; None if this process is the only one."""
        return self._group.together() if self._group else None

    def write(self) -> None:
        """Leave what was recorded for the others."""
        if self._group:
            self._group.write()

    def close(self) -> None:
        """Free the port and leave what was recorded; again is harmless."""
        had_port = self._port.release()
        if self._group:
            self._group.close(wake_others=had_port)
            if self._is_own() and self._group.is_alone():
                with guard.shield("workers: end"):
                    self._group.folder.discard()

    def after_fork_in_child(self) -> None:
        """Let go of what is the parent's, and be a worker of its own."""
        self._port.after_fork_in_child()
        self._changes = Changes()
        if self._group:
            self._group.after_fork_in_child()
        elif self._trouble:
            self._warn()


def _policies(settings: Any, declared: Mapping[str, Policy]) -> Callable[[Metric], Policy]:
    rule = getattr(settings, "rule", None)

    def policy_of(metric: Metric) -> Policy:
        ruled: Policy | None = rule(metric.name).across_workers if rule else None
        return ruled or declared.get(metric.name) or default_policy(metric)

    return policy_of
