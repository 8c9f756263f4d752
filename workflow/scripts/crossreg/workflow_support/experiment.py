"""What is registered in a run: the stacks, the parameters, the shifts that the user gave."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from crossreg.fiducial.experiment.parameters import Parameters, channel_key, read_parameters
from crossreg.fiducial.experiment.sample import Sample
from crossreg.io.errors import UserError, one_line
from crossreg.io.given_shifts import GivenShifts
from crossreg.io.sheet import ALL_COLUMNS, read_sheet, sheet_text
from crossreg.io.words import counted
from crossreg.workflow_support import discovery
from crossreg.workflow_support.configuration import absolute
from crossreg.workflow_support.gaps import gaps, gaps_words
from crossreg.workflow_support.missing import Gap


@dataclass
class Experiment:
    """The stacks of a run and their parameters, and what to say about them.

    `ignored` are lines about the files that are no fiducial stacks.
    """

    parameters: Parameters
    samples: list[Sample]
    gaps: list[Gap] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """Return the name of the cycle that all others are registered to."""
        name: str = self.parameters["referenceFiducial"]
        return name

    @property
    def sheet(self) -> str:
        """Return the text of the table of its stacks, with all columns."""
        return sheet_text(self.samples)


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
    parameters = read_parameters(configuration["parameters"])
    try:
        samples = read_sheet(sheet, ALL_COLUMNS)
    except UserError:
        return None
    return Experiment(parameters, samples) if os.path.exists(samples[0].path) else None


def find_experiment(configuration: Mapping[str, Any], is_demo: bool = False) -> Experiment:
    """Return the experiment that the configuration describes, complete and checked.

    The stacks of the demo need not be there yet. Raises UserError for whatever names, folders and
    tables show to be wrong. No image is opened.
    """
    parameters = read_parameters(configuration["parameters"])
    experiment = Experiment(parameters, [], warnings=list(parameters.warnings))
    if "samples" in configuration:
        experiment.samples = _listed(configuration["samples"], must_exist=not is_demo)
        seen = set()
    else:
        seen = _find_in_folder(experiment, configuration)
    wanted = (configuration["rois"], configuration["cycles"])
    _tell_cycles_of_unknown_kind(experiment)
    experiment.samples = discovery.restrict(experiment.samples, experiment.reference, *wanted)
    discovery.check_samples(experiment.samples, experiment.reference)
    seen = discovery.restrict_names(seen, experiment.reference, *wanted)
    experiment.gaps = gaps(experiment.samples, seen)
    if experiment.gaps:
        experiment.warnings.append(gaps_words(experiment.gaps))
    if configuration["register_global"]:
        _add_given_shifts(experiment, configuration["register_global"])
    return experiment


def _listed(sheet: str, must_exist: bool) -> list[Sample]:
    """Return the samples of the user's sheet; raise UserError if files are missing."""
    samples = [
        dataclasses.replace(sample, path=absolute(sample.path, os.path.dirname(sheet)))
        for sample in read_sheet(sheet)
    ]
    missing = [sample for sample in samples if not os.path.isfile(sample.path)]
    if missing and must_exist:
        raise UserError(
            f"{missing[0].place}: there is no such file ({len(missing)} of {len(samples)} in the"
            " sheet are not there); correct the path."
        )
    return samples


def _find_in_folder(
    experiment: Experiment, configuration: Mapping[str, Any]
) -> set[tuple[str, str]]:
    """Add the fiducial stacks below the folder `images`; return all (ROI, cycle) seen there."""
    folder = configuration["images"]
    files = discovery.find_files(folder, without=[configuration["results"]])
    found = discovery.select_fiducials(files, experiment.parameters)
    discovery.check_found(found, folder)
    ignored = {
        "of another channel": found.other_channels,
        "not matched by fileNameRegExp": found.unmatched,
        "not TIFF": found.no_images,
    }
    counts = ", ".join(f"{len(paths)} {kind}" for kind, paths in ignored.items() if paths)
    experiment.samples = found.samples
    experiment.ignored = [
        f"{kind}: {one_line(path)}" for kind, paths in ignored.items() for path in paths
    ]
    experiment.remarks.append(
        f"{counted(len(found.samples), 'fiducial stack')} in {folder}; ignored: {counts or 'none'}."
    )
    return found.seen_cycles


def _tell_cycles_of_unknown_kind(experiment: Experiment) -> None:
    """Remark which cycles are neither RT, mask nor DAPI: they use fiducialBarcode_channel."""
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
