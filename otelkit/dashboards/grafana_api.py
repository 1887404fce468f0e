# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Grafana's HTTP API, as much of it as putting dashboards there needs.

Source: Grafana's documentation, "Dashboard HTTP API" and "Folder HTTP API". Not thread-safe.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from otelkit.exceptions import ConfigurationError

__all__ = ("Grafana",)

_TIMEOUT_S = 30.0
_REMEDIES = {
    401: "Give a service account's token: --token, or GRAFANA_TOKEN.",
    403: "Give the token's service account the role Editor, or a role that may write dashboards and folders.",
    404: "Give the address at which Grafana's start page is shown, path included.",
    412: "Import with --overwrite.",
}


class Grafana:
    """
    One Grafana.

    Args:
        url: Base URL, path included where Grafana is served below one.
        token: Of a service account; without one, Grafana must allow anonymous editors.

    Errors: ConfigurationError if ``url`` is none; each call if Grafana cannot be reached or refuses.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("a URL with http:// or https:// and a host", url, "--url", "http://localhost:3000")
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._opener = urllib.request.build_opener(_NoRedirects)

    def has_dashboard(self, uid: str) -> bool:
        """Tell whether there is a dashboard of that uid."""
        return self._call("GET", f"/api/dashboards/uid/{quote(uid, safe='')}", may_be_missing=True) is not None

    def folder(self, title: str) -> str | None:
        """Return the uid of the folder of that title, at the top level; None if there is none."""
        folders = self._call("GET", "/api/folders?limit=1000")
        return next((each["uid"] for each in folders if each["title"] == title), None)

    def create_folder(self, title: str) -> str:
        """Create a folder and return its uid."""
        return str(self._call("POST", "/api/folders", {"title": title})["uid"])

    def put_dashboard(self, dashboard: Mapping[str, Any], folder: str, *, overwrite: bool) -> str:
        """
        Create or replace a dashboard.

        Args:
            dashboard: Its JSON, with a uid and without an id.
            folder: Uid of the folder it comes into.
            overwrite: Whether one of the same uid is replaced, whoever changed it last.

        Returns:
            The URL of its page.
        """
        body = {"dashboard": {**dashboard, "id": None}, "folderUid": folder, "overwrite": overwrite}
        answer = self._call("POST", "/api/dashboards/db", body) or {}
        path = str(answer.get("url", f"/d/{dashboard['uid']}"))
        # Grafana's path has the sub-path that it is served below.
        base = urlsplit(self.url)
        return f"{base.scheme}://{base.netloc}{path}"

    def _call(self, method: str, path: str, body: object = None, *, may_be_missing: bool = False) -> Any:
        url = self.url + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers, method=method)  # noqa: S310 - http or https, see above
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return _read(answer.read(), url)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            # Grafana says 404 in JSON; a proxy, or another program, in its own words.
            if error.code == 404 and may_be_missing and _message(text):
                return None
            _refused(method, url, error, text)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            remedy = "Start Grafana, or give its address with --url; its certificate must be known to this machine."
            raise ConfigurationError("an answer from Grafana", f"{reason}", f"{method} {url}", remedy) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow nobody: the token would go along, and a POST would become a GET."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


def _read(text: bytes, url: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        got = f"{text[:60]!r}"
        raise ConfigurationError("JSON from Grafana's API", got, url, "Is this Grafana? See --url.") from None


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _refused(method: str, url: str, error: urllib.error.HTTPError, text: str) -> NoReturn:
    at = f"{method} {url}"
    if target := error.headers.get("Location"):
        remedy = "Give the address that it leads to with --url."
        raise ConfigurationError("Grafana itself", f"a redirection to {target}", at, remedy) from None
    said = _message(text) or text.strip()[:200] or error.reason
    remedy = _REMEDIES.get(error.code, "Grafana's log says more.")
    raise ConfigurationError("200 from Grafana", f"{error.code}: {said}", at, remedy) from None
