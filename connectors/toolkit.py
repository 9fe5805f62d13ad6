"""The process-wide switches of pynetdicom that Reread relies on."""

from __future__ import annotations

from pynetdicom import _config


def prepare_pynetdicom() -> None:
    """Set them; may be called often.

    Files are sent in chunks; no data set in any log (patient data). What is accepted is negotiated by our own
    rules (`negotiation.py`), never by pynetdicom's "unrestricted storage", which takes a sender's first choice.
    """
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
