"""What the rules of the cross-modal chain ask: options, paths of projects, and what is gone."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossreg.io.errors import UserError
from crossreg.io.files import read_json
from crossreg.workflow_support.result_paths import ResultPaths

Wildcards = Any


class CrossmodalChain:
    """Answers of the section `trakem2` to its rules; functions of `wildcards` change nothing."""

    def __init__(self, section: Mapping[str, Any], paths: ResultPaths) -> None:
        """Paths in the section are absolute."""
        self.section, self._paths = section, paths
        self.name: str = section["name"]
        self.parameters: str = section["parameters"]
        self.registration: str = os.path.join(section["registered"], self.name)
        self.frozen_file = os.path.join(self.registration, "frozen", "frozen.json")

    def path(self, name: str) -> str:
        """Return the path of a result of this registration."""
        return self._paths(name, name=self.name)

    def log(self, name: str) -> str:
        """Return the path of the log of a job on this registration."""
        return self._paths.log("trakem2", self.name, name)

    @property
    def stacks(self) -> list[str]:
        """Return the option that says where the stacks are; none for those of a web service."""
        return ["--stacks", self.section["stacks"]["folder"]] if "stacks" in self.section else []

    @property
    def starting(self) -> list[str]:
        """Return the options of freezing."""
        words = self.options("allow_loading")
        if self.section["start_from"] is not None:
            folder = os.path.join(self.section["registered"], self.section["start_from"])
            # What was saved there is read by the same rules as what will be saved here.
            words += [f"--start-from={folder}", *self.policy]
        return words

    def options(self, *keys: str) -> list[str]:
        """Return keys of the section as options of a script; those that are false are left out."""
        words = []
        for key in keys:
            value = self.section[key]
            if value is not False:
                word = f"--{key.replace('_', '-')}"
                words.append(word if value is True else f"{word}={value}")
        return words

    @property
    def policy(self) -> list[str]:
        """Return the keys that decide on saved projects, as options."""
        keys: tuple[str, ...] = (
            "common_motion",
            "new_transforms",
            "unreadable_projects",
            "saved_copies",
        )
        keys += ("landmark_model", "landmark_units")
        confirmed = [str(z) for z in self.section["confirmed_sections"]]
        return self.options(*keys) + (["--confirmed-sections", *confirmed] if confirmed else [])

    @property
    def sisters(self) -> list[str]:
        """Return the stacks that get the same motion, as options."""
        pairs = self.section["sister_stacks"]
        return [word for one in pairs for word in ("--sister-stack", one["input"], one["output"])]

    def stamp_of_projects(self, wildcards: Wildcards) -> str:
        """Return a hash of names, sizes and time stamps of the projects and what is beside them.

        The frozen configuration is part of it. Other folders do not count: TrakEM2 makes and fills
        its own when a project is merely opened.
        """
        stamps: list[Any] = []
        try:
            frozen = Path(self.frozen_file).parent.rglob("*.json")
            for path in sorted([*Path(self.registration).iterdir(), *frozen]):
                status = path.stat()
                if not stat.S_ISDIR(status.st_mode):
                    name = os.path.relpath(path, self.registration)
                    stamps.append((name, status.st_size, status.st_mtime_ns))
        except OSError as error:
            # Not created yet, or the file is being replaced by a save: another stamp in any case.
            stamps.append(str(error))
        return hashlib.sha256(repr(stamps).encode()).hexdigest()

    def lost_frozen(self, wildcards: Wildcards) -> str | None:
        """Return the frozen configuration if it was made, but is gone."""
        return _lost(self.path("frozen_receipt"), self.frozen_file)

    def lost_projects(self, wildcards: Wildcards) -> str | None:
        """Return the first of the projects in the receipt that is gone, if any."""
        try:
            stems = Path(self.path("projects_receipt")).read_text(encoding="utf-8").split()
        except OSError:
            stems = []
        paths = [os.path.join(self.registration, stem) for stem in stems]
        return next(
            (
                path
                for path in paths
                if not any(map(os.path.exists, (f"{path}.xml", f"{path}.xml.gz")))
            ),
            None,
        )

    def lost_output_stack(self, wildcards: Wildcards) -> str | None:
        """Return the file of an output stack that was written to a folder, but is gone, if so."""
        try:
            name = read_json(self.parameters)["outputStack"]
            path = os.path.join(self.section["stacks"]["folder"], name, "stack.json")
        except (UserError, KeyError, TypeError):
            # A service would have to be asked; the job names faults of the file.
            return None
        return _lost(self.path("import_receipt"), path)


def options_of_global_affine(section: Mapping[str, Any]) -> list[str]:
    """Return the section `apply_global_affine` as the options of its script."""
    numbers = ("M00", "M10", "M01", "M11", "B0", "B1", "zmin", "zmax")
    return [
        f"--stacks={_option(section['stacks'])}",
        f"--input-stack={section['input_stack']}",
        f"--output-stack={section['output_stack']}",
        *(f"--{key}={section[key]!r}" for key in numbers if section[key] is not None),
        *(["--allow-loading"] if section["allow_loading"] else []),
    ]


def options_of_copy(section: Mapping[str, Any]) -> list[str]:
    """Return the section `copy_stack` as the options of its script."""
    return [
        *(f"--{key}={_option(section[key])}" for key in ("from", "to")),
        *(f"--{key}={section[key]}" for key in ("stack", "as") if section[key] is not None),
        *(f"--{key}={section[key]!r}" for key in ("zmin", "zmax") if section[key] is not None),
        *(f"--{key.replace('_', '-')}" for key in ("overwrite", "allow_loading") if section[key]),
    ]


def _option(stacks: Mapping[str, Any]) -> str:
    """Return where stacks are as the scripts take it."""
    return f"folder:{stacks['folder']}" if "folder" in stacks else str(stacks["service"])


def _lost(receipt: str, path: str) -> str | None:
    """Return `path` if the receipt says that it was made, but it is gone: make it again."""
    return path if os.path.exists(receipt) and not os.path.exists(path) else None
