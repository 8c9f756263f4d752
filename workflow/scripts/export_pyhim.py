"""Write what pyHiM's later steps read of one ROI: shifts, projections, spots, parameters.json.

In: the tables of all cycles of the ROI, their stacks, pyHiM's parameters.json, and registered
tables of spots in pyHiM's columns, if there are any. Out: a folder to run pyHiM in, with links to
the stacks, and a README.txt that says what was left out and which of pyHiM's commands are safe.
Files that somebody else put there stay.
"""

import argparse
import os
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from crossreg.fiducial.apply.find_channels import ChannelStack, channel_stacks
from crossreg.fiducial.apply.pyhim_files import (
    COLUMNS,
    exported_parameters,
    names,
    note,
    rows_of_blocks,
)
from crossreg.fiducial.apply.spots_for_pyhim import copy_rows_of_pyhim, is_of_pyhim
from crossreg.fiducial.experiment.parameter_options import add_options
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.projection import PROJECTION_PARAMETERS, described_projection
from crossreg.fiducial.verdict import DOUBTFUL, FAILED
from crossreg.io import ecsv
from crossreg.io.cycle_tables import LOCAL_COLUMNS, new_table, read_global_row, read_local_table
from crossreg.io.files import read_json, read_text, whole, write_json, write_text
from crossreg.io.missing_notes import missing_reason
from crossreg.io.plurals import counted
from crossreg.io.sheet import ALL_COLUMNS, read_sheet
from crossreg.workflow_support.for_scripts.chosen_outputs import check_not_among_stacks
from crossreg.workflow_support.for_scripts.script_main import log, new_parser, run
from crossreg.workflow_support.inputs.gaps import read_gaps

OWN_FILES = ".exported_by_crossreg"
TIFF_SUFFIXES = (".tif", ".tiff")
"""What pyHiM reads, a file per channel."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = new_parser(__doc__)
    parser.add_argument("--roi", required=True, help="name of the ROI")
    parser.add_argument("--samples", type=Path, required=True, help="samples.tsv of the results")
    parser.add_argument("--gaps", type=Path, help="gaps.tsv of the results: cycles without a stack")
    parser.add_argument("--reference", required=True, help="name of the reference cycle")
    parser.add_argument("--parameters", type=Path, required=True, help="pyHiM's parameters.json")
    parser.add_argument(
        "--global-tables", type=Path, required=True, help="folder of global shifts (ROI/CYCLE.ecsv)"
    )
    parser.add_argument(
        "--local-tables", type=Path, required=True, help="folder of local shifts (ROI/CYCLE.ecsv)"
    )
    parser.add_argument("--spots", type=Path, nargs="*", default=[], help="registered tables")
    parser.add_argument("--output", type=Path, required=True, help="README.txt of the folder")
    parser.add_argument(
        "--other-channel",
        nargs=3,
        action="append",
        default=[],
        metavar=("CYCLE", "NAME", "FILE"),
        help="file of another channel of a cycle; repeat",
    )
    add_options(parser, PROJECTION_PARAMETERS)
    return parser


def main(options: argparse.Namespace) -> None:
    """Sort out which cycles have a shift, write, and say what was done."""
    folder: Path = options.output.parent
    parameters = read_json(options.parameters)
    listed = read_sheet(options.samples, ALL_COLUMNS)
    samples = [sample for sample in listed if sample.roi == options.roi]
    check_not_among_stacks(folder, [sample.path for sample in samples])
    cycles, left_out = sorted_out(samples, options)
    gaps = [gap for gap in read_gaps(options.gaps) if gap.roi == options.roi]
    left_out |= {gap.cycle: gap.reason for gap in gaps if gap.cycle not in cycles}
    export = Export(folder, parameters, options)
    if cycles:
        content = exported_parameters(parameters, options.reference)
        write_json(export.own("parameters.json"), content)
        export.write_shifts(cycles, left_out)
        for sample in samples:
            if sample.cycle not in left_out:
                shift_yx = cycles[sample.cycle].shift_yx if sample.cycle in cycles else (0.0, 0.0)
                export.write_images(sample, shift_yx)
        export.write_spots(options.spots, {sample.roi for sample in listed})
    export.remove_old_files()
    doubts = {cycle: one.doubt for cycle, one in cycles.items()}
    said = (doubts, left_out, export.spots, export.not_linked)
    write_text(options.output, note(options.roi, options.reference, *said))
    log.info("ROI %s: %d cycles in %s", options.roi, len(cycles), folder)
    for cycle, reason in left_out.items():
        log.warning("ROI %s, cycle %s is left out: %s", options.roi, cycle, reason)


@dataclass(frozen=True)
class Cycle:
    """A cycle that has a shift: its global one (rows, columns; px), and its table of blocks."""

    shift_yx: tuple[float, float]
    blocks: ecsv.Table

    @property
    def doubt(self) -> str:
        """Return why the shifts are doubtful; empty if they are not."""
        meta = self.blocks.meta
        return str(meta["reason"]) if meta.get("verdict") == DOUBTFUL else ""


def sorted_out(
    samples: list[Sample], options: argparse.Namespace
) -> tuple[dict[str, Cycle], dict[str, str]]:
    """Return the cycles that have a shift, and why the others have none."""
    cycles, left_out = {}, {}
    for sample in samples:
        if sample.cycle == options.reference:
            continue
        name = f"{sample.cycle}.ecsv"
        tables = [
            folder / options.roi / name for folder in (options.global_tables, options.local_tables)
        ]
        reasons = [missing_reason(path) for path in tables]
        if any(reasons) or not all(path.is_file() for path in tables):
            left_out[sample.cycle] = next(filter(None, reasons), "it was not registered")
            continue
        row, blocks = read_global_row(tables[0]), read_local_table(tables[1])
        if blocks.meta.get("verdict") == FAILED:
            left_out[sample.cycle] = str(blocks.meta.get("reason", "it does not match"))
            continue
        cycles[sample.cycle] = Cycle((float(row["shift_x"]), float(row["shift_y"])), blocks)
    return cycles, left_out


class Export:
    """The folder of a ROI, and which files in it are ours."""

    def __init__(self, folder: Path, parameters: Mapping[str, object], options: argparse.Namespace):
        """Take the user's parameters.json, for the names of files and folders."""
        self.folder, self.options = folder, options
        self.align = names(parameters, "alignImages")
        self.segment = names(parameters, "segmentedObjects")
        self.project = names(parameters, "zProject")
        self.written: set[str] = set()
        self.spots: list[str] = []
        self.not_linked: list[str] = []

    def own(self, *parts: str) -> Path:
        """Return the path of a file of ours, in folders that are there."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.written.add(path.relative_to(self.folder).as_posix())
        return path

    def write_shifts(self, cycles: Mapping[str, Cycle], left_out: Mapping[str, str]) -> None:
        """Write the json of global shifts and the table of blocks."""
        content = {cycle: list(one.shift_yx) for cycle, one in cycles.items()}
        json_name = f"{self.align['outputFile']}.json"
        path = self.own(self.align["register_global_folder"], "data", json_name)
        write_json(path, {f"ROI:{self.options.roi}": content})
        tables = {cycle: one.blocks.columns for cycle, one in cycles.items()}
        kinds = {name: LOCAL_COLUMNS[name] for name in COLUMNS}
        table = new_table(kinds, rows_of_blocks(tables, left_out))
        dat_name = f"{self.align['outputFile']}_block3D.dat"
        path = self.own(self.align["register_local_folder"], "data", dat_name)
        write_text(path, ecsv.as_text(table))

    def write_images(self, sample: Sample, shift_yx: tuple[float, float]) -> None:
        """Link the stacks of a cycle's channels, and write their projections, before and after.

        Files that pyHiM cannot read are noted instead.
        """
        path = Path(sample.path)
        others = {
            name: Path(other)
            for cycle, name, other in self.options.other_channel
            if cycle == sample.cycle
        }
        fiducial = ChannelStack(sample.named_channel, path, sample.choice)
        stacks = channel_stacks(fiducial, others)
        if path.suffix.lower() not in TIFF_SUFFIXES or len({one.path for one in stacks}) < len(
            stacks
        ):
            self.not_linked.append(path.name)
            return
        for stack in stacks:
            link = self.own(stack.path.name)
            with suppress(FileNotFoundError):
                link.unlink()
            link.symlink_to(os.path.abspath(stack.path))
            image = described_projection(self.options, stack.path, stack.choice)
            save(self.own(self.project["folder"], "data", f"{stack.path.stem}_2d.npy"), image)
            moved = ndimage.shift(image.astype(np.float32), shift_yx, order=3)
            folders = (self.align["register_global_folder"], "data")
            save(self.own(*folders, f"{stack.path.stem}_2d_registered.npy"), moved)

    def write_spots(self, tables: list[Path], rois: Collection[str]) -> None:
        """Write what registered tables in pyHiM's columns say of the ROI to where it looks.

        Only spots that have a position in the reference: it would take the others for registered.
        """
        chosen = [path for path in tables if is_of_pyhim(path)]
        for number, path in enumerate(chosen):
            suffix = "" if len(chosen) == 1 else f"_{number + 1}"
            name = f"{self.segment['outputFile']}_3D{suffix}_barcode.dat"
            target = self.own(self.segment["localize_3d_folder"], "data", name)
            kept, left = copy_rows_of_pyhim(path, target, self.options.roi, rois)
            text = f"{target.relative_to(self.folder)} from {path.name}: {counted(kept, 'spot')}"
            if left:
                text += f"; {left} of cycles that failed or are missing are left out"
            self.spots.append(text)

    def remove_old_files(self) -> None:
        """Remove what an earlier export wrote and this one did not; note what is ours now."""
        noted = self.folder / OWN_FILES
        if noted.is_file():
            for name in set(read_text(noted).splitlines()) - self.written:
                with suppress(FileNotFoundError):
                    (self.folder / name).unlink()
        write_text(noted, "".join(f"{name}\n" for name in sorted(self.written)))


def save(path: Path, image: np.ndarray) -> None:
    """Write an array, whole or not at all."""
    with whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, image)


if __name__ == "__main__":
    sys.exit(run(parser(), main))
