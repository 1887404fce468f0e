# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Which processes are one server, asked of real ones."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from otelkit.exporters.workers.identity import ServerProcess, is_running, server_process


def test_a_program_is_a_server_of_its_own():
    """The shell, or the test runner, that starts a program is no part of it."""
    code = "import os; from otelkit.exporters.workers.identity import *; print(server_process().pid == os.getpid())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_belong_to_the_process_that_started_them(method):
    """However multiprocessing starts it, a child's server is its parent's."""
    # A function of the package's: in a spawned child, this file can be imported only where its folder happens to be.
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(server_process) == server_process()


def test_a_grandchild_by_fork():
    """A fork of a fork is of the same server."""
    ours, theirs = multiprocessing.Pipe()
    if (pid := os.fork()) == 0:
        if (inner := os.fork()) == 0:
            theirs.send(server_process())
            os._exit(0)
        os.waitpid(inner, 0)
        os._exit(0)
    assert ours.recv() == server_process()
    os.waitpid(pid, 0)


def test_is_running():
    """A process runs until it has ended; one of the same id that began at another time is another one."""
    assert is_running(server_process())
    assert not is_running(ServerProcess(os.getpid(), 1))
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert not is_running(ServerProcess(child.pid, 0))
