# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit run`` with real programs that have never heard of otelkit."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

OTELKIT = [sys.executable, "-m", "otelkit"]
SILENT = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


def run(*words, options=(), data=None, **variables):
    """Run ``otelkit run [options] -- words`` and return what became of it."""
    command = [*OTELKIT, "run", *options, "--", *map(str, words)]
    return subprocess.run(command, input=data, capture_output=True, env={**os.environ, **SILENT, **variables})


def python(program, **keywords):
    """Run a few lines of Python under ``otelkit run``."""
    return run(sys.executable, "-c", program, **keywords)


@pytest.fixture
def program(tmp_path):
    """Write a program that uses OpenTelemetry's API only, and return its path."""
    path = tmp_path / "shop.py"
    path.write_text(
        """
import sys
from opentelemetry import metrics, trace
with trace.get_tracer("shop").start_as_current_span("order"):
    metrics.get_meter("shop").create_counter("shop.orders").add(3)
print(" ".join(sys.argv[1:]))
"""
    )
    return path


# -- the program is left alone ----------------------------------------------------------------------------------------


def test_exit_code_stdin_stdout_and_stderr():
    """What goes in and out, and the exit code, are the program's own to the byte."""
    data = bytes(range(256)) * 4_000
    done = python("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.exit(7)", data=data)
    assert done.returncode == 7
    assert done.stdout == data
    assert done.stderr == b""


def test_killed_by_a_signal():
    """A program that SIGTERM ends has ended by SIGTERM, and the process is the one that was started."""
    wait = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    command = [*OTELKIT, "run", "--", sys.executable, "-c", wait]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **SILENT}) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM


def test_the_program_s_own_handlers():
    """Signals have the interpreter's handlers, SIGTERM on request; an interrupt is a KeyboardInterrupt."""
    show = "import signal; print([signal.getsignal(s) for s in range(1, 32) if s not in (9, 15, 19)])"
    bare = subprocess.run([sys.executable, "-c", show], capture_output=True)
    assert python(show).stdout == bare.stdout
    show = "import signal; print(signal.getsignal(15))"
    bare = subprocess.run([sys.executable, "-c", show], capture_output=True)
    assert python(show, OTELKIT_HANDLE_SIGTERM="false").stdout == bare.stdout
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGINT)").returncode == -signal.SIGINT


def test_the_program_s_surroundings(tmp_path):
    """Arguments, module path, working folder and flags are those of a bare start; one folder is on PYTHONPATH more."""
    show = tmp_path / "show.py"
    show.write_text(
        "import json, os, sys\n"
        "print(json.dumps([sys.argv, sys.path, os.getcwd(), sys.flags, sys.orig_argv]))\n"
        "print(os.environ['PYTHONPATH'])\n"
    )
    words = [sys.executable, "-u", str(show), "--", "-m", "x"]
    bare = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "/one:/two"})
    done = run(*words, PYTHONPATH="/one:/two")
    surroundings, python_path = done.stdout.decode().splitlines()
    assert surroundings == bare.stdout.splitlines()[0]
    ours, *others = python_path.split(os.pathsep)
    assert others == ["/one", "/two"]
    assert [path.name for path in Path(ours).glob("*.py")] == ["sitecustomize.py"]


def test_working_folder_does_not_get_on_the_path():
    """An empty PYTHONPATH does not turn into the working folder."""
    assert python("import os; print(os.environ['PYTHONPATH'].count(os.pathsep))", PYTHONPATH="").stdout == b"0\n"


def test_warnings_as_errors_concern_the_program_only():
    """Under -W error the set-up goes through, and the program's filters are untouched."""
    done = run(
        sys.executable,
        "-Werror",
        "-c",
        "import otelkit.pipeline, warnings; assert otelkit.pipeline.current(); warnings.warn('mine')",
    )
    assert done.returncode == 1
    assert b"UserWarning: mine" in done.stderr
    assert b"otelkit:" not in done.stderr


# -- what may be run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["run", "-m", "shop", "a", "--b"], ["run", "--", "-m", "shop", "a", "--b"]])
def test_module(program, words):
    """``-m module`` runs the module with this Python, before and after the dashes."""
    done = subprocess.run([*OTELKIT, *words], capture_output=True, text=True, env={**os.environ, **SILENT})
    assert (done.stdout, done.returncode) == ("a --b\n", 0)


@pytest.mark.parametrize("words", [("-m", "http.server"), ("-Wdefault", "-um", "http.server"), ("-mhttp.server",)])
def test_a_module_that_setting_up_needs_too(words):
    """http.server, which serves /metrics, runs by -m as if nobody had loaded it before."""
    options = ["--metrics-exporters", "prometheus", "--prometheus-port", "0"]
    done = run(sys.executable, "-Werror", *words, "--help", options=options, OTEL_METRICS_EXPORTER="")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: server.py")


def test_arguments_that_look_like_ours(program):
    """Whatever follows the program belongs to it."""
    words = ["run", "--service-name", "shop", str(program), "--service-name", "theirs", "--", "-m", "--help"]
    done = subprocess.run([*OTELKIT, *words], capture_output=True, text=True, env={**os.environ, **SILENT})
    assert done.stdout == "--service-name theirs -- -m --help\n"


def test_console_script_and_shell(tmp_path):
    """A console script is a program like any other, and a shell's Python children are instrumented."""
    script = tmp_path / "serve"
    script.write_text(f"#!{sys.executable}\nfrom otelkit.pipeline import current\nprint(current() is not None)\n")
    script.chmod(0o755)
    assert run(script).stdout == b"True\n"
    assert run("sh", "-c", f"{script}; exit 3").stdout == b"True\n"
    assert run("sh", "-c", "exit 3").returncode == 3


def test_no_such_program(tmp_path):
    """Exit codes are a shell's: 127 not found, 126 not executable, 2 for no program at all."""
    (tmp_path / "data").write_text("")
    assert run("no-such-program").returncode == 127
    assert b"'no-such-program'" in run("no-such-program").stderr
    assert run(tmp_path / "data").returncode == 126
    assert run().returncode == 2


def test_unknown_option():
    """A misspelt option of ours is not taken for the program."""
    done = run("true", options=["--servic-name", "x"])
    assert done.returncode == 2
    assert b"--servic-name" in done.stderr


# -- set-up -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_telemetry_arrives(program, receive, protocol):
    """What a program records by OpenTelemetry's API arrives, with the machine's metrics, by the time it has ended."""
    receiver = receive(protocol)
    options = ["--service-name", "shop", "--otlp-endpoint", receiver.endpoint]
    options += ["--otlp-protocol", "grpc" if protocol == "grpc" else "http/protobuf"]
    options += ["--traces-exporters", "otlp", "--metrics-exporters=otlp"]
    overridden = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/overridden"}
    done = run(program, "done", options=options, **overridden)
    assert (done.stdout, done.stderr, done.returncode) == (b"done\n", b"", 0)
    assert receiver.total("shop.orders") == 3
    assert [span.name for span in receiver.spans()] == ["order"]
    assert receiver.series("shop.orders")[0].resource["service.name"] == "shop"
    assert "process.cpu.time" in receiver.metric_names()


def test_options_become_settings():
    """Options override variables, and keep the unit they are named for."""
    show = (
        "from otelkit.pipeline import current; s = current().settings; "
        "print(s.export_interval_s, s.service_name, s.machine, s.resource_attributes)"
    )
    done = python(
        show,
        options=[
            "--export-interval-s",
            "2.5",
            "--service-name=mine",
            "--machine",
            "none",
            "--resource-attributes",
            "b=2",
        ],
        OTEL_METRIC_EXPORT_INTERVAL="9000",
        OTEL_SERVICE_NAME="theirs",
        OTEL_RESOURCE_ATTRIBUTES="a=1,b=1",
    )
    assert done.stdout == b"2.5 mine () {'a': '1', 'b': '2'}\n"


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        (["--prometheus-port", "many"], {}, "OTEL_EXPORTER_PROMETHEUS_PORT"),
        ([], {"OTELKIT_SERVICE_NAM": "x"}, "Did you mean 'OTELKIT_SERVICE_NAME'?"),
        (["--config-file", "/nowhere/otelkit.toml"], {}, "/nowhere/otelkit.toml"),
        (["--prometheus-host", "192.0.2.1", "--metrics-exporters", "prometheus"], {}, "192.0.2.1"),
    ],
)
def test_a_broken_configuration_is_one_line(options, variables, said):
    """The program runs whatever is wrong with the configuration, and one line says what is."""
    done = python("print('ran')", options=options, **variables)
    assert (done.stdout, done.returncode) == (b"ran\n", 0)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("otelkit: not set up, the program runs without it. Expected ")
    assert said in line


def test_an_interpreter_without_otelkit(tmp_path):
    """A Python in which otelkit is not installed runs the program, and one line says how to install it."""
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    bare = tmp_path / "bare" / "bin" / "python"
    done = run(bare, "-c", "print('ran')")
    assert (done.stdout, done.returncode) == (b"ran\n", 0)
    (line,) = done.stderr.decode().splitlines()
    assert f"{bare} -m pip install otelkit" in line


def test_an_interpreter_that_ignores_the_environment():
    """With -I nothing can be set up, and that is said instead of kept."""
    done = run(sys.executable, "-I", "-c", "print('ran')")
    assert (done.stdout, done.returncode) == (b"ran\n", 0)
    (line,) = done.stderr.decode().splitlines()
    assert "with -E, -I or -S" in line
    assert run(sys.executable, "-Wignore::ImportWarning", "-c", "").stderr == b""


# -- another sitecustomize --------------------------------------------------------------------------------------------


def test_another_sitecustomize_still_runs(tmp_path):
    """The sitecustomize that Python would have found is loaded under its name; ours hides nothing."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.theirs = __file__\n")
    show = (
        "import sys, sitecustomize as s, otelkit.pipeline as p; print(sys.theirs, s.__file__, p.current() is not None)"
    )
    done = python(show, PYTHONPATH=str(tmp_path))
    theirs = tmp_path / "sitecustomize.py"
    assert done.stdout.decode() == f"{theirs} {theirs} True\n"


def test_another_sitecustomize_that_fails(tmp_path):
    """Its error is Python's to report, as without otelkit, and otelkit is set up all the same."""
    (tmp_path / "sitecustomize.py").write_text("raise LookupError('theirs')\n")
    show = "import otelkit.pipeline as p; print(bool(p.current()))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    bare = subprocess.run([sys.executable, "-c", ""], capture_output=True, env=environment)
    done = python(show, PYTHONPATH=str(tmp_path))
    assert done.stdout == b"True\n"
    # Once for the launcher, which is a Python too.
    assert done.stderr == 2 * bare.stderr
    assert b"LookupError: theirs" in done.stderr


# -- instrumentors ----------------------------------------------------------------------------------------------------


@pytest.fixture
def instrumentors(install, tmp_path):
    """Install an instrumentor that works and one that fails, and return the variables that make them seen."""
    (tmp_path / "site" / "theirs.py").write_text(
        """
class Fine:
    def instrument(self, **kwargs): print("instrumented")

class Failing:
    def instrument(self, **kwargs): raise LookupError("its own mistake")

class Stray:
    def __new__(cls): raise LookupError("the wrong distro")
"""
    )
    install(
        "theirs",
        "1.0",
        "[opentelemetry_instrumentor]\na_failing = theirs:Failing\nb_fine = theirs:Fine\n"
        "[opentelemetry_distro]\na_stray = theirs:Stray\n[opentelemetry_configurator]\na_stray = theirs:Stray\n",
    )
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_instrumentors_are_loaded(instrumentors):
    """Every installed instrumentor is activated; one that fails costs a line; another distro does not interfere."""
    done = python("print('ran')", **instrumentors)
    assert done.stdout == b"instrumented\nran\n"
    (line,) = done.stderr.decode().splitlines()
    assert line == "otelkit: instrumentor a_failing left out. LookupError: its own mistake"


@pytest.mark.parametrize("disabled", ["a_failing, b_fine", "*"])
def test_instrumentors_may_be_disabled(instrumentors, disabled):
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS is honoured."""
    done = python("print('ran')", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled, **instrumentors)
    assert (done.stdout, done.stderr) == (b"ran\n", b"")


def test_processes_started_while_setting_up(instrumentors, tmp_path):
    """What an instrumentor starts is bare: otherwise each would start the next, without end."""
    show = "import otelkit.pipeline as p; print(p.current() is not None)"
    with (tmp_path / "site" / "theirs.py").open("a") as file:
        file.write(
            f"""
class Fine:
    def instrument(self, **kwargs):
        import subprocess, sys
        subprocess.run([sys.executable, "-c", {show!r}])
"""
        )
    done = python(show, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="a_failing", **instrumentors)
    assert done.stdout == b"False\nTrue\n"


@pytest.mark.parametrize(
    ("variable", "complaints"), [({"OTELKIT_STATSD_PORT": "x"}, 1), ({"OTEL_SDK_DISABLED": "true"}, 0)]
)
def test_no_instrumentors_without_set_up(instrumentors, variable, complaints):
    """Where the set-up failed or is not wanted, nothing is patched."""
    done = python("print('ran')", **variable, **instrumentors)
    assert done.stdout == b"ran\n"
    assert len(done.stderr.splitlines()) == complaints


# -- children ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def parent(tmp_path):
    """A program that starts another Python, which says whether otelkit is set up and what is on PYTHONPATH."""
    (tmp_path / "child.py").write_text(
        "import os, otelkit.pipeline as p; print(p.current() is not None, os.environ.get('PYTHONPATH'))"
    )
    path = tmp_path / "parent.py"
    path.write_text("import subprocess, sys; subprocess.run([sys.executable, 'child.py'], check=True)")
    return path


def test_children_are_instrumented_too(parent):
    """Python processes that the program starts set otelkit up as it did."""
    assert run(parent).stdout.startswith(b"True ")


def test_children_may_be_left_alone(parent):
    """With --no-children they are bare, and PYTHONPATH is as it was before."""
    assert run(parent, options=["--no-children"]).stdout == b"False None\n"


def test_a_child_leaves_the_scrape_port_to_its_parent(parent):
    """The port of /metrics is the first process's; its children send their other telemetry and do not complain."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = run(parent, options=["--metrics-exporters", "prometheus", "--prometheus-port", str(port)])
    assert done.stdout.startswith(b"True ")
    assert done.stderr == b""


def test_workers_are_instrumented_but_not_what_keeps_count_of_them(tmp_path):
    """A spawned worker of multiprocessing is set up like the program; the resource tracker runs no code of theirs."""
    path = tmp_path / "pool.py"
    path.write_text(
        """
import multiprocessing
if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    worker = multiprocessing.Process(target=print, args=("worked",))
    worker.start()
    worker.join()
"""
    )
    done = run(path, OTELKIT_STATSD_PORT="no number, so that each process that sets itself up complains")
    assert done.stdout == b"worked\n"
    assert len(done.stderr.splitlines()) == 2


def test_telemetry_of_children_arrives(receive, tmp_path):
    """Both a program's telemetry and its child's arrive, as different service instances."""
    receiver = receive("http")
    count = "from opentelemetry import metrics; metrics.get_meter('m').create_counter('shop.orders').add(1)"
    done = python(
        f"import subprocess, sys; {count}; subprocess.run([sys.executable, '-c', {count!r}], check=True)",
        options=["--otlp-endpoint", receiver.endpoint, "--metrics-exporters", "otlp"],
    )
    assert (done.stderr, done.returncode) == (b"", 0)
    series = receiver.series("shop.orders")
    assert receiver.total("shop.orders") == 2
    assert len({each.resource["service.instance.id"] for each in series}) == 2


def test_a_run_inside_a_run():
    """However often it is wrapped, a program is set up once."""
    show = (
        "import os, otelkit.pipeline as p; print(p.current() is not None, os.environ['PYTHONPATH'].count('_startup'))"
    )
    done = run(*OTELKIT, "run", "--", sys.executable, "-c", show)
    assert (done.stdout, done.stderr, done.returncode) == (b"True 1\n", b"", 0)
