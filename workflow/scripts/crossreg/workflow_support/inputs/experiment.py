"""What is registered in a run: the stacks, the parameters, the shifts that the user gave."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from crossreg.fiducial.experiment.fiducial_section import parameters_of_section
from crossreg.fiducial.experiment.file_names import (
    FileNames,
    names_by_expression,
    names_by_template,
)
from crossreg.fiducial.experiment.parameters import PLAIN, Parameters, channel_key, read_parameters
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError, one_line
from crossreg.io.given_shifts import GivenShifts
from crossreg.io.plurals import counted
from crossreg.io.sheet import ALL_COLUMNS, read_sheet, sheet_text
from crossreg.workflow_support.inputs.discovery import (
    check_found,
    check_told_apart,
    other_channels,
    select_fiducials,
)
from crossreg.workflow_support.inputs.found_files import files_beside, find_files
from crossreg.workflow_support.inputs.gaps import Gap, gaps, gaps_words
from crossreg.workflow_support.inputs.listed_samples import listed_samples
from crossreg.workflow_support.inputs.sample_checks import check_samples
from crossreg.workflow_support.inputs.wanted_stacks import named_cycles, named_rois, restrict

GIVE_PIXEL_SIZE = "give it with pixel_size_um: {xy: , z: } in the section 'fiducial'."
SIZE_OF_ONE_PLANE = 1.0
"""Distance of planes, in um, that stands where there is one plane and so no distance."""


@dataclass
class Experiment:
    """The stacks of a run and their parameters, and what to say about them.

    `others` are the stacks of other channels of the samples' cycles, in files of their own.
    `ignored` are lines about the files that are no fiducial stacks.
    """

    parameters: Parameters
    samples: list[Sample]
    others: list[Sample] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """Return the name of the cycle that all others are registered to."""
        name: str = self.parameters["referenceFiducial"]
        return name

    def take_pixel_size(self, xy: str | None, z: str | None) -> bool:
        """Take a pixel size (um, as text) where the parameters say none; return if all is known.

        The samples carry it to the jobs.
        """
        values = self.parameters.values
        for key, text in (("pixelSizeXY", xy), ("pixelSizeZ", z)):
            if values[key] is None and text:
                values[key] = float(text)
        self.samples = [
            dataclasses.replace(one, pixel_xy=xy or "", pixel_z=z or "") for one in self.samples
        ]
        return values["pixelSizeXY"] is not None and values["pixelSizeZ"] is not None

    def find_others(self, files: Iterable[str]) -> None:
        """Find the stacks of other channels of listed samples among these files."""
        names = names_by_expression(self.parameters["fileNameRegExp"])
        self.others = other_channels(files, self.samples, names)

    @property
    def sheet(self) -> str:
        """Return the text of the table of its stacks, with all columns."""
        return sheet_text(self.samples)

    @property
    def sheet_for_jobs(self) -> str:
        """Return the same with the stacks of other channels at the end."""
        return sheet_text([*self.samples, *self.others])


def experiment_of_run(
    configuration: Mapping[str, Any], sheet: Path | str, is_job: bool, is_demo: bool
) -> Experiment:
    """Return the experiment; a job on another node looks for no images, but reads the sheet.

    That is what the main process found and wrote. Raises UserError as `find_experiment` does.
    """
    known = _known_experiment(configuration, sheet) if is_job else None
    return known or find_experiment(configuration, is_demo)


def _known_experiment(configuration: Mapping[str, Any], sheet: Path | str) -> Experiment | None:
    """Return the experiment that was written to `sheet`; None without it, or if it was moved."""
    parameters = _parameters(configuration)
    try:
        samples = read_sheet(sheet, ALL_COLUMNS)
    except UserError:
        return None
    if not os.path.exists(samples[0].path):
        return None
    known = Experiment(parameters, [])
    fiducials = by_cycle(reversed(samples))
    for sample in samples:
        is_fiducial = fiducials[sample.roi, sample.cycle] is sample
        (known.samples if is_fiducial else known.others).append(sample)
    known.take_pixel_size(samples[0].pixel_xy, samples[0].pixel_z)
    return known


def _parameters(configuration: Mapping[str, Any]) -> Parameters:
    """Return the parameters of either way to write them."""
    if "fiducial" in configuration:
        return parameters_of_section(configuration["fiducial"], "The section 'fiducial'")
    return read_parameters(configuration["parameters"])


def find_experiment(configuration: Mapping[str, Any], is_demo: bool = False) -> Experiment:
    """Return the experiment that the configuration describes, complete and checked.

    The stacks of the demo need not be there yet. Raises UserError for whatever names, folders and
    tables show to be wrong. No image is opened, but for a reference where nobody says the size of
    its pixels.
    """
    parameters = _parameters(configuration)
    experiment = Experiment(parameters, [], warnings=list(parameters.warnings))
    if "samples" in configuration:
        experiment.samples = listed_samples(
            configuration["samples"], parameters, must_exist=not is_demo
        )
        seen = set()
    else:
        seen = _find_in_folder(experiment, configuration)
    _tell_cycles_of_unknown_kind(experiment)
    there = by_cycle(experiment.samples)
    wanted = (
        named_rois("rois", configuration["rois"], {roi for roi, _ in there}),
        named_cycles("cycles", configuration["cycles"], {cycle for _, cycle in there}),
    )
    kept = restrict(there, experiment.reference, *wanted)
    experiment.samples = [one for one in sorted(experiment.samples) if (one.roi, one.cycle) in kept]
    check_samples(experiment.samples, experiment.reference, parameters.spelt("referenceFiducial"))
    seen = restrict(seen, experiment.reference, *wanted)
    experiment.gaps = gaps(experiment.samples, seen)
    if experiment.gaps:
        experiment.warnings.append(gaps_words(experiment.gaps))
    if "samples" in configuration:
        experiment.find_others(files_beside(experiment.samples))
    if configuration["register_global"]:
        _add_given_shifts(experiment, configuration["register_global"])
    if parameters["pixelSizeXY"] is None or parameters["pixelSizeZ"] is None:
        _find_pixel_size(experiment)
    return experiment


def _find_pixel_size(experiment: Experiment) -> None:
    """Take the pixel size from the first reference whose file says it; raise UserError if none.

    Only where all references have one plane, no distance of planes is needed.
    """
    try:
        # Only here: a dry run of a large experiment needs no library of images.
        from crossreg.io.read_stacks import read_header
    except ImportError:
        raise UserError(f"No image can be read where Snakemake runs; {GIVE_PIXEL_SIZE}") from None
    references = [one for one in experiment.samples if one.cycle == experiment.reference]
    fault = ""
    for sample in references:
        try:
            header = read_header(sample.path, sample.choice)
        except UserError as error:
            fault = fault or str(error)
            continue
        z, _, x = header.pixel_size_um
        z = SIZE_OF_ONE_PLANE if header.shape_zyx[0] == 1 else z
        texts = [None if size is None else decimals(float(f"{size:.6g}")) for size in (x, z)]
        if experiment.take_pixel_size(*texts):
            experiment.remarks.append(
                f"Pixel size of {sample.path}: {experiment.parameters['pixelSizeXY']:g} um,"
                f" planes every {experiment.parameters['pixelSizeZ']:g} um."
            )
            return
        fault = f"{sample.path}: the file does not say its pixel size; {GIVE_PIXEL_SIZE}"
    raise UserError(fault)


def _find_in_folder(
    experiment: Experiment, configuration: Mapping[str, Any]
) -> set[tuple[str, str]]:
    """Add the fiducial stacks below the folder `images`; return all (ROI, cycle) seen there."""
    folder = configuration["images"]
    files = find_files(folder, without=[configuration["results"]])
    names = file_names(configuration, experiment.parameters)
    found = select_fiducials(files, experiment.parameters, names)
    check_found(found, folder, names, experiment.parameters)
    check_told_apart(found, folder, names)
    ignored = {
        "of another channel": found.other_channels,
        f"not matched by {names.key}": found.unmatched,
        "no image": found.no_images,
    }
    counts = ", ".join(f"{len(paths)} {kind}" for kind, paths in ignored.items() if paths)
    experiment.samples, experiment.others = found.samples, found.others
    experiment.ignored = [
        f"{kind}: {one_line(path)}" for kind, paths in ignored.items() for path in paths
    ]
    experiment.remarks.append(
        f"{counted(len(found.samples), 'fiducial stack')} in {folder}; ignored: {counts or 'none'}."
    )
    alike = [path for path in found.unmatched if names.parsed(_other_tiff(path))]
    if alike:
        experiment.warnings.append(
            f"{one_line(alike[0])}: this and {counted(len(alike) - 1, 'other file')} are left out:"
            f" {names.key} describes them but for their ending; rename them, or write it such that"
            " it describes .tif and .tiff."
        )
    return found.seen_cycles


def _other_tiff(path: str) -> str:
    """Return a path with .tiff in place of .tif, and the other way round."""
    stem, ending = os.path.splitext(path)
    return stem + {".tif": ".tiff", ".tiff": ".tif"}.get(ending.lower(), ending)


def file_names(configuration: Mapping[str, Any], parameters: Parameters) -> FileNames:
    """Return how the files are named: by the user's template, else by pyHiM's expression."""
    if "file_names" in configuration:
        return names_by_template(configuration["file_names"])
    return names_by_expression(parameters["fileNameRegExp"])


def _tell_cycles_of_unknown_kind(experiment: Experiment) -> None:
    """Remark which cycles are neither RT, mask nor DAPI: they use fiducialBarcode_channel."""
    if experiment.parameters.written_in == PLAIN:
        return
    names = sorted({sample.cycle for sample in experiment.samples if not sample.listed_in})
    others = [name for name in names if channel_key(name) is None]
    if others:
        channel = experiment.parameters["fiducialBarcode_channel"]
        experiment.remarks.append(
            f"Fiducial of {', '.join(others[:20])}: {channel}, as for RT cycles."
        )


def _add_given_shifts(experiment: Experiment, path: str) -> None:
    """Give the samples the user's global shifts; warn about entries that match none."""
    given = GivenShifts(path)
    references = {
        sample.roi: sample.path
        for sample in experiment.samples
        if sample.cycle == experiment.reference
    }
    result = []
    for sample in experiment.samples:
        if sample.cycle != experiment.reference:
            shift = given.shift(sample.roi, sample.cycle, sample.path, references[sample.roi])
            if shift is not None:
                x, y = map(decimals, shift)
                sample = dataclasses.replace(sample, given_x=x, given_y=y)
            else:
                experiment.remarks.append(
                    f"ROI {sample.roi}, cycle {sample.cycle} is not in {given.path}: its global"
                    " shift comes from the z-projections."
                )
        result.append(sample)
    experiment.samples = result
    unused = given.unused()
    if unused:
        experiment.warnings.append(
            f"{given.path}: entries that match no stack: {len(unused)}, such as '{unused[0]}'."
        )


def decimals(number: float) -> str:
    """Return a number without exponent: a command takes -1e-05 for one of its options."""
    return format(Decimal(repr(number)), "f")


def by_cycle(samples: Iterable[Sample]) -> dict[tuple[str, str], Sample]:
    """Return (ROI, cycle) -> its sample."""
    return {(sample.roi, sample.cycle): sample for sample in samples}
