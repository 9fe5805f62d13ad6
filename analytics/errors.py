"""The one error tree.

::

    RereadError
    ├── InputError              something that arrived cannot be used; carries a `Reason`
    │   ├── NotDicom            not a DICOM file, or cut off
    │   ├── NotAMammogram       DICOM, but nothing to measure here
    │   └── PixelsUnreadable    the header is fine, the pixels are not
    ├── MeasurementFailed       a measurement did not come to an end on a readable image
    ├── SettingsInvalid         a setting is wrong (also a ValueError)
    ├── ArchiveError            the PACS
    │   ├── ArchiveUnreachable  no association (also a ConnectionError)
    │   └── ArchiveRefused      a DIMSE status that is neither success nor pending
    ├── AuthoringFailed         a result object cannot be built from this study
    ├── LedgerError             the ledger cannot be used or was asked for a forbidden transition
    └── CatalogueError          the index that queries are answered from cannot be used

The text of an error says what to do about it, and never names a patient.
"""

from __future__ import annotations

from reread.analytics.reasons import Reason


class RereadError(Exception):
    """Root of everything that Reread raises on purpose."""


class InputError(RereadError):
    """Something that arrived cannot be used.

    Parameters
    ----------
    reason
        The named reason that goes into the ledger and the `images` table.
    detail
        One clause for the person, without patient data.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[InputError], tuple[Reason, str]]:
        return type(self), (self.reason, self.detail)


class NotDicom(InputError):
    """Not a DICOM file, or cut off before its end."""


class NotAMammogram(InputError):
    """A DICOM object, but nothing that Reread measures."""


class PixelsUnreadable(InputError):
    """The header can be read, the pixels cannot."""


class MeasurementFailed(RereadError):
    """A measurement did not come to an end on a readable image."""


class SettingsInvalid(RereadError, ValueError):
    """A setting is wrong; the text names the field."""


class ArchiveError(RereadError):
    """A PACS did not do what it was asked."""


class ArchiveUnreachable(ArchiveError, ConnectionError):
    """No association could be made, or it broke: worth a retry."""


class ArchiveRefused(ArchiveError):
    """The PACS answered with a failure status.

    Parameters
    ----------
    operation
        "C-FIND", "C-MOVE", "C-STORE", …
    status
        The DIMSE status, for example 0xA801.
    comment
        The peer's Error Comment (0000,0902), if it sent one.
    """

    def __init__(self, operation: str, status: int, comment: str = "") -> None:
        super().__init__(f"{operation} answered 0x{status:04X}{': ' + comment if comment else ''}")
        self.operation = operation
        self.status = status
        self.comment = comment

    def __reduce__(self) -> tuple[type[ArchiveRefused], tuple[str, int, str]]:
        return type(self), (self.operation, self.status, self.comment)


class AuthoringFailed(RereadError):
    """A result object cannot be built from this study."""


class LedgerError(RereadError):
    """The ledger cannot be used, or was asked for a transition that its state machine forbids."""


class CatalogueError(RereadError):
    """The index that queries are answered from cannot be used; it holds nothing that is not elsewhere."""


class CatalogueBehind(CatalogueError):
    """It does not know all that arrived yet, so an answer would be wrong: ask again later."""
