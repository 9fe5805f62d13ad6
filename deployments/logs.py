"""Logs: events with fields, coloured on a terminal, one JSON object a line in a service.

Our own modules log states and counts, never patient data. What pynetdicom and pydicom would say below WARNING
quotes data sets, so it is not let through.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

_QUOTES_DATA = ("pynetdicom", "pydicom")


def configure_logs(level: int = logging.INFO) -> None:
    """Send everything to standard error, once for the process."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("reread").setLevel(level)
    for name in _QUOTES_DATA:
        logging.getLogger(name).setLevel(logging.ERROR)
