# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp."""

from __future__ import annotations

import gzip
import math
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from otelkit.pipeline.fresh import renew_session
from otelkit.pipeline.otlp.credentials import load_credentials
from otelkit.pipeline.otlp.reply import Reply, Signal

if TYPE_CHECKING:
    from otelkit.config import OtlpSettings

RETRYABLE = frozenset({429, 502, 503, 504})

# The specification wants answers limited to 4 MiB.
_LONGEST_ANSWER_BYTES = 4 << 20
_READ_BYTES = 1 << 16
_LONGEST_WAIT_S = 600.0
"""Of a Retry-After: a receiver that says "in a year" is not believed."""

_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "deflate": zlib.compress,
}


class HttpTransport:
    """
    Posts to one URL, over connections that are kept.

    It is requests that does it, for the sake of proxies and of OpenTelemetry's credential providers, whose product is
    a requests.Session. Redirections are not followed: the headers may be secret.
    """

    def __init__(self, otlp: OtlpSettings, signal: Signal, user_agent: str) -> None:
        self._url = otlp.endpoint
        self._compress = _COMPRESS[otlp.compression]
        self._headers = {"content-type": "application/x-protobuf", "user-agent": user_agent}
        if otlp.compression != "none":
            self._headers["content-encoding"] = otlp.compression
        self._headers |= {name.lower(): value for name, value in otlp.headers.items()}
        self._verify = otlp.certificate or True
        certificate, key = otlp.client_certificate, otlp.client_key
        self._certificate = (certificate, key) if certificate and key else certificate
        self._session = load_credentials("HTTP", signal, requests.Session) or requests.Session()
        if "authorization" in self._headers and self._session.auth is None:
            # Or else requests would put what ~/.netrc has for the host in its place.
            self._session.auth = _keep

    def send(self, body: bytes, timeout_s: float) -> Reply:
        end = time.monotonic() + timeout_s
        body = self._compress(body)
        try:
            try:
                return self._post(body, end)
            except requests.ConnectionError as error:
                # A kept connection that the receiver has closed meanwhile: the next one is fresh.
                if not _is_broken(error) or time.monotonic() >= end:
                    raise
                return self._post(body, end)
        except requests.Timeout:
            return Reply("retry", f"no answer within {timeout_s:.3g} s")
        except (requests.RequestException, OSError) as error:
            return Reply("retry", _cause(error))
        except Exception as error:
            # A proxy or header that cannot be, say: it is none the better for waiting, but nor is it for dropping.
            return Reply("retry", f"{type(error).__name__}: {error}")

    def _post(self, body: bytes, end: float) -> Reply:
        with self._session.post(
            self._url,
            data=body,
            headers=self._headers,
            timeout=max(0.001, end - time.monotonic()),
            verify=self._verify,
            cert=self._certificate,
            allow_redirects=False,
            stream=True,
        ) as response:
            return _reply(response, end)

    def reset(self) -> None:
        renew_session(self._session)

    def close(self) -> None:
        self._session.close()


def _keep(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reply(response: requests.Response, end: float) -> Reply:
    code = response.status_code
    answer = _read(response, end)
    if 200 <= code < 300:
        return Reply("delivered", body=answer)
    reason = f"HTTP {code} {response.reason or ''}".rstrip()
    if code == 413:
        return Reply("too_large", reason)
    if code in RETRYABLE:
        return Reply("retry", reason, retry_after_s=retry_after_s(response.headers.get("retry-after")))
    if 300 <= code < 400:
        return Reply("refused", f"{reason}: it redirects to {response.headers.get('location')!r}")
    return Reply("refused", reason)


def _read(response: requests.Response, end: float) -> bytes:
    """Return the body, as far as it is of sensible length and comes in time."""
    parts, size = [], 0
    # read1 returns what is there; iter_content would wait for a whole chunk, however slowly it comes.
    read = getattr(response.raw, "read1", response.raw.read)
    with suppress(requests.RequestException, HTTPError, OSError):  # the status has come, and it is what decides
        while (
            size < _LONGEST_ANSWER_BYTES and time.monotonic() < end and (part := read(_READ_BYTES, decode_content=True))
        ):
            parts.append(part)
            size += len(part)
    return b"".join(parts)


def retry_after_s(value: str | None) -> float | None:
    """Return what a Retry-After header says, seconds or a date, as seconds from now; None for nothing sensible."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()
    return min(max(0.0, seconds), _LONGEST_WAIT_S) if math.isfinite(seconds) else None


def _is_broken(error: requests.ConnectionError) -> bool:
    """Say whether there had been a connection."""
    return not isinstance(error, requests.exceptions.SSLError | requests.exceptions.ConnectTimeout) and isinstance(
        _innermost(error), ConnectionResetError | BrokenPipeError | ConnectionAbortedError
    )


def _innermost(error: BaseException) -> BaseException:
    """Return what began it: requests wraps urllib3's errors, which wrap the system's."""
    for inner in (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__):
        if isinstance(inner, BaseException) and inner is not error:
            return _innermost(inner)
    return error


def _cause(error: BaseException) -> str:
    inner = _innermost(error)
    return f"{type(inner).__name__}: {inner}"[:300]
