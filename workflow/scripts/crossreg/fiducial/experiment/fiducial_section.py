"""The section `fiducial` of the configuration: registration without pyHiM's parameters.json.

Every parameter has a plain name there; the schema says which parameter of pyHiM it stands for, so
that all that follows knows one set of names.
"""

from collections.abc import Mapping
from typing import Any

from crossreg.fiducial.experiment.parameters import (
    PLAIN,
    PLAIN_SCHEMA_FILE,
    Parameters,
    default_parameters,
)
from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.io.schema import checked

PROJECTIONS = {"maximum": "MIP", "sum": "sum"}


def completed_section(section: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a section `fiducial` with all defaults; raise UserError as `parameters_of_section`."""
    parameters_of_section(section, source)
    completed: dict[str, Any] = checked(dict(section), read_json(PLAIN_SCHEMA_FILE), source)
    return completed


def parameters_of_section(section: Mapping[str, Any], source: str) -> Parameters:
    """Return the parameters of a section `fiducial`, with defaults; raise UserError if faulty.

    `source` is what errors call it. Pixel sizes that are not given are None: the files say them.
    """
    schema = read_json(PLAIN_SCHEMA_FILE)
    given = checked(dict(section), schema, source)
    values = default_parameters()
    for key, part in schema["properties"].items():
        if isinstance(part.get("pyhim"), str):
            values[part["pyhim"]] = given[key]
    values |= _of_other_form(given, source)
    if values["3D_lower_threshold"] >= values["3D_higher_threshold"]:
        raise UserError(
            f"{source}: 'quality_lower_threshold' is {values['3D_lower_threshold']}; it must be"
            f" below 'quality_upper_threshold' ({values['3D_higher_threshold']})."
        )
    return Parameters(values, (), PLAIN)


def _of_other_form(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the parameters whose values are written in another form than pyHiM's."""
    channel = given["channel"]
    values = {
        "channel": "" if channel is None else str(channel),
        "frames": given["frames"],
        "localAlignment": "block3D" if given["local"] else "None",
        "zProjectOption": PROJECTIONS[given["projection"]],
        "pixelSizeXY": given["pixel_size_um"]["xy"],
        "pixelSizeZ": given["pixel_size_um"]["z"],
        "files_are_wrong": given["pixel_size_um"]["files_are_wrong"],
        "resample_z": given["resample_z"],
    }
    sizes = given["pixel_size_um"]
    if sizes["files_are_wrong"] and None in (sizes["xy"], sizes["z"]):
        raise UserError(
            f"{source}: 'pixel_size_um.files_are_wrong' is true; give xy and z beside it."
        )
    if sizes["files_are_wrong"] and given["resample_z"]:
        raise UserError(
            f"{source}: 'resample_z' needs the distance of planes that the files say, which"
            " 'pixel_size_um.files_are_wrong' says not to believe; leave one of them out."
        )
    planes = given["projection_planes"]
    if planes is None:
        return values
    first, stop = planes
    if first >= stop:
        raise UserError(
            f"{source}: 'projection_planes' is [{first}, {stop}]; the first plane must be below"
            " the one before which the projection stops."
        )
    return values | {"mode": "manual", "zmin": first, "zmax": stop}
