"""An archive of our own on DIMSE: FIND, MOVE, GET, STORE, Verification and Storage Commitment as SCP.

For demonstration, tests and small sites: a folder of DICOM files, served where they lie by the same services
as an installation. Only known peers are answered. What is stored into it lies in the same folder and is
there again after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reread.connectors.admission import AdmissionPolicy
from reread.connectors.catalogue import Catalogue, HeldObject
from reread.connectors.catalogue_feeds import FolderFeed, ReceivedFeed
from reread.connectors.commitment_service import CommitmentService
from reread.connectors.gatekeeper import Gatekeeper
from reread.connectors.intake import Intake
from reread.connectors.ledger import open_ledger
from reread.connectors.negotiation import UnknownClasses
from reread.connectors.node import Node
from reread.connectors.peers import Peer, PeerRole, check_ae_title
from reread.connectors.pseudonyms import Pseudonyms
from reread.connectors.query_service import QueryService
from reread.connectors.retrieve_service import GetService, MoveService, Retrieval
from reread.connectors.spool import Spool
from reread.connectors.storage_service import StorageService
from reread.connectors.verification import VerificationService

_POLICY = AdmissionPolicy(max_object_bytes=1 << 40, min_free_bytes=1 << 24)
_PLACES = 50


class ArchiveServer:
    """Serves a folder; a context manager.

    Parameters
    ----------
    folder
        DICOM files at any depth are served; what is stored goes to ``stored/`` in it.
    ae_title
        Its own AE title; no other called AE title is accepted.
    peers
        Known callers, C-MOVE destinations and receivers of commitment results; all may do everything.
    port
        0 takes a free one.
    report_apart
        Send storage commitment results on an association of its own instead of the one that asked.
    max_find_results
        Cut C-FIND answers off after so many, as many archives do; None for no limit.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str,
        peers: Sequence[Peer],
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        report_apart: bool = False,
        max_find_results: int | None = None,
    ) -> None:
        self._folder = folder
        self._spool = Spool(folder / "stored")
        self._ae_title = check_ae_title(ae_title)
        self._peers = tuple(
            replace(peer, roles=frozenset(PeerRole), report_on_same_association=not report_apart) for peer in peers
        )
        self._address = (host, port)
        self._max_find = max_find_results
        self._running: ExitStack | None = None
        self._catalogue: Catalogue | None = None
        self._node: Node | None = None

    @property
    def port(self) -> int:
        """The port that it listens on (RuntimeError if it does not)."""
        if self._node is None:
            raise RuntimeError("the archive is not started")
        return self._node.port

    def stored_instances(self) -> tuple[HeldObject, ...]:
        """What was sent to it, now or in an earlier run."""
        return tuple(item for item in self.instances() if item.path.is_relative_to(self._spool.root))

    def instances(self) -> tuple[HeldObject, ...]:
        """Everything that it holds (RuntimeError if it is not started)."""
        if self._catalogue is None:
            raise RuntimeError("the archive is not started")
        self._catalogue.catch_up()
        return tuple(self._catalogue.all_objects())

    def start(self) -> None:
        """Index the folder and listen (OSError if the port is taken)."""
        root = self._spool.root
        self._spool.clear_incoming()
        with ExitStack() as stack:
            ledger = stack.enter_context(open_ledger(f"sqlite:///{(root / 'ledger.sqlite').resolve()}"))
            pseudonyms = Pseudonyms.load_or_create(root / "pseudonym.key")
            files = [
                path for path in sorted(self._folder.rglob("*")) if path.is_file() and not path.is_relative_to(root)
            ]
            # the files of the folder have no lasting numbers: made anew at each start
            for suffix in ("", "-wal", "-shm"):
                (root / f"catalogue.sqlite{suffix}").unlink(missing_ok=True)
            feeds = (FolderFeed(self._folder, files), ReceivedFeed(ledger, root))
            catalogue = self._catalogue = Catalogue(root / "catalogue.sqlite", feeds)
            stack.callback(catalogue.close)
            catalogue.catch_up()
            gate = Gatekeeper(self._ae_title, self._peers, _PLACES)
            storage = StorageService(Intake(self._spool, ledger, pseudonyms, _POLICY), gate)
            commitment = CommitmentService(ledger, self._spool, gate, self._peers)
            retrieval = Retrieval(catalogue, self._ae_title, _everybody, self._spool.part)
            services = (
                VerificationService(),
                storage,
                QueryService(catalogue, self._ae_title, _everybody, max_results=self._max_find),
                MoveService(retrieval, self._peers),
                GetService(retrieval),
                commitment,
            )
            self._node = Node(
                self._ae_title,
                self._address,
                services,
                gate,
                storage.doors,
                unknown_classes=UnknownClasses.ACCEPT,
            )
            commitment.start()
            stack.callback(commitment.stop)
            stack.enter_context(self._node)
            self._running = stack.pop_all()

    def stop(self) -> None:
        """Stop listening; waits for the commitment result that is being sent."""
        if self._running is not None:
            running, self._running = self._running, None
            running.close()
            self._node = self._catalogue = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _everybody(association: Any) -> bool:
    return True
