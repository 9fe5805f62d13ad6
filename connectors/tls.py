"""TLS of every association, incoming and outgoing (PS3.15 B.12; the profile follows BCP 195: RFC 8996, RFC 9325).

TLS 1.2 and 1.3 only; with 1.2 only forward secret, authenticated ciphers; no compression, no renegotiation.
Certificates are always verified: ours by the peer, the peer's by us when we call it, and the caller's when
the listener has authorities for clients. Files are PEM; a key has no pass phrase, its file mode protects it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reread.analytics.errors import SettingsInvalid
from reread.connectors.peers import Peer

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL"
"""of TLS 1.2 (RFC 9325 4.2); those of 1.3 are all good"""
LOWEST_VERSION = ssl.TLSVersion.TLSv1_2
DICOM_TLS_PORT = 2762
"""registered for DICOM over TLS (PS3.8 9.1.2)"""
_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """How the listener shows itself and whom it believes."""

    certificate: Path
    """PEM file with our certificate, and its chain"""
    key: Path
    """PEM file with its private key"""
    client_authorities: Path | None = None
    """PEM file with authorities; with it every caller has to show a certificate that one of them signed"""
    handshake_s: float = 10.0
    """a caller that has not finished its handshake in so many seconds is disconnected"""


def server_context(tls: ListenerTls) -> ssl.SSLContext:
    """The TLS context of the listener (SettingsInvalid if a file cannot be used)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_own(context, tls.certificate, tls.key)
    if tls.client_authorities is not None:
        _load_authorities(context, tls.client_authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(peer: Peer) -> ssl.SSLContext | None:
    """The TLS context for calling a peer; None if it is called without (SettingsInvalid if a file cannot be used)."""
    if peer.tls is None or not peer.tls.outgoing:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if peer.tls.authorities is not None:
        _load_authorities(context, peer.tls.authorities)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if peer.tls.certificate is not None and peer.tls.key is not None:
        _load_own(context, peer.tls.certificate, peer.tls.key)
    context.check_hostname = peer.tls.check_host
    return context


def tls_arguments(peer: Peer) -> tuple[ssl.SSLContext, str] | None:
    """What `pynetdicom.AE.associate` and the answer to a C-MOVE take as `tls_args` to call this peer."""
    context = client_context(peer)
    return (context, peer.host) if context is not None else None


def names_in_certificate(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Common names and alternative names of a verified certificate, as `ssl.SSLSocket.getpeercert` gives it."""
    common = {value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"}
    return frozenset(common | {value for _, value in certificate.get("subjectAltName", ())})


def why_no_tls(peer: Peer) -> str:
    """Why a TLS connection to a peer fails, in words; empty if it does not. Opens one and closes it."""
    arguments = tls_arguments(peer)
    if arguments is None:
        return ""
    context, name = arguments
    try:
        with (
            socket.create_connection((peer.host, peer.port), timeout=_LOOK_S) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            # with TLS 1.3 a server that misses our certificate says so only now; else it waits for us
            connection.settimeout(0.5)
            try:
                connection.recv(1)
            except TimeoutError:
                return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not accepted: {error.verify_message}"
    except ssl.SSLError as error:
        return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    except OSError:
        return ""  # no matter of TLS
    return ""


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = LOWEST_VERSION
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # an empty pass phrase instead of a question on the terminal
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"TLS: {certificate} with key {key} cannot be used: {_why(error)}") from error


def _load_authorities(context: ssl.SSLContext, authorities: Path) -> None:
    try:
        context.load_verify_locations(authorities)
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"TLS: authorities in {authorities} cannot be used: {_why(error)}") from error


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error)
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
