# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every file of collector-config is accepted by the program that reads it; the compose files fit the others."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from stack import parts

pytestmark = pytest.mark.stack

CONFIG = parts.CONFIG
COMPOSE = CONFIG / "docker-compose.yaml"
GATEWAYS = CONFIG / "docker-compose.gateways.yaml"
LOOPBACK = Path(__file__).parents[1] / "cli" / "loopback.pem"
SECRETS = {
    "COLLECTOR_TOKENS": str(LOOPBACK),
    "COLLECTOR_TLS_CERTIFICATE": str(LOOPBACK),
    "COLLECTOR_TLS_KEY": str(LOOPBACK),
    "COLLECTOR_TLS_AUTHORITY": str(LOOPBACK),
}
DNS = {"COLLECTOR_GATEWAYS": "[gateway-1:4317,gateway-2:4317]"}


def run(*command: object, **environment: str) -> str:
    """Run a program to a good end and return what it said."""
    done = subprocess.run(
        [str(each) for each in command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("files", "environment"),
    [
        (["standalone.yaml"], {}),
        (["standalone.yaml"], {"COLLECTOR_TRACES_EXPORTER": "debug"}),
        (["standalone.yaml", "secure/receive.yaml"], SECRETS),
        (["agent.yaml"], {}),
        (["agent.yaml"], DNS),
        (["agent.yaml", "secure/send.yaml"], SECRETS),
        (["gateway.yaml"], {}),
        (["gateway.yaml", "secure/receive.yaml"], SECRETS),
    ],
    ids=lambda given: "+".join(given) or "defaults",
)
def test_collector_accepts(files: list[str], environment: dict[str, str]) -> None:
    """`otelcol validate`, and nothing that it calls old."""
    said = run(parts.OTELCOL, "validate", *(f"--config={CONFIG / file}" for file in files), **environment)
    assert "deprecat" not in said.lower()


def test_all_collector_files_are_validated() -> None:
    """The list above names every file that is a Collector's."""
    theirs = {path for path in CONFIG.rglob("*.yaml") if "${env:COLLECTOR_" in path.read_text()}
    named = {"standalone.yaml", "agent.yaml", "gateway.yaml", "secure/receive.yaml", "secure/send.yaml"}
    assert {path.relative_to(CONFIG).as_posix() for path in theirs} == named


def test_all_variables_are_in_the_readme() -> None:
    """Each variable of each file, and none that no file reads."""
    files = [path for path in CONFIG.rglob("*.yaml") if "compose" not in path.name]
    read = {name for path in files for name in re.findall(r"\$\{env:(\w+)", path.read_text())}
    told = set(re.findall(r"`((?:COLLECTOR|JAEGER)_\w+)[`=]", (CONFIG / "README.md").read_text()))
    assert read == told - {"JAEGER_URL"}  # Grafana's


def test_jaeger_accepts() -> None:
    """Jaeger's own validation, with and without variables."""
    run(parts.JAEGER, "validate", f"--config={CONFIG / 'jaeger.yaml'}")
    run(parts.JAEGER, "validate", f"--config={CONFIG / 'jaeger.yaml'}", JAEGER_OTLP_GRPC="0.0.0.0:4317")


@pytest.mark.parametrize("targets", ["targets", "compose/targets", "compose/targets-gateways"])
def test_prometheus_accepts(tmp_path: Path, targets: str) -> None:
    """`promtool check config`, with the rules and each folder of targets beside it, as they are mounted."""
    for name, of in {"prometheus.yaml": "prometheus.yaml", "rules": "rules", "targets": targets}.items():
        (tmp_path / name).symlink_to(CONFIG / of)
    said = run(parts.PROMTOOL, "check", "config", tmp_path / "prometheus.yaml")
    assert "FAILED" not in said
    assert "rules found" in said
    names = {path.name for path in (CONFIG / targets).iterdir()}
    assert names == {f"{name}.yaml" for name in ("collectors", "programs", "telemetry", "alertmanagers")}


def services(*files: Path) -> dict[str, dict[str, Any]]:
    """Return the services of compose files merged as compose does it, as far as they use it."""
    merged: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, added in yaml.safe_load(file.read_text())["services"].items():
            service = merged.setdefault(name, {})
            volumes = {each.split(":")[1]: each for each in [*service.get("volumes", []), *added.get("volumes", [])]}
            environment = service.get("environment", {}) | added.get("environment", {})
            service |= added | {"volumes": list(volumes.values()), "environment": environment}
    return merged


BOTH = pytest.mark.parametrize("files", [[COMPOSE], [COMPOSE, GATEWAYS]], ids=["standalone", "gateways"])


@BOTH
def test_images_are_pinned_to_what_is_tested(files: list[Path]) -> None:
    """Each has a full version; Collector and Prometheus have the one that is built here."""
    images = {each["image"].partition(":")[0]: each["image"].partition(":")[2] for each in services(*files).values()}
    assert all(re.fullmatch(r"v?\d+\.\d+\.\d+", version) for version in images.values()), images
    built = yaml.safe_load((parts.ROOT / "tools" / "collector" / "builder.yaml").read_text())["dist"]["version"]
    assert images["otel/opentelemetry-collector-contrib"] == built
    module = (parts.ROOT / "tools" / "stack" / "prometheus" / "go.mod").read_text()
    tested = re.search(r"prometheus/prometheus v0\.3(\d\d)\.(\d+)", module)
    assert tested
    assert images["prom/prometheus"] == f"v3.{int(tested[1])}.{tested[2]}"


@BOTH
def test_mounts_exist_and_commands_name_them(files: list[Path]) -> None:
    """What is mounted is in this folder, and read-only; a configuration that a command names is mounted there."""
    for name, service in services(*files).items():
        mounts = dict(reversed(each.split(":")[:2]) for each in service["volumes"])
        for target, source in mounts.items():
            if source.startswith("."):
                assert (CONFIG / source).exists(), (name, source)
                assert f"{source}:{target}:ro" in service["volumes"]
            else:
                assert source in yaml.safe_load(COMPOSE.read_text())["volumes"], (name, source)
        for argument in service.get("command", []):
            if match := re.fullmatch(r"--config(?:\.file)?=(.+)", argument):
                assert Path(mounts[match[1]]).name == Path(match[1]).name, (name, argument)


@BOTH
def test_only_the_loopback_is_published(files: list[Path]) -> None:
    """No port is open to other machines, and none is given twice."""
    published = [port for service in services(*files).values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.rpartition(":")[0] for port in published}) == len(published)


@BOTH
def test_variables_are_those_of_the_configuration(files: list[Path]) -> None:
    """A Collector's and Jaeger's variables are ones that their file reads; beyond the agent's, none is superfluous."""
    for name, service in services(*files).items():
        file = next((a.rpartition("/")[2] for a in service.get("command", []) if a.startswith("--config=")), None)
        if file is None:
            continue
        read = set(re.findall(r"\$\{env:(\w+)", (CONFIG / file).read_text()))
        given = {key for key in service["environment"] if key.startswith(("COLLECTOR_", "JAEGER_"))}
        if name == "collector":  # the same environment for standalone and agent
            read |= set(re.findall(r"\$\{env:(\w+)", (CONFIG / "standalone.yaml").read_text()))
        assert given <= read, name


@BOTH
def test_addresses_between_containers_lead_somewhere(files: list[Path]) -> None:
    """Each host:port that a service is told, or a target of Prometheus, is another service's, which listens there."""
    all_of_them = services(*files)
    listens = {name: listening(name, service) for name, service in all_of_them.items()}
    targets = next(each.split(":")[0] for each in all_of_them["prometheus"]["volumes"] if "/targets:ro" in each)
    groups = [group for path in (CONFIG / targets).iterdir() for group in yaml.safe_load(path.read_text())]
    told = [target for group in groups for target in group["targets"]]
    told += [str(value) for service in all_of_them.values() for value in service["environment"].values()]
    asked = [(host, int(port)) for text in told for host, port in re.findall(r"\b([a-z][a-z0-9-]+):(\d{4,5})\b", text)]
    assert len(asked) > 5
    for host, port in asked:
        host = "prometheus" if host == "localhost" else host
        assert port in listens[host], (host, port)


def listening(name: str, service: dict[str, Any]) -> set[int]:
    """Return the ports on which a service listens for others."""
    by_default = {"prometheus": {9090}, "alertmanager": {9093}, "grafana": {3000}, "jaeger": {8888}}
    told = {int(value.rpartition(":")[2]) for value in service["environment"].values() if "0.0.0.0:" in str(value)}
    if "COLLECTOR_TELEMETRY_PORT" in service["environment"]:
        told.add(int(service["environment"]["COLLECTOR_TELEMETRY_PORT"]))
    return told | by_default.get(name, set())


@BOTH
def test_everything_that_runs_is_asked_how_it_is(files: list[Path]) -> None:
    """Each service has a health check; a Collector, whose image has no shell, is asked by a container beside it."""
    all_of_them = services(*files)
    unasked = {name for name, each in all_of_them.items() if "healthcheck" not in each} - {"queue-folder"}
    assert unasked == {name for name, each in all_of_them.items() if each["image"].startswith("otel/")}
    for name in unasked:
        assert f"http://{name}:13133" in all_of_them[f"{name}-health"]["healthcheck"]["test"]


def test_grafana_finds_data_sources_and_dashboards() -> None:
    """The data sources have the names that the dashboards ask for, and lead to each other."""
    folder = CONFIG / "grafana"
    sources = yaml.safe_load((folder / "provisioning" / "datasources" / "otelkit.yaml").read_text())["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    assert set(by_uid) == {"prometheus", "jaeger"}
    (towards_traces,) = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (towards_traces["name"], towards_traces["datasourceUid"]) == ("trace_id", "jaeger")
    assert by_uid["jaeger"]["jsonData"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
    (provider,) = yaml.safe_load((folder / "provisioning" / "dashboards" / "otelkit.yaml").read_text())["providers"]
    mounts = services(COMPOSE)["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    asked_for = {
        uid
        for path in (folder / "dashboards").glob("*.json")
        for uid in re.findall(r'"type": "(?:prometheus|jaeger)",\s*"uid": "([^"]+)"', path.read_text())
    }
    assert {uid for uid in asked_for if not uid.startswith("$")} <= set(by_uid)
    variables = services(COMPOSE)["grafana"]["environment"]
    assert {source["url"] for source in sources} == {"${PROMETHEUS_URL}", "${JAEGER_URL}"}
    assert {"PROMETHEUS_URL", "JAEGER_URL"} <= set(variables)
