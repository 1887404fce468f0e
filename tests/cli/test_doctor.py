# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the doctor says about configuration and installation, and how it prints it."""

import io
import json
import subprocess
import sys

from otelkit.cli import main
from otelkit.cli._findings import Finding, Status, worst
from otelkit.cli._parallel import run_all
from otelkit.cli._report import write_text

# -- configuration ----------------------------------------------------------------------------------------------------


def test_broken_file(doctor, tmp_path):
    """A file that is not TOML is broken; the rest is still checked."""
    (tmp_path / "otelkit.toml").write_text("service_name = \n")
    diagnosis = doctor()
    assert diagnosis.code == 1
    assert diagnosis.of("configuration")["status"] == "broken"
    assert "otelkit.toml" in diagnosis.of("configuration")["message"]
    assert "versions" in diagnosis.checks()
    assert diagnosis.report["settings"] == []


def test_wrong_setting(doctor):
    """A wrong value is told with what was expected, what came and where from, and the remedy apart."""
    finding = doctor(OTELKIT_PROMETHEUS_PROT="1").of("configuration")
    assert finding["status"] == "broken"
    assert "OTELKIT_PROMETHEUS_PROT" in finding["message"]
    assert "OTELKIT_PROMETHEUS_PORT" in finding["fix"]


def test_every_setting_with_its_source(doctor, tmp_path):
    """Each setting is listed with its value and where that came from."""
    (tmp_path / "otelkit.toml").write_text("prometheus_port = 9999\n[metrics.'shop.*']\nbuckets = [1, 2]\n")
    settings = {row["name"]: row for row in doctor(OTELKIT_STATSD_PORT="81").report["settings"]}
    assert settings["prometheus_port"]["value"] == 9999
    assert settings["prometheus_port"]["source"] == "otelkit.toml: prometheus_port"
    assert settings["metrics"]["value"] == {"shop.*": {"buckets": [1, 2]}}
    assert settings["statsd_port"]["source"] == "OTELKIT_STATSD_PORT"
    assert settings["service_name"]["source"] == "OTEL_SERVICE_NAME"
    assert settings["cardinality_limit"]["source"] == "default"


def test_secrets_are_masked(doctor):
    """No secret is printed, wherever it was set."""
    diagnosis = doctor(
        OTELKIT_PROMETHEUS_BEARER_TOKEN="t0ken",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=h3ader",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="api-key=tr4ces",
        OTEL_RESOURCE_ATTRIBUTES="password=p4ss,team=blue",
    )
    text = json.dumps(diagnosis.report)
    assert not [secret for secret in ("t0ken", "h3ader", "tr4ces", "p4ss") if secret in text]
    assert "blue" in text


def test_nothing_goes_anywhere(doctor):
    """A configuration without a destination is a warning, not a failure."""
    diagnosis = doctor()
    assert diagnosis.of("exporters")["status"] == "warning"
    assert diagnosis.code == 0


def test_off(doctor):
    """Being off is a warning that names what turned it off, and no endpoint is asked."""
    diagnosis = doctor(OTEL_SDK_DISABLED="true", OTEL_TRACES_EXPORTER="otlp")
    assert diagnosis.of("enabled")["status"] == "warning"
    assert "OTEL_SDK_DISABLED" in diagnosis.of("enabled")["message"]
    assert "endpoint.traces" not in diagnosis.checks()
    assert diagnosis.code == 0


def test_misspelt_variable(doctor):
    """A variable that OpenTelemetry does not know is pointed out with the nearest that it does."""
    of_an_instrumentor = {"OTEL_PYTHON_FLASK_EXCLUDED_URLS": "health", "OTEL_SEMCONV_STABILITY_OPT_IN": "http"}
    finding = doctor(OTEL_EXPORTER_OLTP_ENDPOINT="http://collector:4318", **of_an_instrumentor).of("variable.unknown")
    assert finding["status"] == "warning"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in finding["fix"]


def test_declarative_configuration(doctor):
    """OTEL_CONFIG_FILE takes all other variables out of force, and that is said."""
    assert doctor(OTEL_CONFIG_FILE="otel.yaml").of("OTEL_CONFIG_FILE")["status"] == "warning"


# -- installation -----------------------------------------------------------------------------------------------------


def test_library_without_instrumentor(doctor, install):
    """An installed library for which there is an instrumentor to be had is named with the command."""
    install("pyramid", "2.0")
    finding = doctor().of("instrumentors.missing")
    assert finding["status"] == "warning"
    assert "pyramid" in finding["message"]
    assert finding["fix"].startswith("pip install otelkit ")
    assert "opentelemetry-instrumentation-pyramid" in finding["fix"]


def test_pydantic_alone_asks_for_no_instrumentor(doctor, install):
    """OpenTelemetry lists pydantic for Tortoise's instrumentor; who has pydantic is not told to install that."""
    install("pydantic", "2.12")
    findings = doctor().report["findings"]
    assert not any("pydantic" in finding["message"] or "tortoise" in finding["fix"] for finding in findings)


def test_libraries_of_otelkit_are_no_warning(doctor):
    """What otelkit brought along itself is offered, but not complained about."""
    finding = doctor().of("instrumentors.optional")
    assert finding["status"] == "note"
    assert "requests" in finding["message"]


def test_disabled_instrumentors(doctor, install):
    """Names of disabled instrumentors are checked: those that exist are noted, others get the nearest."""
    install(
        "opentelemetry-instrumentation-flask",
        "0.66b2",
        "[opentelemetry_instrumentor]\nflask = nowhere:FlaskInstrumentor\n",
    )
    diagnosis = doctor(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="flask, flsk")
    assert diagnosis.of("instrumentors.disabled")["message"].endswith("flask.")
    assert diagnosis.of("instrumentors.unknown")["fix"] == "Did you mean 'flask'?"
    assert doctor(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*").of("instrumentors.disabled")["status"] == "warning"


def test_instrumentor_in_conflict(doctor, install):
    """An instrumentor whose library has a version it does not know is a warning."""
    install("flask", "0.1")
    install(
        "opentelemetry-instrumentation-flask",
        "0.66b2",
        "[opentelemetry_instrumentor]\nflask = nowhere:FlaskInstrumentor\n",
        requires=("flask >= 1.0; extra == 'instruments'",),
    )
    finding = doctor().of("instrumentors.conflict")
    assert finding["status"] == "warning"
    assert "flask 0.1" in finding["message"]


def test_otelkits_own_instrumentors_know_their_libraries(doctor, install):
    """An unsupported version is a warning; a supported one needs no other instrumentor."""
    install("scikit-learn", "0.9")
    install("celery", "5.5")
    diagnosis = doctor()
    finding = diagnosis.of("instrumentors.conflict")
    assert "scikit-learn 0.9" in finding["message"]
    assert "pip install --upgrade otelkit" in finding["fix"]
    assert "otelkit_sklearn" not in diagnosis.of("instrumentors")["message"]
    assert "otelkit_celery" in diagnosis.of("instrumentors")["message"]
    missing = [each for each in diagnosis.report["findings"] if each["check"] == "instrumentors.missing"]
    assert not any("celery" in each["message"] for each in missing)


def test_clash_with_another_distro(doctor, install):
    """opentelemetry-distro beside otelkit is a warning until both variables say which is meant."""
    install(
        "opentelemetry-distro",
        "0.66b2",
        "[opentelemetry_distro]\ndistro = nowhere:A\n[opentelemetry_configurator]\nconfigurator = nowhere:B\n",
    )
    diagnosis = doctor()
    assert "OTEL_PYTHON_DISTRO=otelkit" in diagnosis.of("providers.distro")["fix"]
    assert "OTEL_PYTHON_CONFIGURATOR=otelkit" in diagnosis.of("providers.configurator")["fix"]
    settled = doctor(OTEL_PYTHON_DISTRO="otelkit", OTEL_PYTHON_CONFIGURATOR="otelkit")
    assert not {"providers.distro", "providers.configurator"} & settled.checks()


def test_provider_chosen_by_variable(doctor):
    """A provider that no package offers would break the program's first use of the API; one that exists is joined."""
    broken = doctor(OTEL_PYTHON_TRACER_PROVIDER="sdk_tracer_providr")
    assert broken.of("providers.tracer")["status"] == "broken"
    assert "sdk_tracer_provider" in broken.of("providers.tracer")["fix"]
    assert broken.code == 1
    assert doctor(OTEL_PYTHON_TRACER_PROVIDER="sdk_tracer_provider").of("providers.tracer")["status"] == "warning"


def test_agents_and_fork_model(doctor, install):
    """Agents with providers of their own, and servers that fork, come with what to know about them."""
    install("logfire", "5.2")
    install("gunicorn", "23.0")
    diagnosis = doctor()
    assert "logfire 5.2" in diagnosis.of("providers.agent")["message"]
    assert "forks its workers" in diagnosis.of("fork.gunicorn")["message"]


def test_versions_and_gpu_are_told(doctor):
    """Versions and the GPU driver, there or not, are part of every report."""
    diagnosis = doctor()
    assert "OpenTelemetry API 1." in diagnosis.of("versions")["message"]
    assert diagnosis.of("gpu")["status"] in ("ok", "note")


# -- output -----------------------------------------------------------------------------------------------------------


def test_json_schema(doctor):
    """The JSON has its documented keys, and the status is the worst finding's."""
    report = doctor().report
    assert set(report) == {"schema", "otelkit", "status", "findings", "settings"}
    assert report["schema"] == 1
    assert report["status"] == "warning"
    assert {tuple(finding) for finding in report["findings"]} == {("section", "check", "status", "message", "fix")}
    assert {finding["status"] for finding in report["findings"]} <= {"ok", "note", "warning", "broken"}
    assert {tuple(setting) for setting in report["settings"]} == {("name", "value", "unit", "source")}


def test_text(monkeypatch, capsys):
    """The text lists settings that were set, findings with their fixes, and a summary."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "traces_exporters" in text
    assert "cardinality_limit" not in text
    assert "fix: Set OTEL_SERVICE_NAME" in text
    assert "0 broken" in text
    main(["doctor", "--verbose"])
    assert "cardinality_limit" in capsys.readouterr().out


FINDINGS = [
    Finding("One", "a", Status.OK, "traces → there"),
    Finding("One", "b", Status.BROKEN, "Not good.", "Do…"),
]


class Terminal(io.StringIO):
    """What a terminal looks like to a program."""

    encoding = "utf-8"

    def isatty(self):
        """Say yes."""
        return True


class AsciiFile(io.StringIO):
    """Standard output in a locale without UTF-8."""

    encoding = "ascii"


def test_symbols_and_colour_on_a_terminal(monkeypatch):
    """A terminal gets symbols and colour; NO_COLOR takes the colour away."""
    monkeypatch.setenv("TERM", "xterm")
    coloured, plain = Terminal(), Terminal()
    write_text(coloured, FINDINGS, [])
    assert "\x1b[31m✗\x1b[0m Not good." in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    write_text(plain, FINDINGS, [])
    assert "✓ traces → there" in plain.getvalue()
    assert "\x1b" not in plain.getvalue()


def test_plain_ascii_where_utf8_is_not_understood():
    """Without UTF-8 the text is pure ASCII and loses nothing."""
    out = AsciiFile()
    write_text(out, FINDINGS, [])
    assert out.getvalue().isascii()
    assert "+ traces -> there" in out.getvalue()
    assert "x Not good." in out.getvalue()
    assert "fix: Do..." in out.getvalue()


def test_as_a_program(tmp_path):
    """The real command prints ASCII to an ASCII pipe and exits with 1 when something is broken."""
    environment = {"PATH": "", "PYTHONIOENCODING": "ascii", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-m", "otelkit", "doctor"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.returncode == 1
    assert done.stdout.isascii()
    assert b"x traces -> http://127.0.0.1:1/v1/traces" in done.stdout
    assert done.stderr == b""


def test_a_reader_that_leaves_early(tmp_path):
    """``otelkit doctor | head`` ends quietly."""
    environment = {"PATH": "", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    process = subprocess.Popen(
        [sys.executable, "-m", "otelkit", "doctor"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


# -- checks side by side ----------------------------------------------------------------------------------------------


def test_checks_that_hang_or_raise():
    """A check that hangs or raises becomes a finding; the others' findings come in order."""
    from threading import Event

    never = Event()

    def hang():
        never.wait(20)
        return []

    def fail():
        raise LookupError("no such thing")

    fine = [Finding("One", "fine", Status.OK, "Fine.")]
    findings = run_all([hang, fail, lambda: fine], timeout_s=0.3)
    never.set()
    assert [finding.check for finding in findings] == ["timeout", "check.failed", "fine"]
    assert "no such thing" in findings[1].message
    assert worst(findings) is Status.BROKEN
