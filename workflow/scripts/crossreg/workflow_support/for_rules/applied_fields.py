"""What the rules ask that apply the fields: tables of spots, stacks to write, their options."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from crossreg.io.errors import UserError
from crossreg.io.missing_notes import missing_reason
from crossreg.workflow_support.for_rules.fiducial_chain import OF_DEMO, FiducialChain, InputFunction
from crossreg.workflow_support.for_rules.file_stamps import stamp
from crossreg.workflow_support.for_rules.for_every_job import for_every_job
from crossreg.workflow_support.for_scripts.chosen_outputs import check_not_among_stacks
from crossreg.workflow_support.for_scripts.script_main import in_one_sentence
from crossreg.workflow_support.inputs.sample_checks import check_path
from crossreg.workflow_support.inputs.wanted_stacks import named_cycles, named_rois
from crossreg.workflow_support.result_paths import ResultPaths, image_of_receipt

Wildcards = Any
TABLE_SUFFIXES = (".ecsv", ".dat", ".table", ".csv", ".tsv", ".parquet", ".pq")
"""What tables of spots in a folder end in; any file may be named by itself."""


class AppliedFields:
    """Which spots and stacks a configuration wants to have brought to the reference."""

    def __init__(
        self, configuration: Mapping[str, Any], fiducial: FiducialChain, paths: ResultPaths
    ) -> None:
        """Take the complete configuration, with absolute paths."""
        self.configuration, self.fiducial, self.paths = configuration, fiducial, paths
        self.stacks_section: Mapping[str, Any] = configuration["register_stacks"]
        self._stamps_of_fiducials = fiducial.stamps("registered_stack")

    @property
    def hindrance(self) -> str:
        """Return in one sentence why no field can be applied; empty if one can."""
        if self.fiducial.has_local_step:
            return ""
        return "localAlignment is None, so that there is no field to apply; set it to block3D."

    @property
    def hindrance_of_spots(self) -> str:
        """Return in one sentence why no spots can be registered; empty if they can."""
        missing = "the key 'localizations' names no table of spots to register; add it."
        return self.hindrance or ("" if self.tables else missing)

    def refusal(self, hindrance: str) -> InputFunction:
        """Return an input function of no files; it ends a run that asks for what is hindered.

        So the run ends before its first job, whichever target is asked for beside it.
        """

        def no_files(wildcards: Wildcards) -> list[str]:
            sentence = getattr(self, hindrance)
            with in_one_sentence():
                if sentence:
                    raise UserError(sentence)
            return []

        return no_files

    # --- Spots -----------------------------------------------------------------------------------

    @cached_property
    def tables(self) -> dict[str, str]:
        """Return name -> path of the tables of spots; raise UserError if two have one name."""
        found: dict[str, str] = {}
        for path in self._given_tables():
            check_path(path)
            if not os.path.isfile(path) and not self.fiducial.is_demo:
                raise UserError(f"{path}: there is no such file; correct the key 'localizations'.")
            name = os.path.basename(path)
            if name in found:
                raise UserError(
                    f"{path}: another table of spots, {found[name]}, has the same name, which both"
                    " would be written under; rename one."
                )
            found[name] = path
        if found and self.configuration["localizations_frame"] is None:
            raise UserError(
                "The key 'localizations_frame' is missing: say whether the spots were found in the"
                " stacks as they were taken (raw), or in stacks moved by the global shift before"
                " (global, as pyHiM's localize_3d does)."
            )
        return found

    def _given_tables(self) -> list[str]:
        paths: list[str] = self.configuration["localizations"] or []
        if len(paths) == 1 and os.path.isdir(paths[0]):
            folder = paths[0]
            names = sorted(os.listdir(folder))
            paths = [
                os.path.join(folder, name)
                for name in names
                if name.lower().endswith(TABLE_SUFFIXES) and not name.startswith(".")
            ]
            if not paths:
                raise UserError(
                    f"{folder}: there is no table of spots in this folder"
                    f" ({', '.join(TABLE_SUFFIXES)}); correct the key 'localizations'."
                )
        return paths

    def table(self, wildcards: Wildcards) -> str:
        """Return the path of a table of spots."""
        return self.tables[wildcards.table]

    def table_stamp(self, wildcards: Wildcards) -> str:
        """Return the stamp of a table of spots, by which an older replacement is seen, too."""
        return OF_DEMO if self.fiducial.is_demo else stamp(self.tables[wildcards.table])

    @property
    def registered_tables(self) -> list[str]:
        """Return the registered tables."""
        names = self.tables if not self.hindrance else ()
        return [self.paths("registered_spots", table=name) for name in names]

    @property
    def spots_receipts(self) -> list[str]:
        """Return the texts that say what was done to the tables."""
        names = self.tables if not self.hindrance else ()
        return [self.paths("spots_receipt", table=name) for name in names]

    @property
    def spot_options(self) -> list[str]:
        """Return the options of the script that registers spots."""
        columns = self.configuration.get("localizations_columns") or {}
        options = [f"--frame={self.configuration['localizations_frame']}"]
        for key, value in sorted(columns.items()):
            option = key.replace("_", "-") if "units" in key else f"column-{key}"
            options.append(f"--{option}={value}")
        return options + self.size_options

    @property
    def size_options(self) -> list[str]:
        """Return the options that say how large planes and pixels are."""
        parameters = self.fiducial.parameters
        return [
            f"--pixel-size-z={parameters['pixelSizeZ']}",
            f"--pixel-size-xy={parameters['pixelSizeXY']}",
            f"--z-binning={parameters['zBinning']}",
        ]

    # --- Stacks ----------------------------------------------------------------------------------

    @property
    def registered_stacks(self) -> list[str]:
        """Return the receipts of the stacks to write; raise UserError for names not there."""
        if self.hindrance:
            return []
        keys, section = list(self.fiducial.samples), self.stacks_section
        there = {roi for roi, _ in keys}, {cycle for _, cycle in keys}
        rois = named_rois("register_stacks.rois", section["rois"], there[0])
        cycles = named_cycles("register_stacks.cycles", section["cycles"], there[1])
        return [
            self.paths("registered_stack", roi=roi, cycle=cycle)
            for roi, cycle in keys
            if (rois is None or roi in rois) and (cycles is None or cycle in cycles)
        ]

    def field_of(self, wildcards: Wildcards) -> list[str]:
        """Return the field of a cycle; none for the reference, which is not moved."""
        is_reference = wildcards.cycle == self.fiducial.reference
        field = self.paths("field", roi=wildcards.roi, cycle=wildcards.cycle)
        return [] if is_reference else [field]

    def stack_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options of the script that writes a registered stack."""
        section = self.stacks_section
        channels = section["channels"]
        options = [f"--z={section['z']}", f"--format={section['format']}"]
        if channels != "all":
            names = [channels] if isinstance(channels, str) else channels
            options += [f"--channel={name}" for name in names]
        named = self.fiducial.samples[wildcards.roi, wildcards.cycle].named_channel
        options += [f"--channel-of-cycle={named}"] if named else []
        return options + self.fiducial.options("zBinning", "pixelSizeXY", "pixelSizeZ")

    # --- Other channels, of a cycle or of all cycles of a ROI -------------------------------------

    @cached_property
    def _others_by_roi(self) -> dict[str, dict[tuple[str, str], str]]:
        """Return ROI -> (cycle, channel) -> file, of the channels in files of their own."""
        found: dict[str, dict[tuple[str, str], str]] = {}
        for one in sorted(self.fiducial.experiment.others):
            if (one.roi, one.cycle) in self.fiducial.samples:
                of_roi = found.setdefault(one.roi, {})
                of_roi.setdefault((one.cycle, one.named_channel), one.path)
        return found

    def _others(self, wildcards: Wildcards) -> list[tuple[str, str, str]]:
        """Return (cycle, channel, file) of the other channels that the wildcards speak of."""
        wanted = getattr(wildcards, "cycle", None)
        return [
            (cycle, channel, path)
            for (cycle, channel), path in self._others_by_roi.get(wildcards.roi, {}).items()
            if wanted in (None, cycle)
        ]

    def other_stacks(self, wildcards: Wildcards) -> list[str]:
        """Return the files of other channels."""
        return [path for _, _, path in self._others(wildcards)]

    def other_channels(self, wildcards: Wildcards, output: Any) -> list[str]:
        """Return the options that say which files hold the other channels: NAME FILE.

        The cycle goes before them where the wildcards name none. With `output` as an argument
        nothing is recorded: their names and stamps are.
        """
        start = 1 if hasattr(wildcards, "cycle") else 0
        others = self._others(wildcards)
        return [word for other in others for word in ("--other-channel", *other[start:])]

    def stamps_of_stack(self, wildcards: Wildcards) -> list[str]:
        """Return the stamps of all that a registered stack is made from."""
        others = self._others(wildcards)
        names = [f"{channel} {self._stamp(path)}" for _, channel, path in others]
        return self._stamps_of_fiducials(wildcards) + names

    def stamps_of_roi(self, wildcards: Wildcards) -> list[str]:
        """Return the stamps of the stacks of all cycles of a ROI, of all their channels."""
        samples = self.fiducial.samples.items()
        paths = [sample.path for (roi, _), sample in samples if roi == wildcards.roi]
        return list(map(self._stamp, [*paths, *self.other_stacks(wildcards)]))

    def _stamp(self, path: str) -> str:
        return OF_DEMO if self.fiducial.is_demo else f"{os.path.basename(path)} {stamp(path)}"

    def stack_output(self, wildcards: Wildcards, output: Any) -> str:
        """Return the path of the image beside a receipt."""
        return image_of_receipt(str(output), self.stacks_section["format"])

    @for_every_job
    def made_again(self, wildcards: Wildcards) -> list[str]:
        """Return the option that says why an image is made again: it was removed, but no receipt.

        The new receipt keeps that, so that the job is the same from then on, and runs no more.
        """
        receipt = self.fiducial.on_disk("registered_stack", **dict(wildcards.items()))
        try:
            said, made = Path(receipt).read_text(encoding="utf-8"), os.stat(receipt).st_mtime_ns
        except OSError:
            return []
        image = self.stack_output(wildcards, receipt)
        if os.path.exists(image) or missing_reason(receipt) is not None:
            words = said.partition("\n")[2].strip()
        else:
            words = f"made again, as {os.path.basename(image)} of {made} was removed"
        return [f"--made-again={words}"] if words else []

    # --- Export to pyHiM -------------------------------------------------------------------------

    @property
    def hindrance_of_export(self) -> str:
        """Return in one sentence why there is nothing to export; empty if there is."""
        if not self.configuration.get("parameters"):
            return (
                "export_pyhim needs pyHiM's parameters.json: give it with the key 'parameters' in"
                " place of the section 'fiducial'."
            )
        try:
            folder = os.path.join(self.configuration["results"], "pyhim")
            check_not_among_stacks(folder, self.fiducial.stacks)
        except UserError as error:
            return str(error)
        return self.hindrance

    @property
    def exports(self) -> list[str]:
        """Return the notes in the folders exported to pyHiM, one per ROI."""
        rois = dict.fromkeys(roi for roi, _ in self.fiducial.cycles)
        return [self.paths("pyhim_export", roi=roi) for roi in rois if not self.hindrance_of_export]

    @property
    def tables_for_pyhim(self) -> list[str]:
        """Return the registered tables of spots that may be pyHiM's."""
        ends = (".ecsv", ".dat", ".table")
        return [path for path in self.registered_tables if path.lower().endswith(ends)]

    @property
    def export_options(self) -> list[str]:
        """Return the options of the script that exports to pyHiM."""
        return self.fiducial.options("mode", "zProjectOption", "zmin", "zmax")
