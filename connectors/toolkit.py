"""The process-wide switches of pynetdicom that Reread relies on."""

from __future__ import annotations

from pynetdicom import _config


def prepare_pynetdicom() -> None:
    """Set them; may be called often.

    Storage of every class and transfer syntax, the sender's first choice; files are sent in chunks; no data
    set in any log (patient data).
    """
    _config.UNRESTRICTED_STORAGE_SERVICE = True
    _config.STORE_SEND_CHUNKED_DATASET = True
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"
