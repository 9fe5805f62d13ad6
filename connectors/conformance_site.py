"""Sections on network, configuration, media, character sets and security of an installation."""

from __future__ import annotations

import ssl

from pydicom.charset import python_encoding

from reread.connectors.conformance_facts import Facts, Parameter
from reread.connectors.listener import ListenerSettings
from reread.connectors.peers import Peer
from reread.connectors.statement_text import Bullets, Section, Table
from reread.connectors.text_values import UTF_8
from reread.connectors.tls import CIPHERS, DICOM_TLS_PORT, LOWEST_VERSION

_ROLES = {"source": "may send, is asked", "destination": "gets results", "query": "may query and retrieve"}


def network_interfaces() -> Section:
    """PS3.2: physical interfaces, further protocols, IP versions."""
    return Section(
        "Network interfaces",
        "TCP/IP of the operating system, IPv4 and IPv6. No physical interface is bound. Host names are resolved by the "
        "operating system. No further protocol is used: no DHCP, LDAP or NTP of our own, no DICOMweb.",
    )


def configuration(facts: Facts) -> Section:
    """AE titles, addresses, parameters."""
    listener = facts.listener
    local = [(listener.ae_title, "listener (called), caller (calling)", listener.host, str(listener.port))]
    local += [(title, "listener (called)", listener.host, str(listener.port)) for title in listener.also_called]
    remote = [
        (
            peer.name,
            peer.ae_title,
            peer.host,
            str(peer.port),
            "yes" if peer.tls is not None and peer.tls.outgoing else "no",
            "; ".join(_ROLES.get(role.value, role.value) for role in sorted(peer.roles)),
        )
        for peer in listener.peers
    ]
    differing = [(name, item.name, item.default, item.value) for name, items in facts.peer_parameters for item in items]
    return Section(
        "Configuration",
        "One TOML file and the environment. Changes come into force when the command is started anew.",
        Section(
            "AE titles and presentation addresses",
            Table("local AE titles", ("AE title", "used by", "host", "port"), tuple(local)),
            Table("remote AE titles", ("peer", "AE title", "host", "port", "TLS", "roles"), tuple(remote)),
            "There are no wild cards: a node that is not in the table is neither answered nor asked.",
        ),
        Section(
            "Parameters",
            _parameters(facts.parameters),
            Table(
                "parameters of single peers that differ from their defaults",
                ("peer", "parameter", "default", "in force"),
                tuple(differing),
            )
            if differing
            else "No parameter of a single peer differs from its default.",
        ),
    )


def _parameters(parameters: tuple[Parameter, ...]) -> Table:
    rows = tuple((item.name, item.default, item.value, item.meaning) for item in parameters)
    return Table("parameters", ("parameter", "default", "in force", "meaning"), rows)


def media() -> Section:
    """None."""
    return Section(
        "Media interchange",
        "No media application profile is claimed. Part 10 files and folders can be read by the commands import and "
        "measure; a DICOMDIR in them is not used.",
    )


def character_sets(querying: bool) -> Section:
    """What is read and written."""
    terms = ", ".join(sorted(term for term in python_encoding if term))
    answers = (
        "Answers to queries are written in the single character set of the request if it holds every text of the "
        f"answer, else in {UTF_8}. No Specific Character Set is stated where ASCII will do.",
    )
    return Section(
        "Character sets",
        Bullets(
            (
                f"Read, with code extensions: {terms}. A data set with one of these that is not in PS3.3 C.12.1.1.2 is "
                "read all the same.",
                "Where no Specific Character Set is stated, bytes that are valid UTF-8 are read as UTF-8, others as "
                "ISO 8859-1.",
                "Objects that are received keep their bytes, whatever their character set.",
                "Results state the character set of the image that patient and study are copied from; "
                f"{UTF_8} if that one cannot be decoded or does not hold the texts.",
                *(answers if querying else ()),
            )
        ),
    )


def security(listener: ListenerSettings) -> Section:
    """TLS and what is checked."""
    lowest = "1.2" if LOWEST_VERSION is ssl.TLSVersion.TLSv1_2 else LOWEST_VERSION.name
    tls = listener.tls
    if tls is None:
        inbound = "The listener has no TLS certificate: associations to it are not encrypted."
    else:
        inbound = (
            "Every caller has to use TLS; a connection without it is closed. "
            + (
                "Every caller has to show a certificate that one of our authorities signed. "
                if tls.client_authorities is not None
                else "Callers are asked for no certificate. "
            )
            + f"A handshake has to be over in {tls.handshake_s:g} s."
        )
    return Section(
        "Security",
        Section(
            "Secure transport",
            inbound,
            Table(
                "TLS to peers that we call",
                ("peer", "TLS", "its certificate is signed by", "its certificate names our host entry", "we show"),
                tuple(_outgoing(peer) for peer in listener.peers),
            ),
            Bullets(
                (
                    "Profile: BCP 195 RFC 8996, 9325 TLS secure transport connection profile (PS3.15 B.12).",
                    f"TLS {lowest} and later. Cipher suites of TLS 1.2: {CIPHERS} (OpenSSL). All of TLS 1.3.",
                    "No compression, no renegotiation.",
                    f"The registered port is {DICOM_TLS_PORT}; this site's is in the table of local AE titles.",
                )
            ),
        ),
        Section(
            "Association level security",
            "Called AE title, calling AE title, address and certificate of a caller are checked, in this order, before "
            "anything is negotiated. See the callers and the rejections of the listener.",
        ),
        Section(
            "Application level security",
            "There are no users, no digital signatures, no encrypted data sets and no audit messages (PS3.15 A.5). "
            "Names and IDs of patients are in the spool and in objects only, never in logs, ledger or tables; "
            "folders with them are readable by their owner only.",
        ),
    )


def _outgoing(peer: Peer) -> tuple[str, ...]:
    tls = peer.tls
    if tls is None or not tls.outgoing:
        return (peer.name, "no", "", "", "")
    return (
        peer.name,
        "yes",
        "authorities of its own setting" if tls.authorities is not None else "an authority of the operating system",
        "checked" if tls.check_host else "not checked",
        "a certificate" if tls.certificate is not None else "none",
    )
