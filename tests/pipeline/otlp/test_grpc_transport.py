# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over gRPC: what each status means, and what goes out."""

from __future__ import annotations

import time
from pathlib import Path

import grpc as grpc_library
import pytest
import trustme
from support.otlp_receiver import NEVER, Answer, OtlpReceiver
from support.otlp_spans import eventually, make_request, names_of, otlp_settings

from otelkit.pipeline.otlp.grpc_transport import GrpcTransport
from otelkit.pipeline.otlp.reply import Reply

BODY = make_request("one")

RETRYABLE = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
STATUSES = [status for status in grpc_library.StatusCode if status is not grpc_library.StatusCode.OK]


def transport_to(endpoint: str, **arguments: object) -> GrpcTransport:
    """Return what sends there."""
    return GrpcTransport(otlp_settings(endpoint, "grpc", **arguments), "traces", "otelkit/0")


def send(receiver: OtlpReceiver, answer: Answer, timeout_s: float = 5.0) -> Reply:
    """Return what an answer is taken for."""
    receiver.answers.append(answer)
    return transport_to(receiver.endpoint).send(BODY, timeout_s)


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_verdicts(grpc: OtlpReceiver, status: grpc_library.StatusCode) -> None:
    """Only what the specification calls retryable is retried; RESOURCE_EXHAUSTED alone is not."""
    reply = send(grpc, Answer(status=status))
    assert reply.verdict == ("retry" if status.name in RETRYABLE else "refused")
    assert reply.reason.startswith(status.name)


def test_delivered(grpc: OtlpReceiver) -> None:
    """The answer comes as bytes."""
    reply = send(grpc, Answer(rejected=1, message="no"))
    assert reply.verdict == "delivered"
    assert b"no" in reply.body
    assert names_of(grpc.spans()) == ["one"]


@pytest.mark.parametrize("status", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_retry_info(grpc: OtlpReceiver, status: str) -> None:
    """It makes RESOURCE_EXHAUSTED retryable, and says when."""
    reply = send(grpc, Answer(status=grpc_library.StatusCode[status], retry_after_s=2.5))
    assert (reply.verdict, reply.retry_after_s) == ("retry", 2.5)


def test_too_large() -> None:
    """What the receiver's gRPC says of a message that is too large asks for parts."""
    with OtlpReceiver("grpc", max_bytes=1_000) as receiver:
        reply = transport_to(receiver.endpoint).send(make_request("one", padding=2_000), 5)
    assert reply.verdict == "too_large"


def test_no_answer(grpc: OtlpReceiver) -> None:
    """The timeout is kept."""
    began = time.monotonic()
    assert send(grpc, NEVER, timeout_s=0.3).verdict == "retry"
    assert 0.25 < time.monotonic() - began < 1


def test_back_again(grpc: OtlpReceiver) -> None:
    """A receiver that was away is found again within a second, not after gRPC's two minutes."""
    transport = transport_to(grpc.endpoint)
    grpc.stop()
    for _ in range(5):
        assert transport.send(BODY, 1).verdict == "retry"
    with OtlpReceiver("grpc", port=grpc.port) as again:
        assert eventually(lambda: transport.send(BODY, 1).verdict == "delivered", 3)
        assert names_of(again.spans()) == ["one"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_goes_out(grpc: OtlpReceiver, compression: str) -> None:
    """The user's headers in lower case, and who we are."""
    transport = transport_to(grpc.endpoint, otlp_compression=compression, otlp_headers={"X-Key": "s3cret"})
    assert transport.send(BODY, 5).verdict == "delivered"
    sent = grpc.requests[0].headers
    assert sent["x-key"] == "s3cret"
    assert sent["user-agent"].startswith("otelkit/0")


def test_endpoint_without_scheme(grpc: OtlpReceiver) -> None:
    """Whether it is TLS is then for otlp_insecure to say."""
    endpoint = f"127.0.0.1:{grpc.port}"
    assert transport_to(endpoint, otlp_insecure=True).send(BODY, 5).verdict == "delivered"
    assert transport_to(endpoint).send(BODY, 1).verdict == "retry"


def test_tls(tmp_path: Path) -> None:
    """Against an authority of one's own, with a client's certificate; without them it fails."""
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client@tests")
    for name, blob in (
        ("ca.pem", authority.cert_pem),
        ("client.pem", client.cert_chain_pems[0]),
        ("client.key", client.private_key_pem),
    ):
        blob.write_to_path(str(tmp_path / name))
    ca = {"otlp_certificate": str(tmp_path / "ca.pem")}
    mine = {"otlp_client_certificate": str(tmp_path / "client.pem"), "otlp_client_key": str(tmp_path / "client.key")}
    certificates = (server.cert_chain_pems[0].bytes(), server.private_key_pem.bytes(), authority.cert_pem.bytes())
    with OtlpReceiver("grpc", certificates=certificates) as receiver:
        assert transport_to(receiver.endpoint, **ca, **mine).send(BODY, 5).verdict == "delivered"
        assert transport_to(receiver.endpoint, **mine).send(BODY, 1).verdict == "retry"
        assert transport_to(receiver.endpoint, **ca).send(BODY, 1).verdict == "retry"
        assert len(receiver.requests) == 1


def test_closed(grpc: OtlpReceiver) -> None:
    """Sending after the end is a failure, not an exception."""
    transport = transport_to(grpc.endpoint)
    assert transport.send(BODY, 5).verdict == "delivered"
    transport.close()
    assert transport.send(BODY, 5).verdict == "retry"
