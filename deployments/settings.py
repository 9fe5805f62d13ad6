"""The settings: one TOML file and the environment, validated once at start.

Order of precedence: environment (``REREAD_`` + field, ``__`` between levels), the TOML file, the defaults
below. Each field's docstring is its documentation: `site.example.toml` and `docs/reference/settings.md`
are made from it. This is the only module that looks at the environment.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from reread.analytics.errors import SettingsInvalid
from reread.deployments.settings_results import DEFAULT_FORMATS, Formats, Language, ReportGroup, SettingsGroup

SETTINGS_FILE_VARIABLE = "REREAD_SETTINGS"
DEFAULT_FILE = Path("site.toml")

AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[^\\\s](?:[^\\\x00-\x1f]*[^\\\s])?$")]
Port = Annotated[int, Field(ge=0, le=65535)]
ExpectedView = Annotated[str, Field(pattern=r"^[RL](ML|MLO|LM|LMO|CC|FB|SIO|ISO|XCCL|XCCM)$")]
BUILT_IN = "mammography"
"""what `routes.analyses` calls the built-in analysis"""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class Role(StrEnum):
    """What a peer is used for."""

    SOURCE = "source"
    """may send to us and is polled"""
    DESTINATION = "destination"
    """gets our results"""
    QUERY = "query"
    """may query us (C-FIND) and retrieve what we hold (C-MOVE, C-GET)"""


class ClusterWord(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    """a Dask LocalCluster of processes on this machine"""
    ADDRESS = "address"
    """a standing Dask scheduler; `cluster.address` says where"""


class WhenFullWord(StrEnum):
    """What one association too many gets."""

    REJECT = "reject"
    HOLD = "hold"
    """no answer until a place is free"""


class UnknownClassesWord(StrEnum):
    """What becomes of storage classes that we have no name for."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class ListenerGroup(SettingsGroup):
    """The C-STORE listener."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all interfaces."""
    port: Port = 11112
    """TCP port; 0 takes a free one."""
    processes: int = Field(default=0, ge=0, le=64)
    """Processes that receive; 0: one per core, at most four."""
    max_associations: int = Field(default=10, ge=1, le=1000)
    """Associations at the same time, of all processes together."""
    when_full: WhenFullWord = WhenFullWord.REJECT
    """What one more gets: reject (temporary congestion), or hold: no answer until a place is free."""
    max_held: int = Field(default=20, ge=1, le=1000)
    """With hold: so many may wait, in each process; one more is rejected."""
    hold_s: float = Field(default=600.0, gt=0)
    """With hold: who has waited so long is rejected. Seconds."""
    unknown_classes: UnknownClassesWord = UnknownClassesWord.ACCEPT
    """Storage classes that we have no name for (private ones, ones newer than this program) are stored and not
    measured, or their presentation contexts are refused."""
    tls_certificate: str = ""
    """PEM file with our certificate and its chain; with it every caller has to use TLS. The usual port is 2762."""
    tls_key: str = ""
    """PEM file with the private key of the certificate, without pass phrase."""
    tls_client_authorities: str = ""
    """PEM file with authorities; with it every caller has to show a certificate that one of them signed."""
    tls_handshake_s: float = Field(default=10.0, gt=0)
    """A caller that has not finished its TLS handshake in so long is disconnected. Seconds."""
    quiet_s: float = Field(default=120.0, ge=0)
    """A study without a new image for this long is complete (the case timeout). Seconds."""
    case_timeout_s: float = Field(default=0.0, ge=0)
    """A study is complete this long after its first image, even while images still come; 0: never. Seconds."""
    in_progress_hours: float = Field(default=12.0, ge=0)
    """A study whose modality says that it is still working on it (MPPS) waits this long instead. Hours."""
    closing_interval_s: float = Field(default=5.0, gt=0)
    """How often `reread listen` looks whether a study is complete. Seconds."""
    extra_ae_titles: tuple[AETitle, ...] = ()
    """Further AE titles that we answer to. What is sent to one with MULTIPATIENT in it is one cohort, whoever
    the patients are, until it is quiet."""


class PeerGroup(SettingsGroup):
    """One DICOM node that we talk to. Unknown callers are refused."""

    name: Name
    """Our short name for it, used in routes and logs."""
    ae_title: AETitle
    """Its AE title."""
    host: str
    """Its host name or address."""
    port: Port
    """Its TCP port."""
    roles: frozenset[Role] = frozenset({Role.SOURCE, Role.DESTINATION})
    """source, destination, query: any of them. Query and retrieval are off for a peer without the last."""
    commits: bool = True
    """Whether storage commitment is asked of it after a send."""
    check_address: bool = True
    """Whether it may call us from the address of `host` only. Switch it off behind address translation."""
    max_associations: int = Field(default=0, ge=0, le=1000)
    """Associations that it may have open to us at the same time; 0: no limit of its own."""
    transfer_syntaxes: tuple[str, ...] = ()
    """What we would rather receive from it than our own order says, most wanted first: UIDs, or keywords like
    JPEG2000Lossless."""
    refused_transfer_syntaxes: tuple[str, ...] = ()
    """What we do not receive from it."""
    commitment_on_same_association: bool = False
    """Whether it wants storage commitment results on the association that asked, while that is open."""
    tls: bool = False
    """Whether it is called over TLS."""
    tls_authorities: str = ""
    """PEM file with the authorities that may have signed its certificate; empty: those of the operating system."""
    tls_certificate: str = ""
    """PEM file with the certificate that we show it, and its chain; empty: none."""
    tls_key: str = ""
    """PEM file with the private key of that certificate, without pass phrase."""
    tls_check_host: bool = True
    """Whether its certificate has to name `host`."""
    tls_names: tuple[str, ...] = ()
    """When it calls us: one of these must be the common name or an alternative name in its certificate. Needs
    `listener.tls_client_authorities`."""
    quiet_s: float = Field(default=0.0, ge=0)
    """Quiet time of studies that it sends; 0: that of the listener. Seconds."""
    expected_views: tuple[ExpectedView, ...] = ()
    """A study that it sends is complete as soon as these views are here, such as RCC, LCC, RMLO, LMLO; empty:
    not used."""
    formats: Formats = ()
    """Which forms of results it gets (role destination); empty: those of the route."""
    report: ReportGroup = ReportGroup()
    """What it finds in its Mammography CAD SR (role destination)."""


class RouteGroup(SettingsGroup):
    """What happens to studies from one source."""

    source: Name
    """Name of the peer that the studies come from; `import` for folders."""
    analyses: Annotated[tuple[Name, ...], Field(min_length=1)] = (BUILT_IN,)
    """Which analyses measure each study, each with results of its own: mammography is the built-in one, other names
    are those of `models`."""
    destinations: tuple[Name, ...] = ()
    """Names of the peers that get the results."""
    formats: Formats = DEFAULT_FORMATS
    """Which forms of results are written, by each analysis, for destinations that name none of their own:
    mammography-cad-sr, secondary-capture, density-page, presentation-state, key-objects, segmentation,
    measurement-report, overlay, enhanced-film, cine, enhanced-report, and those of installed packages."""

    @model_validator(mode="after")
    def _each_analysis_once(self) -> Self:
        if len(set(self.analyses)) != len(self.analyses):
            raise ValueError("analyses: each name once")
        return self


class PollGroup(SettingsGroup):
    """Asking the sources for studies by C-FIND."""

    days_back: int = Field(default=2, ge=0, le=36500)
    """How many days before today are asked for."""
    days_per_query: int = Field(default=31, ge=1, le=36500)
    """One C-FIND asks for at most this many days; archives cut long answers off."""
    modality: str = "MG"
    """Modalities in Study (0008,0061) to ask for."""
    move_timeout_s: float = Field(default=600.0, gt=0)
    """A C-MOVE without an answer for this long is given up and tried again next time. Seconds."""


class ClusterGroup(SettingsGroup):
    """Who computes."""

    kind: ClusterWord = ClusterWord.LOCAL
    """local, or address for a standing Dask scheduler."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Worker processes of a local cluster; 0: one per core."""
    worker_memory_gib: float = Field(default=3.0, ge=1.0)
    """Memory of one worker before it is restarted. GiB."""
    address: str = ""
    """Address of the standing scheduler, for example tcp://host:8786."""
    studies_per_shard: int = Field(default=50, ge=1, le=1000)
    """At most this many studies per Prefect task; a task costs about 0.1 s of its own."""


class LimitsGroup(SettingsGroup):
    """Bounds that are checked before memory is taken or a file is written."""

    max_image_megapixels: float = Field(default=120.0, gt=0)
    """Rows x Columns above this are refused. Megapixels."""
    max_object_mib: int = Field(default=4096, ge=1)
    """A larger DICOM object is refused. MiB."""
    min_free_disk_gib: float = Field(default=1.0, ge=0)
    """With less free space than this nothing is accepted (status A700, associations are rejected). GiB."""
    low_disk_gib: float = Field(default=5.0, ge=0)
    """With less free space than this no new association may store; open ones go on. GiB."""


class AdmissionGroup(SettingsGroup):
    """What is refused at the door of what would be measured. All of it is off by default."""

    refuse_lossy: bool = False
    """Lossy compressed images are refused (status C013)."""
    required_attributes: tuple[str, ...] = ()
    """Keywords of attributes that have to be there (else status C012) and have a value (else C013), for example
    StudyDate, Manufacturer, ManufacturerModelName."""
    enabled_devices: tuple[str, ...] = ()
    """If any: Device Serial Numbers or Detector IDs of the devices whose images are taken (else status C010, C011)."""


class DeliveryGroup(SettingsGroup):
    """Sending results."""

    retry_interval_s: float = Field(default=60.0, ge=0)
    """Wait between two tries. Seconds."""
    retry_duration_s: float = Field(default=604800.0, ge=0)
    """After this long a delivery is given up, and reported. Seconds."""
    commitment_association_s: float = Field(default=1.0, gt=0)
    """How long the asking association stays open for the answer to a storage commitment request. Seconds."""
    commitment_timeout_s: float = Field(default=30.0, ge=0)
    """How long a night waits at its end for answers that come on associations of their own. Seconds."""


class Settings(BaseSettings):
    """Everything that a site can set."""

    model_config = SettingsConfigDict(
        env_prefix="REREAD_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    ae_title: AETitle = "REREAD"
    """Our own AE title, called and calling."""
    data: Path = Path("reread-data")
    """Folder for spool, ledger, warehouse, results and reports."""
    ledger_url: str = ""
    """SQLAlchemy URL of the ledger; empty: SQLite in the data folder."""
    language: Language = "en"
    """Of the texts in results: en, de, fr, es, it, nl, pt, sv, ja or zh. Codes stay."""
    models: tuple[Path, ...] = ()
    """Files that each describe an own model, for `routes.analyses`."""
    listener: ListenerGroup = ListenerGroup()
    """Receiving."""
    poll: PollGroup = PollGroup()
    """Fetching."""
    cluster: ClusterGroup = ClusterGroup()
    """Computing."""
    limits: LimitsGroup = LimitsGroup()
    """Bounds."""
    admission: AdmissionGroup = AdmissionGroup()
    """Refusing."""
    delivery: DeliveryGroup = DeliveryGroup()
    """Sending."""
    peers: tuple[PeerGroup, ...] = ()
    """The DICOM nodes that we know."""
    routes: tuple[RouteGroup, ...] = ()
    """Source, analyses, destinations, formats."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [peer.name for peer in self.peers]
        if len(set(names)) != len(names):
            raise ValueError("two peers have the same name")
        known = {peer.name: peer for peer in self.peers}
        for route in self.routes:
            if route.source != "import" and route.source not in known:
                raise ValueError(f"routes: source {route.source!r} is no peer")
            for destination in route.destinations:
                if destination not in known:
                    raise ValueError(f"routes: destination {destination!r} is no peer")
                if Role.DESTINATION not in known[destination].roles:
                    raise ValueError(f"routes: peer {destination!r} does not have the role destination")
        for peer in self.peers:
            if Role.DESTINATION not in peer.roles and (peer.formats or peer.report != ReportGroup()):
                raise ValueError(f"peer {peer.name!r}: formats and report are for the role destination")
            if peer.tls_names and not self.listener.tls_client_authorities:
                raise ValueError(f"peer {peer.name!r}: tls_names needs listener.tls_client_authorities")
            if not peer.tls and (peer.tls_authorities or peer.tls_certificate or peer.tls_key):
                raise ValueError(f"peer {peer.name!r}: files for TLS, but tls = false")
        if bool(self.listener.tls_certificate) != bool(self.listener.tls_key):
            raise ValueError("listener.tls_certificate and listener.tls_key need each other")
        if self.listener.tls_client_authorities and not self.listener.tls_certificate:
            raise ValueError("listener.tls_client_authorities needs listener.tls_certificate")
        if self.cluster.kind is ClusterWord.ADDRESS and not self.cluster.address:
            raise ValueError("cluster.address is needed with cluster.kind = 'address'")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file; no .env files, no secrets folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def resolved_ledger_url(self) -> str:
        return self.ledger_url or f"sqlite:///{(self.data / 'ledger.sqlite').resolve()}"

    def peer(self, name: str) -> PeerGroup:
        """The peer of that name (KeyError when there is none; validation has checked routes)."""
        return next(peer for peer in self.peers if peer.name == name)


def load_settings(path: Path | None = None) -> Settings:
    """Read and check the settings.

    Parameters
    ----------
    path
        The TOML file; None takes the one named by ``REREAD_SETTINGS``, else ``site.toml`` if it exists.

    Raises
    ------
    SettingsInvalid
        One line per wrong field, with its dotted name.
    """
    named = os.environ.get(SETTINGS_FILE_VARIABLE)
    chosen = path or (Path(named) if named else None)
    if chosen is not None and not chosen.is_file():
        raise SettingsInvalid(f"no settings file at {chosen}")
    chosen = chosen or DEFAULT_FILE

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=chosen)

    try:
        loaded = FromFile()
        return Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields})
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors())
        raise SettingsInvalid("\n".join(lines)) from error
    except ValueError as error:  # the TOML itself
        raise SettingsInvalid(f"{chosen}: {error}") from error
