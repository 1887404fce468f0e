# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Who may look, and who may send.

| from | must show |
|---|---|
| the page's files | nothing: they are the same for everybody and hold no data |
| the API | the token of this start, as a bearer token or as the cookie that ``/?token=`` is exchanged for |
| ingest on the loopback | nothing, as everywhere in OpenTelemetry |
| ingest beyond it | the ingest key, which opens nothing else |

A page of somebody else's, open in the same browser, reaches none of it: names that are not ours are refused (DNS
rebinding), and so is any request that says that it comes from another origin.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ("Access", "Gate", "is_loopback")

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "frame-ancestors {frames}",
    )
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_NOTEBOOKS = "'self' http://localhost:* http://127.0.0.1:*"
"""Who may frame the pages: a notebook of this machine."""

_INGEST = "/v1/"
_API = "/api/"


def is_loopback(host: str) -> bool:
    """Tell whether what listens on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Access:
    """
    The secrets of one start, and the names that this viewer answers to.

    Args:
        host: What is listened on.
        hosts: Further names by which it is reached (a proxy's), lower case.
        token: For reading.
        ingest_key: For sending, or None where nothing is asked: on the loopback.
    """

    host: str
    hosts: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    ingest_key: str | None = field(default=None, repr=False)

    @classmethod
    def create(cls, host: str, hosts: Iterable[str] = (), token: str | None = None) -> Access:
        """Draw what is not given; an ingest key where strangers could reach the port."""
        key = None if is_loopback(host) else secrets.token_hex(24)
        names = tuple(name.lower() for name in hosts)
        return cls(host, names, token or secrets.token_hex(24), key)

    def knows(self, host_header: str) -> bool:
        """
        Tell whether a Host header may be ours.

        Addresses always may: rebinding needs a name that somebody else answers for.
        """
        try:
            name = (urlsplit(f"//{host_header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in ("localhost", self.host.lower(), socket.gethostname().lower(), *self.hosts):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def admits(self, shown: str) -> bool:
        """Tell whether ``shown`` is the token, in a time that does not depend on how wrong it is."""
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self.token.encode())

    def admits_ingest(self, shown: str) -> bool:
        """Tell whether ``shown`` is the ingest key, or none is needed."""
        if self.ingest_key is None:
            return True
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self.ingest_key.encode())


class Gate:
    """
    ASGI middleware in front of everything.

    Args:
        app: What is behind.
        access: Who may pass.
        port: The port listened on; names the cookie, because cookies do not tell ports apart.
    """

    def __init__(self, app: ASGIApp, access: Access, port: int) -> None:
        self._app = app
        self._access = access
        self._cookie = f"otelkit-{port}"
        self._policy = _POLICY.format(frames=_NOTEBOOKS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, exchange the token for a cookie, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope) or self._exchange(scope)
        await (answer or self._app)(scope, receive, self._harden(scope, send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if not self._access.knows(host):
            return PlainTextResponse(
                "This name is not one of this viewer's. If a proxy is in front, add it to dashboard_hosts.\n", 421
            )
        if _is_foreign(headers, host):
            return PlainTextResponse("Requests of other origins are refused.\n", 403)
        if path.startswith(_INGEST) and not self._access.admits_ingest(_bearer(headers)):
            return _unauthorized("Expected the ingest key: set the OTEL_EXPORTER_OTLP_HEADERS printed at the start.\n")
        if path.startswith(_API) and not self._may_read(headers):
            return _unauthorized("Expected the token: open the address with ?token= printed at the start.\n")
        return None

    def _may_read(self, headers: Headers) -> bool:
        if self._access.admits(_bearer(headers)):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and self._access.admits(cookie.value)

    def _exchange(self, scope: Scope) -> Response | None:
        """Answer ``/?token=...`` by a cookie and the address without the token; the browser keeps the fragment."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return None
        shown = QueryParams(scope["query_string"]).get("token")
        if shown is None:
            return None
        if not self._access.admits(shown):
            return PlainTextResponse(
                "This token is not that of this start. The viewer prints its address when it starts.\n", 403
            )
        response = RedirectResponse("./", 303, headers={"Cache-Control": "no-store"})
        response.set_cookie(self._cookie, self._access.token, httponly=True, samesite="strict", path="/")
        return response

    def _harden(self, scope: Scope, send: Send) -> Send:
        private = scope["path"].startswith((_API, _INGEST))

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["Content-Security-Policy"] = self._policy
                headers.setdefault("Cache-Control", "no-store" if private else "no-cache")
            await send(message)

        return hardened


def _bearer(headers: Headers) -> str:
    scheme, _, shown = headers.get("authorization", "").strip().partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _is_foreign(headers: Headers, host: str) -> bool:
    """Tell whether a browser says that another site's page made the request; other clients say nothing."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return True
    # Navigation (a link, a bookmark, a notebook's frame) is how the page itself is opened.
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "navigate")
    return mode != "navigate" and site not in ("same-origin", "none")


def _unauthorized(text: str) -> Response:
    return PlainTextResponse(text, 401, headers={"WWW-Authenticate": 'Bearer realm="otelkit"'})
