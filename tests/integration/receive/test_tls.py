"""DICOM over TLS (PS3.15 B.9), with callers that prove who they are."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from pynetdicom import AE

from tests.support.eventually import TIMEOUT_S
from tests.support.listener_fixture import VERIFICATION, ListenerFixture, listener_process


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed one: its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make: list[str | Path] = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *subject,
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(make, check=True, capture_output=True)
    return certificate, key


def test_only_a_caller_with_a_known_certificate_is_heard(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    known = ssl.create_default_context(cafile=cert)
    known.load_cert_chain(cert, key)
    stranger = ssl.create_default_context(cafile=cert)
    receiving = ListenerFixture(tmp_path / "data", tls_cert=cert, tls_key=key, tls_ca=cert)
    with listener_process(receiving):
        assert is_echoed(receiving, known)
        with (
            socket.create_connection(("127.0.0.1", receiving.settings.dicom_port), timeout=TIMEOUT_S) as plain,
            stranger.wrap_socket(plain, server_hostname="localhost") as connection,
            pytest.raises(ssl.SSLError, match="certificate required"),
        ):
            connection.recv(1)
    receiving.ledger.close()


def is_echoed(receiving: ListenerFixture, context: ssl.SSLContext) -> bool:
    peer = AE("MODALITY")
    peer.add_requested_context(VERIFICATION)
    association = peer.associate("127.0.0.1", receiving.settings.dicom_port, tls_args=(context, "localhost"))
    assert association.is_established
    status: int = association.send_c_echo().Status
    association.release()
    return status == 0x0000
