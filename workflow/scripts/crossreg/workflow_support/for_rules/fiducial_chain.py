"""What the rules of the fiducial chain ask: stacks, options, tables and pictures."""

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from crossreg.fiducial.experiment.parameter_options import as_options
from crossreg.fiducial.experiment.parameters import PYHIM
from crossreg.fiducial.experiment.roi_numbers import numbers_of_rois
from crossreg.fiducial.experiment.sample import Sample
from crossreg.fiducial.field.motion_file import MOTIONS, check_size
from crossreg.workflow_support.for_rules.file_stamps import stamp
from crossreg.workflow_support.for_rules.for_every_job import for_every_job
from crossreg.workflow_support.for_rules.resources import Resources
from crossreg.workflow_support.for_scripts.marks_to_remake import asked
from crossreg.workflow_support.inputs.experiment import Experiment, by_cycle
from crossreg.workflow_support.inputs.gaps import gaps_text
from crossreg.workflow_support.result_paths import PICTURES_OF_CYCLE, RESULT_PATHS, ResultPaths

Wildcards = Any
InputFunction = Callable[[Wildcards], list[str]]
OF_DEMO = "made by the workflow"
"""The stamp of stacks that the workflow makes itself: they are not there at first."""


class FiducialChain:
    """Answers of an experiment to its rules; functions of `wildcards` have no side effects."""

    def __init__(
        self,
        experiment: Experiment,
        paths: ResultPaths,
        *,
        given_shifts: bool,
        motion: str,
        is_job: bool = False,
        is_demo: bool = False,
    ) -> None:
        """`given_shifts` says whether the user brings global shifts along.

        `motion` is smooth, rigid, or the path of a file that says how far cycles deform; raises
        UserError if that was learned with other pixel sizes.
        A job on another node has its resources already: it looks at no other stack than its own.
        """
        self.experiment, self.paths = experiment, paths
        # Where they lie on the disk: a `module` may put a prefix before them.
        self.on_disk = paths
        self.parameters, self.reference = experiment.parameters, experiment.reference
        self.given_shifts, self.is_demo = given_shifts, is_demo
        self.motion = motion
        self.samples = by_cycle(experiment.samples)
        self.cycles = [key for key in self.samples if key[1] != self.reference]
        self.has_local_step = self.parameters["localAlignment"] == "block3D"
        stacks = () if is_job else tuple(sample.path for sample in experiment.samples)
        self.resources = Resources(stacks, self.parameters["zBinning"])
        if self.frozen_motion:
            check_size(motion, self._sizes_um)

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the names of the tables that every cycle has, the last step's at the end."""
        return ("global_table", "local_table") if self.has_local_step else ("global_table",)

    @property
    def tables(self) -> list[str]:
        """Return the merged tables."""
        names = ["merged_global_table", "merged_global_json"]
        return [self.paths(name) for name in names] + (
            [self.paths("merged_local_table")] if self.has_local_step else []
        )

    @cached_property
    def rois(self) -> list[str]:
        """Return the ROIs that have a cycle to register, or lack one."""
        return sorted({roi for roi, _ in self.cycles} | {gap.roi for gap in self.experiment.gaps})

    # --- What is recorded, so that a change makes jobs run again ---------------------------------

    def options(self, *keys: str) -> list[str]:
        """Return parameters as the options of a script."""
        return as_options(self.parameters, keys)

    def stamps(self, *names: str) -> InputFunction:
        """Return the function that says what makes a job with these results run again.

        These are the stamps of its stacks, and when and why jobs asked to make its results again.
        """
        again = self.again(*names)

        @for_every_job
        def stamps(wildcards: Wildcards) -> list[str]:
            cycles = (self.reference, getattr(wildcards, "cycle", self.reference))
            stacks = [self.samples[wildcards.roi, name] for name in dict.fromkeys(cycles)]
            return [*map(self._stamp, stacks), *again(wildcards)]

        return stamps

    def again(self, *names: str) -> InputFunction:
        """Return the function that says when and why jobs asked to make these results again."""

        @for_every_job
        def again(wildcards: Wildcards) -> list[str]:
            paths = (self.on_disk(name, **dict(wildcards.items())) for name in names)
            return [*filter(None, map(asked, paths))]

        return again

    @property
    def content(self) -> str:
        """Return a hash of which stacks and gaps there are; their folder does not count."""
        listed = [
            (
                *(one.roi, one.cycle, os.path.basename(one.path), one.image),
                *(one.run, one.given_x, one.given_y),
            )
            for one in self.experiment.samples
        ]
        text = repr(listed) + gaps_text(self.experiment.gaps)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _stamp(self, sample: Sample) -> str:
        name = os.path.basename(sample.path)
        return f"{name} {OF_DEMO if self.is_demo else stamp(sample.path)}"

    @property
    def texts(self) -> list[str]:
        """Return the texts of the sheet of stacks and of the table of gaps."""
        return [self.experiment.sheet, gaps_text(self.experiment.gaps)]

    # --- Inputs ----------------------------------------------------------------------------------

    @for_every_job
    def reference_stack(self, wildcards: Wildcards) -> str:
        """Return the stack of the ROI's reference."""
        return self.samples[wildcards.roi, self.reference].path

    @for_every_job
    def cycle_stack(self, wildcards: Wildcards) -> str:
        """Return the stack of the cycle."""
        return self.samples[wildcards.roi, wildcards.cycle].path

    @property
    def images(self) -> InputFunction | list[str]:
        """Return what gives the options which say which stacks of their files are meant."""
        return self._images if any(one.image for one in self.experiment.samples) else []

    @for_every_job
    def _images(self, wildcards: Wildcards) -> list[str]:
        words = {"reference": self.samples[wildcards.roi, self.reference].image}
        if hasattr(wildcards, "cycle"):
            words["cycle"] = self.samples[wildcards.roi, wildcards.cycle].image
        return [f"--{stack}-image={word}" for stack, word in words.items() if word]

    @property
    def given_pixel_size(self) -> list[str]:
        """Return the options that say which pixel size holds for all files.

        That of pyHiM's file is for scale bars only, and often is its default.
        """
        if self.parameters.written_in == PYHIM:
            return []
        if self.parameters["files_are_wrong"]:
            return ["--ignore-pixel-sizes"]
        sizes = {"xy": self.parameters["pixelSizeXY"], "z": self.parameters["pixelSizeZ"]}
        given = [f"--pixel-size-{axes}={size}" for axes, size in sizes.items()]
        return [*given, "--resample-z"] if self.parameters["resample_z"] else given

    @property
    def _sizes_um(self) -> dict[str, float]:
        """Return the size of a px (xy) and of a kept plane (z) in micrometres."""
        size = {name: float(self.parameters[f"pixelSize{name.upper()}"]) for name in ("xy", "z")}
        return size | {"z": size["z"] * self.parameters["zBinning"]}

    @property
    def frozen_motion(self) -> list[str]:
        """Return the file that says how far cycles deform, if there is one."""
        return [] if self.motion in MOTIONS else [self.motion]

    @cached_property
    def kind_of_motion(self) -> str:
        """Return how a cycle may move: of a file its content counts, not its place and age."""
        if not self.frozen_motion:
            return self.motion
        with open(self.motion, "rb") as file:
            return f"learned {hashlib.sha256(file.read()).hexdigest()[:16]}"

    @property
    def motion_option(self) -> str:
        """Return the part of a shell command that says how a cycle may move."""
        return (
            " --learned-motion {input.motion:q}"
            if self.frozen_motion
            else f" --motion {self.motion}"
        )

    @cached_property
    def roi_numbers(self) -> dict[str, int]:
        """Return the number of each ROI, which tables carry beside its name."""
        return numbers_of_rois(sample.roi for sample in self.experiment.samples)

    @for_every_job
    def roi_options(self, wildcards: Wildcards) -> list[str]:
        """Return the options that say number and name of a ROI."""
        return [f"--roi={self.roi_numbers[wildcards.roi]}", f"--roi-name={wildcards.roi}"]

    @property
    def stacks(self) -> list[str]:
        """Return the paths of all stacks."""
        return [sample.path for sample in self.experiment.samples]

    def all_stacks(self, wildcards: Wildcards) -> list[str]:
        """Return all stacks."""
        return self.stacks

    def tables_of_cycles(self, name: str) -> InputFunction:
        """Return the input function of a merge: the tables of this name of all cycles."""

        def paths(wildcards: Wildcards) -> list[str]:
            return [self.paths(name, roi=roi, cycle=cycle) for roi, cycle in self.cycles]

        return paths

    def tables_of_roi(self, wildcards: Wildcards) -> list[str]:
        """Return the tables of all cycles of a ROI."""
        return [
            self.paths(name, roi=roi, cycle=cycle)
            for name in self.steps
            for roi, cycle in self.cycles
            if roi == wildcards.roi
        ]

    def folder_beside(self, beside: str, name: str) -> Callable[[Wildcards, Any], str]:
        """Return the function that gives the folder of tables from the path of an input beside it.

        So a `module` with a prefix finds them as well.
        """
        folder = os.path.dirname(RESULT_PATHS[name].partition("{")[0])

        def path(wildcards: Wildcards, input: Any) -> str:
            return os.path.join(os.path.dirname(getattr(input, beside)), folder)

        return path

    def option_of_local_tables(self, option: str) -> Callable[[Wildcards, Any], list[str]]:
        """Return the function that gives the option of a script, where there are local tables."""
        folder = self.folder_beside("samples", "local_table")

        def words(wildcards: Wildcards, input: Any) -> list[str]:
            return [option, folder(wildcards, input)] if self.has_local_step else []

        return words

    # --- Where a cycle's global shift comes from, and which job leaves its small images -----------

    @property
    def projection(self) -> list[str]:
        """Return the reference's projection, unless the user gave the global shifts."""
        return [] if self.given_shifts else [self.paths("projection")]

    @property
    def given_shift(self) -> InputFunction | list[str]:
        """Return what gives the option of a global shift that the user gave, if any was given."""
        return self._given_shift if self.given_shifts else []

    @for_every_job
    def _given_shift(self, wildcards: Wildcards) -> list[str]:
        sample = self.samples[wildcards.roi, wildcards.cycle]
        # One that is not among those given comes from the stacks themselves.
        return (
            ["--given", sample.given_x, sample.given_y] if sample.given_x else ["--z-projections"]
        )

    @property
    def projection_option(self) -> str:
        """Return the part of a shell command that says where the reference's projection is."""
        return "" if self.given_shifts else " --reference-projection {input.projection:q}"

    def preview_option(self, of_local_step: bool) -> str:
        """Return the part of a shell command that asks for small images, of a job with them."""
        return " --preview {output.preview:q}" if self.has_local_step == of_local_step else ""

    def previews(self, name: str, of_local_step: bool) -> list[str]:
        """Return the small images that a job leaves: those of the last step do."""
        return [self.paths(name)] if self.has_local_step == of_local_step else []

    # --- Pictures --------------------------------------------------------------------------------

    @property
    def kinds_of_pictures(self) -> tuple[str, ...]:
        """Return which pictures a cycle has."""
        return PICTURES_OF_CYCLE if self.has_local_step else PICTURES_OF_CYCLE[:1]

    @for_every_job
    def folder_of_pictures(self, wildcards: Wildcards, output: Any) -> str:
        """Return the folder of a cycle's pictures."""
        return os.path.dirname(str(output[0]))

    def pictures(self, wildcards: Wildcards) -> list[str]:
        """Return the pictures to ask for: one of each cycle brings the others; and the lost ones.

        To ask for all of them takes Snakemake a tenth of its time for thousands of cycles.
        """
        return [
            *(path for roi, cycle in self.cycles for path in self._asked_of_cycle(roi, cycle)),
            *(self.paths("drift_picture", roi=roi) for roi in self.rois),
            *([self.paths("experiment_picture")] if self.rois else []),
        ]

    def _asked_of_cycle(self, roi: str, cycle: str) -> Iterable[str]:
        """Return the first picture of a cycle, and those that somebody removed beside it."""

        def path(paths: ResultPaths, kind: str) -> str:
            return paths("cycle_picture", roi=roi, cycle=cycle, kind=kind)

        first, *others = self.kinds_of_pictures
        if os.path.exists(path(self.on_disk, first)):
            lost = [kind for kind in others if not os.path.exists(path(self.on_disk, kind))]
        else:
            lost = []
        return [path(self.paths, kind) for kind in (first, *lost)]
