"""TLS to a DICOM peer (PS3.15 Annex B.9, the BCP 195 profile): certificates, and the cause of a failed handshake."""

from __future__ import annotations

import socket
import ssl

from service.destinations import Destination, Tls
from service.errors import DestinationRefused

PROBE_TIMEOUT_S = 5.0


def client_context(tls: Tls, name: str) -> ssl.SSLContext:
    """Our certificate and the authorities that we trust; TLS 1.2 at least.

    Raises
    ------
    DestinationRefused
        A file of certificates or keys cannot be read. Another attempt does not help.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca)
        context.check_hostname = tls.check_host
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise DestinationRefused(f"{name}: the files of tls.ca, tls.cert or tls.key cannot be used ({type(error).__name__})") from error
    return context


def explain_failure(destination: Destination) -> str:
    """The cause of a failed TLS connection, as a sentence; empty if TLS is not the cause.

    pynetdicom does not report it, so this function makes one more handshake.
    """
    if destination.tls is None:
        return ""
    context = client_context(destination.tls, destination.name)
    try:
        with (
            socket.create_connection((destination.host, destination.port), PROBE_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=destination.host) as connection,
        ):
            # With TLS 1.3 a server refuses our certificate only after the handshake.
            connection.settimeout(0.5)
            connection.recv(1)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except TimeoutError:
        return ""
    except ssl.SSLError as error:
        return f"the TLS handshake fails: {error.reason or type(error).__name__}"
    except OSError:
        return ""
    return ""
