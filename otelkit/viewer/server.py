# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer as a whole: store, ingest and web server, in threads of their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import uvicorn

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.api import About, Api
from otelkit.viewer.application import create_application
from otelkit.viewer.ingest.inlet import Inlet
from otelkit.viewer.security import Access, is_loopback
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.store import Store

__all__ = ("Dashboard", "Options")

_BACKLOG = 128
_GRACE_S = 1
_MAX_CONNECTIONS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How a dashboard is run.

    Attributes:
        folder: Where its data is.
        port: Of the pages, the API and OTLP over HTTP; 0 for a free one.
        grpc_port: Of OTLP over gRPC; 0 for a free one, None for none.
        hosts: Further names by which it is reached.
        token: Drawn anew where none is given.
        embedded: Whether it runs inside a program.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 4_318
    grpc_port: int | None = 4_317
    hosts: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    embedded: bool = False
    limits: Limits = field(default_factory=Limits)


class Dashboard:
    """
    One viewer, from `start` to `close`.

    Attributes:
        replayed: Name of the recording that is shown, or None.

    Errors: ConfigurationError where the folder is held by another one, or a port is taken; nothing is left running.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.access = Access.create(options.host, options.hosts, options.token)
        with contextlib.ExitStack() as undo:
            self.store = Store(options.folder, options.limits)
            undo.callback(self.store.close)
            self.inlet = Inlet(self.store)
            self._socket = _listen(options.host, options.port)
            undo.callback(self._socket.close)
            self.port: int = self._socket.getsockname()[1]
            self._grpc = None
            if options.grpc_port is not None:
                from otelkit.viewer.ingest.grpc import GrpcServer

                self._grpc = GrpcServer(self.inlet, options.host, options.grpc_port, self.access.ingest_key)
            undo.pop_all()
        self.replayed: str | None = None
        self._api = Api(self.store, self._about())
        self._server = uvicorn.Server(self._configuration())
        self._thread = threading.Thread(target=self._serve, name="otelkit-viewer-web", daemon=True)
        self.store.holding.tell(self.base_url)

    @property
    def base_url(self) -> str:
        """Address of the pages, without the token; also OTLP's endpoint over HTTP."""
        host = self.options.host
        if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
            host = socket.gethostname()
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def url(self) -> str:
        """Address to open, with the token."""
        return f"{self.base_url}/?token={self.access.token}"

    @property
    def grpc_port(self) -> int | None:
        """Port of OTLP over gRPC, or None."""
        return self._grpc.port if self._grpc else None

    def start(self) -> None:
        """Begin to listen; returns when it does."""
        self.inlet.start()
        if self._grpc:
            self._grpc.start()
        self._thread.start()

    def close(self) -> None:
        """Stop listening, write what has arrived, close the files."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        if self._grpc:
            self._grpc.close()
        self._api.close()
        self.inlet.close()
        self._socket.close()
        self.store.close()

    def abandon(self) -> None:
        """Let go of what a forked child got of its parent's; the child must not serve, and must not close files."""
        with contextlib.suppress(OSError):
            self._socket.close()
        self.store.holding.release()

    @property
    def ingest_headers(self) -> str:
        """What senders must set OTEL_EXPORTER_OTLP_HEADERS to; empty where nothing is asked."""
        key = self.access.ingest_key
        return "" if key is None else f"authorization={quote(f'Bearer {key}')}"

    def _about(self) -> About:
        listening = [("OTLP/HTTP", self.base_url, "")]
        if self._grpc:
            host = urlsplit(self.base_url).hostname
            listening.append(("OTLP/gRPC", f"{f'[{host}]' if ':' in str(host) else host}:{self.grpc_port}", ""))
        place = "loopback" if is_loopback(self.options.host) else f"{self.options.host}, beyond this machine"
        return About(
            listening=tuple(listening),
            access=f"{place}, with token",
            endpoint=self.base_url,
            headers=self.ingest_headers,
            replayed=lambda: self.replayed,
            folder=str(self.options.folder),
            embedded=self.options.embedded,
        )

    def _configuration(self) -> uvicorn.Config:
        application = create_application(self._api.routes(), self.inlet, self.access, self.port)
        return uvicorn.Config(
            application,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_S,
        )

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by its connections. asyncio does it only where a socket names its protocol, and a body waited 40 ms
        # for the acknowledgement of its headers.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        # Connections are accepted into the backlog from here on: whoever is told the address may use it at once.
        listening.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigurationError(
            "an address that is free to listen on", f"{host}:{port} ({error})", "--host, --port, dashboard_port",
            "Something else has it, perhaps a Collector: choose another one, or 0 for any.",
        ) from error  # fmt: skip
    return listening
