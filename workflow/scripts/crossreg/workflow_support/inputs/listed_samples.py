"""The stacks that a sheet of the user lists."""

import dataclasses
import os

from crossreg.fiducial.experiment.file_names import FileNames, names_by_expression
from crossreg.fiducial.experiment.parameters import Parameters
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError
from crossreg.io.sheet import read_sheet
from crossreg.workflow_support.inputs.configuration import absolute


def listed_samples(sheet: str, parameters: Parameters, must_exist: bool) -> list[Sample]:
    """Return the samples of the user's sheet; raise UserError if files are missing.

    Channel and run number of names that pyHiM's expression describes are taken from these.
    Channel and frames are those of the sheet; else the fiducial's of the section `fiducial`.
    """
    channel, frames = (str(parameters.values.get(key, "")) for key in ("channel", "frames"))
    names = names_by_expression(parameters["fileNameRegExp"])
    samples = [
        dataclasses.replace(
            sample,
            path=_path_of(sample.path, os.path.dirname(sheet)),
            channel=sample.channel or channel,
            frames=sample.frames or frames,
        )
        for sample in read_sheet(sheet)
    ]
    samples = [_with_parts_of_name(sample, names) for sample in samples]
    missing = [sample for sample in samples if not os.path.exists(sample.path)]
    if missing and must_exist:
        raise UserError(
            f"{missing[0].origin}: there is no such file ({len(missing)} of {len(samples)} in the"
            " sheet are not there); correct the path."
        )
    return samples


def _with_parts_of_name(sample: Sample, names: FileNames) -> Sample:
    """Return a listed sample with what the name of its file says beside ROI and cycle."""
    said = names.parsed(sample.path)
    if said is None:
        return sample
    return dataclasses.replace(sample, named_channel=said.channel or "", run=said.run or "")


def _path_of(path: str, folder: str) -> str:
    """Return the absolute path that a sheet names; it may have been written on Windows."""
    found = absolute(path, folder)
    if "\\" in path and not os.path.exists(found):
        return absolute(path.replace("\\", "/"), folder)
    return found
