"""How values stand on pages: dates, and nothing else that a language would change."""

from __future__ import annotations

from reread.connectors.header_values import valid_date


def shown_date(value: str) -> str:
    """A DICOM DA as ISO 8601, which reads the same in all languages; "" when it names no day."""
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if valid_date(value) else ""
