# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""pyright sees through the decorators."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_pyright_agrees_with_the_types_of_user_code(tmp_path: Path) -> None:
    """Right calls have the types that api.py asserts; each wrong call is an error where it says so."""
    user_code = tmp_path / "api.py"
    user_code.write_text((HERE / "api.py").read_text("utf-8"), "utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"include": ["api.py"]}', "utf-8")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110)
    report = json.loads(done.stdout)
    found = [f"{each['range']['start']['line'] + 1}: {each['message']}" for each in report["generalDiagnostics"]]
    assert report["summary"]["filesAnalyzed"] == 1
    assert found == []
