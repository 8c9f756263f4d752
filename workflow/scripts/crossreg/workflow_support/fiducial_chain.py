"""What the rules of the fiducial chain ask: stacks, options, tables and pictures."""

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from crossreg.fiducial.experiment.parameters import as_options
from crossreg.fiducial.experiment.rois import numbers_of_rois
from crossreg.fiducial.experiment.sample import Sample
from crossreg.workflow_support.again import asked
from crossreg.workflow_support.experiment import Experiment, by_cycle
from crossreg.workflow_support.missing import gaps_text
from crossreg.workflow_support.places import PICTURES_OF_CYCLE, PLACES, Places
from crossreg.workflow_support.resources import Resources
from crossreg.workflow_support.stamps import stamp

Wildcards = Any
InputFunction = Callable[[Wildcards], list[str]]
OF_DEMO = "made by the workflow"
"""The stamp of stacks that the workflow makes itself: they are not there at first."""


class FiducialChain:
    """Answers of an experiment to its rules; functions of `wildcards` have no side effects."""

    def __init__(
        self,
        experiment: Experiment,
        places: Places,
        *,
        given_shifts: bool,
        is_job: bool = False,
        is_demo: bool = False,
    ) -> None:
        """`given_shifts` says whether the user brings global shifts along.

        A job on another node has its resources already: it looks at no other stack than its own.
        """
        self.experiment, self.places = experiment, places
        self.parameters, self.reference = experiment.parameters, experiment.reference
        self._given_shifts, self.is_demo = given_shifts, is_demo
        self.samples = by_cycle(experiment.samples)
        self.cycles = [key for key in self.samples if key[1] != self.reference]
        self.has_local_step = self.parameters["localAlignment"] == "block3D"
        stacks = () if is_job else tuple(sample.path for sample in experiment.samples)
        self.resources = Resources(stacks, self.parameters["zBinning"])

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the names of the tables that every cycle has, the last step's at the end."""
        return ("global_table", "local_table") if self.has_local_step else ("global_table",)

    @property
    def tables(self) -> list[str]:
        """Return the merged tables."""
        names = ["merged_global_table", "merged_global_json"]
        return [self.places(name) for name in names] + (
            [self.places("merged_local_table")] if self.has_local_step else []
        )

    @cached_property
    def rois(self) -> list[str]:
        """Return the ROIs that have a cycle to register, or lack one."""
        return sorted({roi for roi, _ in self.cycles} | {gap.roi for gap in self.experiment.gaps})

    # --- What is recorded, so that a change makes jobs run again ---------------------------------

    def options(self, *keys: str) -> list[str]:
        """Return parameters as the options of a script."""
        return as_options(self.parameters, keys)

    def stamps(self, wildcards: Wildcards) -> list[str]:
        """Return the stamps of the stacks that a job depends on."""
        own = [wildcards.cycle] if hasattr(wildcards, "cycle") else []
        return [self._stamp(self.samples[wildcards.roi, name]) for name in (self.reference, *own)]

    def again(self, *names: str) -> InputFunction:
        """Return the function that says when and why jobs asked to make these results again."""

        def reasons(wildcards: Wildcards) -> list[str]:
            paths = (self.places(name, **dict(wildcards.items())) for name in names)
            return [reason for path in paths if (reason := asked(path))]

        return reasons

    @property
    def content(self) -> str:
        """Return a hash of which stacks and gaps there are; their folder does not count."""
        listed = [
            (one.roi, one.cycle, os.path.basename(one.path), one.image, one.given_x, one.given_y)
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

    def reference_stack(self, wildcards: Wildcards) -> str:
        """Return the stack of the ROI's reference."""
        return self.samples[wildcards.roi, self.reference].path

    def cycle_stack(self, wildcards: Wildcards) -> str:
        """Return the stack of the cycle."""
        return self.samples[wildcards.roi, wildcards.cycle].path

    def reference_image(self, wildcards: Wildcards) -> list[str]:
        """Return the option that says which stack of its file the ROI's reference is, if needed."""
        word = self.samples[wildcards.roi, self.reference].image
        return [f"--reference-image={word}"] if word else []

    def cycle_image(self, wildcards: Wildcards) -> list[str]:
        """Return the option that says which stack of its file the cycle is, if needed."""
        word = self.samples[wildcards.roi, wildcards.cycle].image
        return [f"--cycle-image={word}"] if word else []

    def images(self, wildcards: Wildcards) -> list[str]:
        """Return the options of both."""
        return self.reference_image(wildcards) + self.cycle_image(wildcards)

    @property
    def given_pixel_size(self) -> list[str]:
        """Return the options that say the pixel size which the user gave in plain words."""
        if self.parameters.values.get("files_are_wrong"):
            return ["--ignore-pixel-sizes"]
        given = self.experiment.given_pixel_um
        return [f"--pixel-size-{axes}={size}" for axes, size in given.items() if size is not None]

    @cached_property
    def roi_numbers(self) -> dict[str, int]:
        """Return the number of each ROI, which tables carry beside its name."""
        return numbers_of_rois(sample.roi for sample in self.experiment.samples)

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

    def projection_needed(self, wildcards: Wildcards) -> list[str]:
        """Return the reference's projection, unless the user gave the global shifts."""
        return [] if self._given_shifts else [self.places("projection", roi=wildcards.roi)]

    def tables_of_cycles(self, name: str) -> InputFunction:
        """Return the input function of a merge: the tables of this name of all cycles."""

        def paths(wildcards: Wildcards) -> list[str]:
            return [self.places(name, roi=roi, cycle=cycle) for roi, cycle in self.cycles]

        return paths

    def tables_of_roi(self, wildcards: Wildcards) -> list[str]:
        """Return the tables of all cycles of a ROI."""
        return [
            self.places(name, roi=roi, cycle=cycle)
            for name in self.steps
            for roi, cycle in self.cycles
            if roi == wildcards.roi
        ]

    def folder_beside(self, beside: str, name: str) -> Callable[[Wildcards, Any], str]:
        """Return the function that gives the folder of tables from the path of an input beside it.

        So a `module` with a prefix finds them as well.
        """
        folder = os.path.dirname(PLACES[name].partition("{")[0])

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

    def global_source(self, wildcards: Wildcards, input: Any) -> list[str]:
        """Return the option that says where the cycle's global shift comes from."""
        sample = self.samples[wildcards.roi, wildcards.cycle]
        if sample.given_x:
            return ["--given", sample.given_x, sample.given_y]
        return (
            ["--z-projections"]
            if self._given_shifts
            else [f"--reference-projection={input.projection[0]}"]
        )

    def given_shift(self, wildcards: Wildcards) -> list[str]:
        """Return the global shift that the user gave for a cycle, if any."""
        sample = self.samples[wildcards.roi, wildcards.cycle]
        return [sample.given_x, sample.given_y] if self._given_shifts else []

    def previews(self, name: str, of_local_step: bool) -> list[str]:
        """Return the small images that a job leaves: those of the last step do."""
        return [self.places(name)] if self.has_local_step == of_local_step else []

    # --- Pictures --------------------------------------------------------------------------------

    @property
    def kinds_of_pictures(self) -> tuple[str, ...]:
        """Return which pictures a cycle has."""
        return PICTURES_OF_CYCLE if self.has_local_step else PICTURES_OF_CYCLE[:1]

    def pictures(self, wildcards: Wildcards) -> list[str]:
        """Return the pictures to ask for: one of each cycle brings the others; and the lost ones.

        To ask for all of them takes Snakemake a tenth of its time for thousands of cycles.
        """
        return [
            *(path for roi, cycle in self.cycles for path in self._asked_of_cycle(roi, cycle)),
            *(self.places("drift_picture", roi=roi) for roi in self.rois),
            *([self.places("experiment_picture")] if self.rois else []),
        ]

    def _asked_of_cycle(self, roi: str, cycle: str) -> Iterable[str]:
        """Return the first picture of a cycle, and those that somebody removed beside it."""
        first, *others = (
            self.places("cycle_picture", roi=roi, cycle=cycle, kind=kind)
            for kind in self.kinds_of_pictures
        )
        if os.path.exists(first):
            return [first, *(path for path in others if not os.path.exists(path))]
        return [first]
