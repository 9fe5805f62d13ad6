"""The file that describes a site's own model, and the models of a site's routes."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reread.analytics.errors import SettingsInvalid
from reread.analytics.measurement import NAME
from reread.analytics.model_input import InputPreparation, Orientation, WindowOf
from reread.analytics.model_output import OutputKind, OutputMapping
from reread.analytics.records import FindingKind
from reread.connectors.onnx_models import OnnxModel, check_model, sha256_of_weights
from reread.deployments.settings import BUILT_IN, Name, Settings

Side = Annotated[int, Field(ge=16, le=8192)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InputGroup(_Group):
    """The input tensor: 1 x channels x rows x columns, float32, brighter meaning denser."""

    name: str = ""
    """Name of the input; empty: the only one."""
    rows: Side
    """Its height. Pixels."""
    columns: Side
    """Its width. Pixels."""
    spacing_mm: float = Field(default=0.0, ge=0, le=20)
    """Distance of its pixels; the breast has to fit. 0: the whole image is fitted in, sides in proportion. mm."""
    channels: int = Field(default=1, ge=1, le=16)
    """How many channels; each gets the same picture."""
    orientation: Orientation = Orientation.CHEST_WALL_LEFT
    """Mirrored so that the chest wall is on the left, or as stored."""
    window_of: WindowOf = WindowOf.STORED
    """What `window` holds: values, 0…1 over the stored range, or quantiles of the breast's pixels."""
    window: tuple[float, float] = (0.0, 1.0)
    """Lower and upper bound; values beyond are cut."""
    scaled_to: tuple[float, float] = (0.0, 1.0)
    """What the bounds become. Outside the image the tensor holds the first."""

    @model_validator(mode="after")
    def _bounds_rise(self) -> Self:
        if not 0.0 <= self.window[0] < self.window[1] <= 1.0:
            raise ValueError("window: two rising numbers from 0 to 1")
        if self.scaled_to[0] == self.scaled_to[1]:
            raise ValueError("scaled_to: two different numbers")
        return self


class OutputGroup(_Group):
    """What the output tensor means."""

    name: str = ""
    """Name of the output; empty: the only one."""
    kind: OutputKind
    """One score of the image; a map of scores over the input, of any coarser size; or a percent density."""
    finding: FindingKind = FindingKind.MASS
    """What a score or a maximum of the map is a finding of."""
    channel: int = Field(default=0, ge=0)
    """Which one, if the output has several classes."""
    logits: bool = False
    """Whether the output is a logit; its logistic function is the score."""
    scale: float = Field(default=1.0, gt=0)
    """density: percent per unit of the output; 100 for a fraction."""
    least_score: float = Field(default=0.05, ge=0, le=1)
    """Lower scores are no findings."""
    apart_mm: float = Field(default=10.0, ge=0)
    """Of two maxima nearer than this the higher one counts. mm."""
    most: int = Field(default=20, ge=1, le=1000)
    """So many findings of an image at most."""
    marks_from: tuple[float, ...] = ()
    """Three falling scores from which operating points 0, 1 and 2 mark a finding; empty: nothing is marked, all
    findings stand in the tables."""

    @model_validator(mode="after")
    def _marks_fall(self) -> Self:
        falling = tuple(sorted(self.marks_from, reverse=True)) == self.marks_from
        if self.marks_from and (len(self.marks_from) != 3 or not falling):
            raise ValueError("marks_from: three falling numbers, or none")
        return self


class ModelGroup(_Group):
    """A model."""

    name: Name
    """Name of the algorithm in every row and object, and in `routes.analyses`."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,15}$")]
    """Its version."""
    file: Path
    """The ONNX file; relative to this file's folder. Weights in files beside it are not read."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    """SHA-256 of it; another file is refused. Empty: whatever is there; results name it all the same."""
    input: InputGroup
    """The input."""
    output: OutputGroup
    """The output."""

    @model_validator(mode="after")
    def _name_is_free(self) -> Self:
        if self.name in (BUILT_IN, NAME):
            raise ValueError(f"name: {self.name} is the built-in analysis")
        return self


def read_model(path: Path) -> OnnxModel:
    """Read the description of a model and digest its file; `check_model` opens it.

    Raises
    ------
    SettingsInvalid
        One line per wrong field, or the file is not there.
    """
    try:
        group = ModelGroup.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsInvalid(f"model description {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        lines = (f"{path}: {'.'.join(map(str, item['loc'])) or 'model'}: {item['msg']}" for item in error.errors())
        raise SettingsInvalid("\n".join(lines)) from error
    except ValueError as error:  # the TOML itself
        raise SettingsInvalid(f"{path}: {error}") from error
    file = (path.parent / group.file).resolve()
    preparation = {name: getattr(group.input, name) for name in InputPreparation.__slots__}
    mapping = {name: getattr(group.output, name) for name in OutputMapping.__slots__}
    model = OnnxModel(
        group.name,
        group.version,
        file,
        group.sha256.lower(),
        InputPreparation(**preparation),
        OutputMapping(**mapping),
        group.input.name,
        group.output.name,
    )
    return model if model.sha256 else replace(model, sha256=sha256_of_weights(file))


def usable_model(path: Path) -> OnnxModel:
    """`read_model`, opened and tried once (SettingsInvalid)."""
    model = read_model(path)
    check_model(model)
    return model


def route_models(settings: Settings) -> dict[str, OnnxModel | None]:
    """The analyses that the routes name; None is the built-in one. Models are tried, so a fault shows at start.

    Raises
    ------
    SettingsInvalid
        A route names no known analysis, two models have one name, or a model that is used cannot be.
    """
    models: dict[str, OnnxModel | None] = {BUILT_IN: None}
    for path in settings.models:
        model = read_model(path)
        if model.name in models:
            raise SettingsInvalid(f"models: two of them are named {model.name}")
        models[model.name] = model
    used: dict[str, OnnxModel | None] = {}
    for route in settings.routes:
        for name in route.analyses:
            if name not in models:
                raise SettingsInvalid(f"routes: {name!r} is neither {BUILT_IN} nor one of the models")
            used[name] = models[name]
    for used_model in used.values():
        if used_model is not None:
            check_model(used_model)
    return used
