# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs with several processes, scraped over real sockets."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from support import workers

PROGRAM = """
import multiprocessing, os, signal, sys, time, warnings
import otelkit

OPTIONS = dict(service_name="shop", metrics_exporters=("prometheus",), traces_exporters=("none",), machine=(),
               prometheus_port=int(os.environ["PORT"]))
hits = otelkit.counter("hits")
took = otelkit.histogram("took", unit="s")
level = otelkit.gauge("level")
each = otelkit.gauge("each", across_workers="each")
busy = otelkit.up_down_counter("busy")

def work(number):
    for _ in range(number):
        hits.increment()
        took.observe(0.01)
    level.set(number)
    each.set(number)
    busy.increment()

def configured_work(number):
    otelkit.configure(**OPTIONS)
    work(number)

def fork(number, end=None):
    pid = os.fork()
    if pid == 0:
        work(number)
        if end is None:
            signal.pause()
        if end == "normally":
            otelkit.shutdown()
        os._exit(0)
    return pid

def serve(pipe):
    if not os.fork():
        signal.alarm(30)
        for number in iter(pipe.recv, None):
            pipe.send(work(number))
        os._exit(0)

def main():
    # From 3.12 on Python says so of every fork of a program that has threads, as any exporter does.
    warnings.filterwarnings("ignore", ".* is multi-threaded, use of fork", DeprecationWarning)
    otelkit.configure(**OPTIONS, **eval(os.environ.get("MORE", "{}")))
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            result = eval(line)
        except SystemExit:
            raise
        except BaseException as error:
            result = error
        print(repr(result), flush=True)

if __name__ == "__main__":
    main()
"""


class Program:
    """A running `PROGRAM`; calling it evaluates an expression there."""

    def __init__(self, folder, port, **variables):
        self.process = workers.start(folder, PROGRAM, PORT=str(port), **variables)
        self.port = port
        self.greeting = self.process.stdout.readline()

    def __call__(self, expression):
        """Return what ``expression`` shows as."""
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        """Have it end normally; return its exit code and what it said on stderr."""
        self.process.stdin.close()
        code = self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that are left hold stderr open
        return code, self.process.stderr.read()

    def hits(self):
        """Return the total on its page."""
        return workers.value(self.port, "hits_total")


@pytest.fixture
def run(tmp_path):
    """Start programs; whatever is left of them ends with the test."""
    started = []

    def begin(port=None, **variables):
        started.append(Program(tmp_path, port or workers.free_port(), **variables))
        return started[-1]

    yield begin
    for program in started:
        workers.kill_all(program.process)


def left_in(folder):
    """Return the files of servers that lie in the temporary directory."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob("otelkit-*/*/*"))


def test_alone_it_leaves_nothing(run, tmp_path):
    """A program of one process writes no file, and its folder goes with it."""
    program = run()
    program("work(3)")
    assert program.hits() == 3
    assert [path.rpartition("/")[2] for path in left_in(tmp_path)] == ["lock", "port"]
    assert program.end() == (0, "")
    assert list(tmp_path.glob("otelkit-*/*")) == []


def test_forked_children_are_on_the_page(run):
    """What parent and children record is one total at once, and stays when a child is killed."""
    program = run()
    program("work(1)")
    pids = [int(program(f"fork({number})")) for number in (20, 300)]
    workers.eventually(lambda: program.hits() == 321)
    os.kill(pids[0], signal.SIGKILL)
    program(f"os.waitpid({pids[0]}, 0)")
    samples = workers.scrape(program.port)
    assert sum(sample.value for sample in samples["hits_total"]) == 321
    assert [sample.value for sample in samples["took_seconds_count"]] == [321]
    assert sorted(sample.value for sample in samples["each"]) == [1, 300]
    assert {sample.labels["process_pid"] for sample in samples["each"]} == {str(program.process.pid), str(pids[1])}
    assert [sample.value for sample in samples["busy"]] == [2]
    assert len(samples["hits_created"]) == 1
    os.kill(pids[1], signal.SIGKILL)
    program(f"os.waitpid({pids[1]}, 0)")
    assert program.hits() == 321
    assert program.end() == (0, "")


def test_a_page_sees_what_was_recorded_before_it(run):
    """A scrape shows each worker's values of its own moment, not those of the last regular writing."""
    program = run()
    program("work(1)")
    program("globals().update(pipes=[multiprocessing.Pipe() for _ in range(3)])")
    for index in range(3):
        program(f"serve(pipes[{index}][1])")
    expected = 1
    for round_number in range(1, 8):
        for index in range(3):
            program(f"pipes[{index}][0].send({round_number})")
            assert program(f"pipes[{index}][0].recv()") == "None"
            expected += round_number
        assert program.hits() == expected


def test_the_next_one_takes_the_port(run):
    """When the process that answers is killed, another one does, and says the same."""
    program = run()
    program("work(1)")
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 21)
    program.process.kill()
    program.process.wait()
    assert program.hits() == 21
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_deliver_at_their_end(run, method):
    """They skip atexit; what they recorded is there all the same, to the last one."""
    program = run()
    program("work(1)")
    program(f"multiprocessing.set_start_method({method!r})")
    for number in (20, 300):
        target = "work" if method == "fork" else "configured_work"
        program(f"globals().update(child=multiprocessing.Process(target={target}, args=({number},)))")
        assert program("child.start()") == "None"
        program("child.join()")
    assert program.hits() == 321
    assert program.end()[0] == 0


def test_a_pool_that_recycles_its_children(run):
    """One task a child: each total is there."""
    program = run()
    program("globals().update(pool=multiprocessing.get_context('fork').Pool(2, maxtasksperchild=1))")
    program("pool.map(work, [1] * 12, chunksize=1)")
    program("(pool.close(), pool.join())")
    assert program.hits() == 12
    assert program.end() == (0, "")


def test_two_programs_may_not_share_by_mistake(run, tmp_path):
    """Another program that is given the same port hears of it, even one of the same name and service."""
    first = run()
    second = workers.start(tmp_path, PROGRAM, PORT=str(first.port))
    _, stderr = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "Expected an address that is free to listen on" in stderr
    assert f"{first.port}" in stderr
    first("work(2)")
    assert first.hits() == 2


def test_programs_that_are_given_a_folder_share(run, tmp_path):
    """With one workers_folder, programs that nobody started together are one server, across restarts."""
    shared = str({"workers_folder": str(tmp_path / "shared")})
    first = run(MORE=shared)
    second = run(first.port, MORE=shared)
    first("work(1)")
    second("work(20)")
    assert first.hits() == 21
    assert first.end()[0] == 0
    assert second.hits() == 21
    assert second.end()[0] == 0
    third = run(first.port, MORE=shared)
    third("work(300)")
    assert third.hits() == 321


def test_two_services_in_one_folder_do_not_mix(run, tmp_path):
    """Each service has its own totals in the folder that both were given."""
    folder = str(tmp_path / "shared")
    first = run(MORE=str({"workers_folder": folder}))
    second = run(MORE=str({"workers_folder": folder}))
    first("work(1)")
    second("work(20)")
    assert (first.hits(), second.hits()) == (1, 20)
    assert len(list((tmp_path / "shared").iterdir())) == 2


def test_configuring_again_counts_nothing_twice(run):
    """The same process on the same port is one worker, before and after."""
    program = run()
    program("work(1)")
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 21)
    program("otelkit.configure(**OPTIONS)")
    program("work(300)")
    assert program.hits() == 321
    os.kill(pid, signal.SIGKILL)


def test_a_stopped_worker_holds_nobody_up(run):
    """A worker that does not answer is shown with the last values it wrote."""
    program = run()
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 20)
    os.kill(pid, signal.SIGSTOP)
    program("work(1)")
    began = time.monotonic()
    assert program.hits() == 21
    assert time.monotonic() - began < 3
    os.kill(pid, signal.SIGKILL)


def test_a_folder_that_vanishes_at_run_time(run, tmp_path):
    """Then each process answers for itself, and one line says so."""
    program = run()
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 20)
    program(f"__import__('shutil').rmtree({str(next(tmp_path.glob('otelkit-*')))!r})")
    program("work(1)")
    assert program.hits() == 1
    os.kill(pid, signal.SIGKILL)
    code, stderr = program.end()
    assert code == 0
    assert 1 <= stderr.count("otelkit failed in workers") <= 3


def test_a_folder_that_cannot_be_written(run, tmp_path):
    """At set-up it is an error that names the setting."""
    (tmp_path / "taken").write_text("")
    program = run(MORE=str({"workers_folder": str(tmp_path / "taken")}))
    assert program.greeting == ""
    stderr = program.process.communicate(timeout=20)[1]
    assert "Expected a folder that can be written to" in stderr
    assert "workers_folder (argument)" in stderr


def test_a_full_disk(run):
    """A process that can write no more still answers, and one line says that the others miss its values."""
    program = run()
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 20)
    program("__import__('resource').setrlimit(__import__('resource').RLIMIT_FSIZE, (8, 8))")
    program("work(1)")
    assert program.hits() == 21
    os.kill(pid, signal.SIGKILL)
    code, stderr = program.end()
    assert code == 0
    assert stderr.count("otelkit failed in workers: writing: OSError") == 1


def test_the_sdks_instruments_and_exemplars(run):
    """Instruments of OpenTelemetry's own API are added up as well; a child's exemplar is on the parent's page."""
    program = run(MORE="{}", OTEL_TRACES_EXPORTER="none")
    program("globals().update(metrics=__import__('opentelemetry.metrics').metrics)")
    program("globals().update(theirs=metrics.get_meter('lib').create_counter('theirs'))")
    program("theirs.add(1)")
    traced = (
        "(lambda span: (span.__enter__(), took.observe(0.5), theirs.add(20), span.__exit__(None, None, None)))"
        "(__import__('opentelemetry.trace').trace.get_tracer('x').start_as_current_span('s'))"
    )
    pid = int(program(f"os.fork() or ({traced}, signal.pause())"))
    workers.eventually(lambda: workers.value(program.port, "theirs_total") == 21)
    buckets = workers.scrape(program.port)["took_seconds_bucket"]
    assert [len(sample.exemplar.labels["trace_id"]) for sample in buckets if sample.exemplar] == [32]
    os.kill(pid, signal.SIGKILL)


def test_from_outside(run, tmp_path):
    """``otelkit metrics-server`` answers with the same page, of live and dead workers."""
    program = run(MORE=str({"workers_folder": str(tmp_path / "shared")}))
    program("work(1)")
    pid = int(program("fork(20)"))
    workers.eventually(lambda: program.hits() == 21)
    os.kill(pid, signal.SIGKILL)
    port = workers.free_port()
    command = [sys.executable, "-m", "otelkit", "metrics-server", "--folder", tmp_path / "shared", "--port", str(port)]
    server = subprocess.Popen(command, env=workers.environment(tmp_path), stderr=subprocess.PIPE, text=True)
    try:
        program("work(300)")
        workers.get(f"http://127.0.0.1:{port}/metrics", timeout_s=20)
        assert workers.value(port, "hits_total") == 321
        assert program.hits() == 321
        program.process.kill()
        program.process.wait()
        assert workers.value(port, "hits_total") == 321
    finally:
        server.terminate()
        stderr = server.communicate(timeout=10)[1]
    assert server.returncode == 0
    assert f"at http://127.0.0.1:{port}/metrics" in stderr


def test_from_outside_without_workers(tmp_path):
    """Without a server's folder the command says what is missing."""
    command = [sys.executable, "-m", "otelkit", "metrics-server", "--folder", tmp_path]
    done = subprocess.run(command, env=workers.environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Expected the folder of one server, got none in" in done.stderr


def test_what_an_ended_server_left_is_removed(run, tmp_path):
    """A new server clears folders whose processes are gone, and none that is used."""
    base = tmp_path / f"otelkit-{os.geteuid()}"
    base.mkdir(mode=0o700)
    for name in ("shop-9464-00000000-999999-1", f"shop-9464-00000000-{os.getpid()}-1", "someone-elses"):
        (base / name).mkdir()
        (base / name / "lock").touch()
        os.utime(base / name, (0, 0))
    program = run()
    program("work(1)")
    assert program.hits() == 1
    left = {path.name for path in base.iterdir() if not path.name.startswith(f"shop-{program.port}")}
    assert left == {"someone-elses"}
    program.end()


def test_a_directory_of_somebody_else_is_not_used(run, tmp_path):
    """In a directory that others may write into, somebody may have put files of theirs: workers then do not share."""
    base = tmp_path / f"otelkit-{os.geteuid()}"
    base.mkdir(mode=0o777)
    base.chmod(0o777)
    program = run()
    program("work(1)")
    assert program.hits() == 1
    program("fork(20, 'normally')")
    assert program.hits() == 1
    code, stderr = program.end()
    assert code == 0
    assert stderr.count("no folder that workers could share") == 1
    assert list(base.iterdir()) == []


def test_alone_it_needs_no_folder(run, tmp_path):
    """A program of one process says nothing of a folder that it could not make."""
    (tmp_path / f"otelkit-{os.geteuid()}").write_text("")
    program = run()
    program("work(1)")
    assert program.hits() == 1
    assert program.end() == (0, "")
