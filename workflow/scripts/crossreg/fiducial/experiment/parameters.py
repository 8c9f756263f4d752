"""pyHiM's parameters.json: the values that registration uses, and what to say about the rest."""

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.io.schema import checked, nearest

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "schemas" / "parameters.json"
PLAIN_SCHEMA_FILE = SCHEMA_FILE.with_name("fiducial.json")
LABEL = "fiducial"

# Accepted for pyHiM's sake: the method here has no use for them.
WITHOUT_EFFECT = ("lower_threshold", "higher_threshold", "tolerance", "upsample_factor")

# Keys of other pyHiM features in the same sections, which look like registration keys.
OTHER_FEATURES = {
    "acquisition": {
        "DAPI_channel",
        "RNA_channel",
        "barcode_channel",
        "mask_channel",
        "label_channel",
        "label_channel_fiducial",
        "parallelizePlanes",
        "positionROIinformation",
    },
    "zProject": {"blockSize", "display", "folder", "operation", "saveImage", "windowSecurity"}
    | {"zwindows"},
    "alignImages": {"folder", "operation", "register_global_folder", "register_local_folder"},
}
ALIASES = {
    "_3D_lower_threshold": "3D_lower_threshold",
    "_3D_higher_threshold": "3D_higher_threshold",
    # As pyHiM's own files spell it, too.
    "z_project_option": "zProjectOption",
}
# What the local step takes; the reference is prepared with the same.
LOCAL_PARAMETERS = (
    "zBinning",
    "blockSizeXY",
    "3D_lower_threshold",
    "3D_higher_threshold",
    "background_sigma",
)
REQUIRED_GROUPS = ("cycle", "roi", "channel")


PYHIM, PLAIN = "pyhim", "fiducial"
"""The two files in which users write parameters: pyHiM's, or the section `fiducial`."""


@dataclass(frozen=True)
class Parameters:
    """Values by key of parameters.json, and sentences to warn the user with.

    `written_in` says in which of the two files the user wrote them.
    """

    values: dict[str, Any]
    warnings: tuple[str, ...]
    written_in: str = PYHIM

    def spelt(self, key: str) -> str:
        """Return a key as the user writes it."""
        return spelt(key, self.written_in)

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key, whatever its section."""
        return self.values[key]


def read_parameters(path: Path | str) -> Parameters:
    """Return the registration parameters of the label fiducial from a parameters.json.

    Raises UserError if the file is missing or malformed, or a value is not allowed.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("common"), dict):
        raise UserError(f"{path}: the key 'common' is missing; add it as in pyHiM's example file.")
    schema = read_json(SCHEMA_FILE)
    values: dict[str, Any] = {}
    for section in schema["properties"]:
        given = _effective(content, section, path)
        values |= checked({section: given}, schema, str(path))[section]
    warnings = _not_read(content, schema, path)
    known = by_key(schema)
    parameters = {key: values[key] for key in known}
    warnings += _without_effect(content, parameters, path)
    _check_together(parameters, path)
    return Parameters(parameters, tuple(warnings))


def default_parameters() -> dict[str, Any]:
    """Return the default of every registration parameter, by its key of parameters.json."""
    return {key: part["default"] for key, part in by_key(read_json(SCHEMA_FILE)).items()}


def spelt(key: str, written_in: str) -> str:
    """Return a key as it stands in one of the two files, for messages."""
    if written_in == PYHIM:
        sections = read_json(SCHEMA_FILE)["properties"].items()
        return next(f"{name}.{key}" for name, part in sections if key in part["properties"])
    plain = read_json(PLAIN_SCHEMA_FILE)["properties"].items()
    name = next(name for name, part in plain if key in _stands_for(part))
    return f"{PLAIN}.{name}"


def spelt_planes(written_in: str) -> str:
    """Return what selects the planes to project, as it stands in one of the two files."""
    return " and ".join(dict.fromkeys(spelt(key, written_in) for key in ("zmin", "zmax")))


def projected_planes(values: dict[str, Any], z_step: float = 1.0) -> slice:
    """Return the planes (before binning) that the global step projects.

    They are `z_step` planes of the reference apart, of which the user speaks.
    """
    if values["mode"] != "manual":
        return slice(None)
    return slice(*(math.ceil(values[end] / z_step) for end in ("zmin", "zmax")))


def fiducial_channel(cycle: str, parameters: Parameters) -> str:
    """Return the channel of the fiducial in a cycle; empty if it is the only one there is.

    The section `fiducial` has one for all cycles; pyHiM's depends on the cycle's name.
    """
    if parameters.written_in == PLAIN:
        return str(parameters["channel"])
    return str(parameters[channel_key(cycle) or "fiducialBarcode_channel"])


def channel_key(cycle: str) -> str | None:
    """Return the key that names a cycle's fiducial channel; None if the name is of no known kind.

    MERFISH and EASI-FISH cycles, for example, are of no kind that pyHiM knows.
    """
    if "RT" in cycle:
        return "fiducialBarcode_channel"
    if "mask" in cycle:
        return "fiducialMask_channel"
    return "fiducialDAPI_channel" if cycle == "DAPI" else None


def _stands_for(part: Mapping[str, Any]) -> Sequence[str]:
    """Return the keys of pyHiM that a key of the section `fiducial` stands for, by its schema."""
    named = part.get("pyhim", ())
    return (named,) if isinstance(named, str) else named


def by_key(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schema of each registration key by its name (no name stands in two sections)."""
    sections = schema["properties"].values()
    return {key: part for section in sections for key, part in section["properties"].items()}


def _effective(content: dict[str, Any], section: str, path: Path | str) -> dict[str, Any]:
    """Return a section of `common` under the overrides of the label, aliases renamed."""
    labels = _section(content, "labels", "", path)
    label = _section(labels, LABEL, "labels.", path)
    merged: dict[str, Any] = {}
    for name, where in (("common", content["common"]), (f"labels.{LABEL}", label)):
        part = _section(where, section, f"{name}.", path)
        merged |= {ALIASES.get(key, key): value for key, value in part.items()}
    return merged


def _section(content: dict[str, Any], key: str, prefix: str, path: Path | str) -> dict[str, Any]:
    """Return a section, {} if there is none; raise UserError if it is none."""
    part = content.get(key)
    if not isinstance(part, dict | None):
        raise UserError(
            f"{path}: the key '{prefix}{key}' has the value {part!r}; it must be a section with"
            " keys."
        )
    return part or {}


def _not_read(content: dict[str, Any], schema: dict[str, Any], path: Any) -> list[str]:
    """Return warnings of sections and keys that look like known ones, but are not read."""
    labels = content.get("labels") or {}
    sections = {name: set(part["properties"]) for name, part in schema["properties"].items()}
    in_common = {"common": set(sections)}
    warnings = _unknown(content, "", {"common", "labels"}, path, elsewhere=in_common)
    warnings += _unknown(labels, "labels.", {LABEL}, path, elsewhere=in_common)
    parts = {"common": content["common"], f"labels.{LABEL}": labels.get(LABEL) or {}}
    for prefix, part in parts.items():
        warnings += _unknown(part, f"{prefix}.", set(sections), path, elsewhere=sections)
        for name, keys in sections.items():
            given = part.get(name)
            if isinstance(given, dict):
                ignored = OTHER_FEATURES[name] | set(ALIASES)
                warnings += _unknown(given, f"{prefix}.{name}.", keys, path, ignored, sections)
    return warnings


def _unknown(
    given: dict[str, Any],
    prefix: str,
    known: Set[str],
    path: Path | str,
    ignored: Set[str] = frozenset(),
    elsewhere: Mapping[str, Set[str]] = MappingProxyType({}),
) -> list[str]:
    """Return a warning for each key that is not among `known` and was likely meant to be read.

    It is near a known one, or is one of a section in `elsewhere`. Others belong to other features.
    """
    warnings = []
    for key in given.keys() - known - ignored:
        section = next((name for name, keys in elsewhere.items() if key in keys), None)
        guess = nearest(key, sorted(known | ignored))
        if section or guess in known:
            advice = f"move it to '{section}'." if section else f"did you mean '{guess}'?"
            warnings.append(f"{path}: '{prefix}{key}' is not known and has no effect; {advice}")
    return sorted(warnings)


def _without_effect(content: dict[str, Any], values: dict[str, Any], path: Any) -> list[str]:
    given = _effective(content, "alignImages", path)
    unused = [key for key in WITHOUT_EFFECT if key in given]
    warnings = []
    if unused:
        warnings.append(f"{path}: accepted, but without effect here: {', '.join(unused)}.")
    if values["mode"] not in ("full", "manual"):
        warnings.append(f"{path}: zProject.mode '{values['mode']}' is taken as 'full'.")
    return warnings


def _check_together(values: dict[str, Any], path: Path | str) -> None:
    """Raise UserError where values are allowed each but not together."""
    if values["mode"] == "manual" and values["zmin"] >= values["zmax"]:
        raise UserError(
            f"{path}: zProject.zmin is {values['zmin']} and zmax is {values['zmax']};"
            " zmin must be below zmax."
        )
    if values["3D_lower_threshold"] >= values["3D_higher_threshold"]:
        raise UserError(
            f"{path}: alignImages.3D_lower_threshold is {values['3D_lower_threshold']};"
            f" it must be below 3D_higher_threshold ({values['3D_higher_threshold']})."
        )
    try:
        groups = re.compile(values["fileNameRegExp"]).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(
            f"{path}: acquisition.fileNameRegExp is not a regular expression ({error}); correct it."
        ) from None
    missing = [group for group in REQUIRED_GROUPS if group not in groups]
    if missing:
        raise UserError(
            f"{path}: acquisition.fileNameRegExp has no group (?P<{missing[0]}>...);"
            " it needs the groups cycle, roi and channel."
        )
