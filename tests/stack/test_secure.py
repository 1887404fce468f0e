# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""secure/send.yaml and secure/receive.yaml: TLS and a token between program, agent and gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from stack import parts
from stack.part import Part
from stack.ports import Ports
from support.otlp_receiver import OtlpReceiver
from support.stack_queries import wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAM = Path(__file__).with_name("programs") / "mixed.py"
SPANS = 49
TOKEN = "a-token-for-this-test"


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """A certificate for the loopback, who signed it, and a token, in files."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: tmp_path / f"{name}.pem" for name in ("authority", "certificate", "key")}
    authority.cert_pem.write_to_path(str(files["authority"]))
    issued.cert_chain_pems[0].write_to_path(str(files["certificate"]))
    issued.private_key_pem.write_to_path(str(files["key"]))
    (tmp_path / "tokens").write_text(f"{TOKEN} # ours\n")
    return {
        **{f"COLLECTOR_TLS_{name.upper()}": str(path) for name, path in files.items()},
        "COLLECTOR_TOKENS": str(tmp_path / "tokens"),
    }


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """What the gateway delivers to."""
    with OtlpReceiver("grpc") as receiver:
        yield receiver


@pytest.fixture
def gateway(tmp_path: Path, secrets: dict[str, str], receiver: OtlpReceiver) -> Iterator[Part]:
    """A gateway with TLS that wants the token."""
    settings = {
        **secrets,
        "COLLECTOR_KEEP_PERCENT": "100",
        "COLLECTOR_DECISION_WAIT": "1s",
        "COLLECTOR_TRACES_ENDPOINT": receiver.endpoint.removeprefix("http://"),
    }
    overlay = [parts.CONFIG / "secure" / "receive.yaml"]
    part = parts.collector("gateway", "gateway.yaml", tmp_path, addresses("prometheus"), settings, overlay)
    with running(part) as gateway:
        yield gateway


def addresses(*others: str) -> dict[str, str]:
    """Return free addresses for a Collector."""
    ports = Ports(free=True)
    return {name: ports.address(0) for name in ("otlp_grpc", "otlp_http", "health", "telemetry", *others)}


@contextmanager
def running(part: Part) -> Iterator[Part]:
    """Start a part; it is ended in the end."""
    part.start()
    try:
        part.wait_ready()
        yield part
    finally:
        part.stop()


def send(folder: Path, *, delivered: bool, **settings: str) -> None:
    """Run the program; say whether its spans and metrics are to be taken."""
    with TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="mixed", **settings) as program:
        assert program.say("flush") == str(delivered)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_program_sends_with_certificate_and_token(
    tmp_path: Path, gateway: Part, secrets: dict[str, str], receiver: OtlpReceiver, protocol: str
) -> None:
    """OpenTelemetry's own variables are all it takes; without the token nothing gets in."""
    of = {"http/protobuf": "otlp_http", "grpc": "otlp_grpc"}[protocol]
    sent = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{gateway.addresses[of]}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": secrets["COLLECTOR_TLS_AUTHORITY"],
    }
    send(tmp_path, delivered=False, **sent, OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20another")
    send(tmp_path, delivered=True, **sent, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{TOKEN}")
    wait_for(lambda: len(receiver.spans()) >= SPANS, said=lambda: len(receiver.spans()))


def test_agent_sends_with_certificate_and_token(
    tmp_path: Path, gateway: Part, secrets: dict[str, str], receiver: OtlpReceiver
) -> None:
    """Program to agent in the clear on the loopback, agent to gateway encrypted and with the token."""
    settings = {**secrets, "COLLECTOR_GATEWAYS": f"[{gateway.addresses['otlp_grpc']}]"}
    overlay = [parts.CONFIG / "secure" / "send.yaml"]
    with running(parts.collector("agent", "agent.yaml", tmp_path, addresses(), settings, overlay)) as agent:
        send(tmp_path, delivered=True, OTEL_EXPORTER_OTLP_ENDPOINT=agent.url("otlp_http"))
        wait_for(lambda: len(receiver.spans()) == SPANS, said=lambda: len(receiver.spans()))


def test_agent_with_another_token_delivers_nothing(
    tmp_path: Path, gateway: Part, secrets: dict[str, str], receiver: OtlpReceiver
) -> None:
    """The gateway refuses it, and what came stays in the agent's queue or is given up: nothing gets through."""
    (tmp_path / "others").write_text("another\n")
    settings = {**secrets, "COLLECTOR_TOKENS": str(tmp_path / "others")}
    settings["COLLECTOR_GATEWAYS"] = f"[{gateway.addresses['otlp_grpc']}]"
    overlay = [parts.CONFIG / "secure" / "send.yaml"]
    with running(parts.collector("agent", "agent.yaml", tmp_path, addresses(), settings, overlay)) as agent:
        send(tmp_path, delivered=True, OTEL_EXPORTER_OTLP_ENDPOINT=agent.url("otlp_http"))
        wait_for(lambda: "Unauthenticated" in agent.log(), said=agent.log)
    assert receiver.spans() == []
