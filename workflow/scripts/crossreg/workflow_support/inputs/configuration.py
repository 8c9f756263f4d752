"""The configuration of a run: checked, complete, every path absolute, names as they are written."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from crossreg.fiducial.experiment.fiducial_section import completed_section
from crossreg.fiducial.experiment.file_names import names_by_template
from crossreg.fiducial.experiment.parameters import PLAIN_SCHEMA_FILE
from crossreg.fiducial.field.motion_file import MOTIONS, read_motion
from crossreg.io.errors import UserError
from crossreg.io.files import read_json, read_text
from crossreg.io.schema import checked
from crossreg.workflow_support.inputs.sample_checks import check_path
from crossreg.workflow_support.result_paths import ResultPaths

SCHEMA = Path(__file__).resolve().parents[2] / "schemas" / "config.json"
PATHS = ("images", "samples", "parameters", "register_global")
"""Keys whose value is a path."""
PATHS_OF_SECTIONS = ("parameters", "registered", "folder")
"""Keys whose value is a path in the sections of the cross-modal chain and their `stacks`."""
SECTIONS = ("trakem2", "apply_global_affine", "copy_stack")
NAMES = ("rois", "cycles")
NAMES_OF_STACKS = (*NAMES, "channels")
"""Keys whose values are names, which YAML would take for numbers: 010 is not 8."""


def read_configuration(
    given: Mapping[str, Any], files: Sequence[Path | str], base: Path | str
) -> dict[str, Any]:
    """Return a user's configuration with all defaults; raise UserError if it is faulty.

    `given` is what Snakemake read, from `files` (whose text is checked for what the values no
    longer show) and the command line. Relative paths are relative to the folder `base`.
    """
    source = ", ".join(map(str, files)) or "the configuration"
    for file in files:
        check_keys_stand_once(file)
    schema = read_json(SCHEMA)
    values: dict[str, Any] = checked(_texts_read(dict(given), schema), schema, source)
    _check_chains(values, source)
    values["results"] = absolute(values["results"], base)
    base = _spelt(base, values["results"])
    for key in PATHS:
        if values.get(key) is not None:
            values[key] = absolute(values[key], base)
    if values["motion"] not in MOTIONS:
        values["motion"] = _frozen_motion(absolute(values["motion"], base), values["results"])
    if values["localizations"] is not None:
        given = values["localizations"]
        paths = [given] if isinstance(given, str) else given
        values["localizations"] = [absolute(path, base) for path in paths]
    for section in SECTIONS:
        _locate_in_section(values.get(section, {}), base)
    for part, keys in ((values, NAMES), (values["register_stacks"], NAMES_OF_STACKS)):
        for key in keys:
            if part[key] is not None:
                part[key] = _names(part[key], key, files)
    _check_results(values, source)
    return values


def has_fiducials(configuration: Mapping[str, Any]) -> bool:
    """Return whether a configuration, as given or complete, has the fiducial chain."""
    return any(key in configuration for key in ("images", "samples", "parameters", "fiducial"))


def has_sections(configuration: Mapping[str, Any]) -> bool:
    """Return whether a configuration, as given or complete, has the cross-modal chain."""
    return any(key in configuration for key in SECTIONS)


def names_no_data(configuration: Mapping[str, Any]) -> bool:
    """Return whether nothing is given to work on, nor a key that may be meant so."""
    known = set(read_json(SCHEMA)["properties"])
    is_known = configuration.keys() <= known
    return is_known and not (has_fiducials(configuration) or has_sections(configuration))


def tolerance_words(configuration: Mapping[str, Any]) -> list[str]:
    """Return the option of scripts that says what precision is needed; none if nothing is said."""
    tolerance = configuration.get("tolerance_nm")
    return ["--tolerance-nm", str(tolerance["xy"]), str(tolerance["z"])] if tolerance else []


def _frozen_motion(path: str, results: str) -> str:
    """Return the path of a file that says how far cycles deform; raise UserError if it is faulty.

    That in the results is made anew from all cycles, which must not depend on it.
    """
    if os.path.realpath(path) == os.path.realpath(ResultPaths(results)("learned_motion")):
        raise UserError(
            f"{path}: the target learn_motion writes this file anew; copy it to a place of its own,"
            " such as my_motion.json, and name the copy as 'motion'."
        )
    read_motion(path)
    return path


def absolute(path: str, base: Path | str) -> str:
    """Return the absolute path that a path of the configuration stands for."""
    check_path(path)
    return os.path.normpath(os.path.join(base, os.path.expanduser(path)))


def _texts_read(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return `value` with texts read as YAML where the schema allows no text: "30" is 30 there.

    Snakemake's --config hands out all that stands in a section or a list as text. What is no
    number, true, false or null stays as it is, for the check to refuse.
    """
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {key: _texts_read(one, parts.get(key, {})) for key, one in value.items()}
    if isinstance(value, list):
        return [_texts_read(one, schema.get("items", {})) for one in value]
    if not isinstance(value, str) or "string" in schema.get("type", ["string"]):
        return value
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return read if read is None or isinstance(read, bool | int | float) else value


def _spelt(base: Path | str, results: str) -> Path | str:
    """Return a folder as it is, or as seen from the results if a plain locale cannot spell it."""
    try:
        str(base).encode()
    except UnicodeEncodeError:
        return os.path.relpath(base, results)
    return base


def _check_chains(values: dict[str, Any], source: str) -> None:
    """Raise UserError if a chain lacks a key, has one too many, or there is none.

    The section `fiducial` gets its defaults.
    """
    if has_fiducials(values):
        if "images" in values and "samples" in values:
            raise UserError(f"{source}: 'images' and 'samples' are both given; keep one of them.")
        if "images" not in values and "samples" not in values:
            raise UserError(f"{source}: the key 'images' or 'samples' is missing; add one of them.")
        if "parameters" in values and "fiducial" in values:
            raise UserError(
                f"{source}: 'parameters' and 'fiducial' are both given; keep one of them."
            )
        if "fiducial" in values:
            values["fiducial"] = completed_section(
                _texts_read(values["fiducial"], read_json(PLAIN_SCHEMA_FILE)),
                f"{source}, section 'fiducial'",
            )
        elif "parameters" not in values:
            raise UserError(
                f"{source}: the section 'fiducial' (or the key 'parameters', pyHiM's file) is"
                " missing; add it."
            )
        if "file_names" in values:
            if "images" not in values:
                raise UserError(f"{source}: 'file_names' needs 'images'; a sheet says it all.")
            names_by_template(values["file_names"])
    elif not has_sections(values):
        raise UserError(
            f"{source}: nothing to do: give 'images' (or 'samples') and 'fiducial' (or"
            " 'parameters'), or 'trakem2'."
        )


def _check_results(values: Mapping[str, Any], source: str) -> None:
    """Raise UserError if the folder of results cannot be made, written or told from the images."""
    results = values["results"]
    images = values.get("images")
    if images and os.path.realpath(images) == os.path.realpath(results):
        raise UserError(
            f"{source}: 'images' and 'results' are one folder, {results}; give the results a folder"
            " of their own."
        )
    there = next(folder for folder in (Path(results), *Path(results).parents) if folder.exists())
    if not there.is_dir():
        raise UserError(f"{results}: no folder can be made there; correct the key 'results'.")
    if not os.access(there, os.W_OK):
        raise UserError(f"{results}: no permission; make it accessible or choose another place.")


def _locate_in_section(section: dict[str, Any], base: Path | str) -> None:
    """Make the paths in a section of the cross-modal chain absolute."""
    for keys in (section, *(section.get(part, {}) for part in ("stacks", "from", "to"))):
        for key in PATHS_OF_SECTIONS:
            if key in keys:
                keys[key] = absolute(keys[key], base)


def check_keys_stand_once(path: Path | str) -> None:
    """Raise UserError if a key stands twice in one section of a YAML or JSON file.

    YAML's readers keep the last value without a word.
    """
    root = _composed(path)
    if root is None:
        read_json(path)
    for section in _sections(root):
        seen: set[str] = set()
        for key, _ in section.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                raise UserError(
                    f"{path}: the key '{name}' stands twice (again in line {line}); remove one."
                )
            seen.add(name)


def _names(given: Any, key: str, files: Sequence[Path | str]) -> str | list[str]:
    """Return a name, or names as the files have them, as text."""
    if not isinstance(given, list):
        return str(given)
    written = [name for file in files for name in names_as_written(file, key, given)]
    return written or [str(name) for name in given]


def names_as_written(path: Path | str, key: str, values: Sequence[Any]) -> list[str]:
    """Return a list of names as the file has it; [] if none in it under `key` gives `values`."""
    for section in _sections(_composed(path)):
        for name, node in section.value:
            if name.value == key and isinstance(node, yaml.SequenceNode):
                scalars = [part for part in node.value if isinstance(part, yaml.ScalarNode)]
                if [_resolved(scalar) for scalar in scalars] == list(values):
                    return [str(scalar.value) for scalar in scalars]
    return []


def _resolved(scalar: yaml.ScalarNode) -> Any:
    """Return what YAML takes a scalar for."""
    return scalar.value if scalar.style else yaml.safe_load(scalar.value)


def _composed(path: Path | str) -> yaml.Node | None:
    """Return the root of a YAML or JSON file; None if it is no YAML."""
    try:
        root: yaml.Node | None = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return root


def _sections(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Yield all sections below a node, each once: aliases could repeat them without end."""
    waiting = [root]
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in visited or isinstance(node, yaml.ScalarNode):
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value
