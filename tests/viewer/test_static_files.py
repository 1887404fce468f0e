# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the browser gets: its weight, its licences, and what must never be in it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import otelkit

STATIC = Path(otelkit.__file__).parent / "viewer" / "static"
OURS = [path for path in sorted(STATIC.rglob("*")) if path.is_file() and "vendor" not in path.parts]
SCRIPTS = [path for path in OURS if path.suffix == ".js"]


def test_single_files_are_within_their_budget() -> None:
    """Style, page, font and uPlot weigh what the budget allows."""
    limits = {"app.css": 24 << 10, "index.html": 4_000}
    limits |= {"vendor/inter-latin-variable.woff2": 49_000, "vendor/uPlot.esm.js": 146_000}
    assert [name for name, limit in limits.items() if (STATIC / name).stat().st_size > limit] == []


def test_everything_together_is_small() -> None:
    """All pages at once, compressed; one page loads a part of it, which the browser's tests measure."""
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg", ".woff2")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 190_000


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_never_make_markup_of_text(path: Path) -> None:
    """No way from a string to markup, script or inline style is used."""
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser"
    code = r"\beval\(|new Function|setAttribute\(.style"
    assert not re.search(f"{markup}|{code}", path.read_text())


def test_page_has_no_inline_script_or_style() -> None:
    """The policy would refuse them."""
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


def test_imports_exist_and_stay_here() -> None:
    """Every module that is imported is a file beside it: nothing is loaded from elsewhere."""
    for path in SCRIPTS:
        for name in re.findall(r"(?:\bfrom |\bimport\()\"([^\"]+)\"", path.read_text()):
            assert (path.parent / name).resolve().is_relative_to(STATIC.resolve())
            assert (path.parent / name).is_file(), (path.name, name)


def test_what_others_wrote_comes_with_its_licence() -> None:
    """uPlot (MIT) and Inter (OFL) bring their texts, and the versions are written down."""
    vendor = STATIC / "vendor"
    assert "MIT" in (vendor / "uPlot.LICENSE.txt").read_text()
    assert "SIL Open Font License" in (vendor / "inter.LICENSE.txt").read_text()
    assert "1.6.32" in (vendor / "README.md").read_text()


def test_own_files_say_whose_they_are() -> None:
    """Each source begins with the two lines of every source here."""
    for path in OURS:
        if path.suffix in (".js", ".css", ".html"):
            head = path.read_text()[:220]
            assert "Copyright The otelkit Authors" in head, path.name
            assert "SPDX-License-Identifier: Apache-2.0" in head, path.name
