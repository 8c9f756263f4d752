"""What pyHiM's later steps read of a registration, for one ROI, under the names that they read.

pyHiM takes file names from the text of parameters.json, without its own defaults: so they are
spelt out. It stops at a cycle without rows in the table of blocks, and deletes the localizations
of a cycle whose rows are NaN: so cycles that could not be registered get rows of NaN.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

NAMES = {
    "alignImages": {
        "outputFile": "shifts",
        "localAlignment": "block3D",
        "register_global_folder": "register_global",
        "register_local_folder": "register_local",
    },
    "segmentedObjects": {"outputFile": "localizations", "localize_3d_folder": "localize_3d"},
    "zProject": {"folder": "project"},
}
"""pyHiM's own defaults of the names that it builds paths from."""
NO_LIMIT = [1_000_000, 1_000_000, 1_000_000]
"""toleranceDrift (z, x, y) beyond which it deletes localizations: no shift is as large."""
COLUMNS = (
    *("reference file", "aligned file", "blockXY", "ROI #", "label", "block_i", "block_j"),
    *("shift_z", "shift_x", "shift_y", "quality_xy", "quality_zy", "quality_zx"),
)
"""The columns that pyHiM's own table of blocks has."""
MEASURES = COLUMNS[7:]
SAFE = (
    *("localize_3d", "mask_3d", "filter_localizations", "register_localizations"),
    *("build_traces", "build_matrix"),
)
"""Commands of pyHiM that leave the shifts as they are."""
UNSAFE = ("register_global", "appliesRegistrations", "register_local")
"""Commands that compute shifts again, over the exported ones; so does pyhim without -C."""


def names(parameters: Mapping[str, Any], section: str) -> dict[str, str]:
    """Return the names in a section of parameters.json, with pyHiM's defaults."""
    given = parameters.get("common", {}).get(section) or {}
    return {key: given.get(key, default) for key, default in NAMES[section].items()}


def exported_parameters(parameters: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return parameters.json with names spelt out, and a toleranceDrift that deletes nothing."""
    result: dict[str, Any] = copy.deepcopy(dict(parameters))
    common = result.setdefault("common", {})
    for section in NAMES:
        common[section] = (common.get(section) or {}) | names(parameters, section)
    common["alignImages"] |= {"referenceFiducial": reference, "localAlignment": "block3D"}
    common["buildsPWDmatrix"] = (common.get("buildsPWDmatrix") or {}) | {"toleranceDrift": NO_LIMIT}
    for label in (result.get("labels") or {}).values():
        if isinstance(label, dict) and isinstance(label.get("buildsPWDmatrix"), dict):
            label["buildsPWDmatrix"].pop("toleranceDrift", None)
    return result


def rows_of_blocks(
    tables: Mapping[str, Mapping[str, np.ndarray]], left_out: Iterable[str]
) -> dict[str, np.ndarray]:
    """Return the columns of pyHiM's table of blocks for the cycles of a ROI.

    `tables` are cycle -> columns of its own table; the cycles `left_out` get a row of NaN for
    every block of the grid.
    """
    pattern = next(iter(tables.values()))
    parts = [{name: np.asarray(table[name]) for name in COLUMNS} for table in tables.values()]
    for cycle in left_out:
        part = {name: np.asarray(pattern[name]) for name in COLUMNS}
        count = len(part["label"])
        part |= {name: np.full(count, np.nan, np.float32) for name in MEASURES}
        part |= {"label": np.full(count, cycle), "aligned file": np.full(count, "left out")}
        parts.append(part)
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def note(
    roi: str,
    reference: str,
    cycles: Mapping[str, str],
    left_out: Mapping[str, str],
    spots: Sequence[str],
    not_linked: Sequence[str],
) -> str:
    """Return the text that goes with the files: what is there, what was left out, what is safe.

    `cycles` have a shift, and `left_out` have none: why these are doubtful (empty if they are not),
    and why not. `spots` are lines about tables of spots, `not_linked` the images that pyHiM cannot
    read.
    """
    doubts = {cycle: doubt for cycle, doubt in cycles.items() if doubt}
    lines = [f"ROI {roi}, registered to {reference}: {', '.join(cycles) or 'no cycle'}.", ""]
    if cycles:
        lines += _what_to_run(bool(spots))
    else:
        lines += ["There is nothing here for pyHiM: no cycle of this ROI has a shift.", ""]
    if spots:
        lines += [
            "Registered already, and marked so that pyHiM does not correct them again:",
            *(f"    {text}" for text in spots),
            "The command localize_3d would write new tables over them.",
            "",
        ]
    if doubts:
        lines += [
            "Doubtful, so look at their pictures before you use their shifts:",
            *(f"    {cycle}: {doubt}" for cycle, doubt in doubts.items()),
            "",
        ]
    if left_out:
        lines += [
            "Left out, as there is no shift for them; their images are not linked here, and pyHiM",
            "deletes localizations of them, as a wrong place is worse than none:",
            *(f"    {cycle}: {reason}" for cycle, reason in left_out.items()),
            "",
        ]
    if not_linked:
        lines += [
            "Not linked, as pyHiM reads TIFF stacks only, a file per channel; so there are no",
            "projections of them either:",
            *(f"    {name}" for name in not_linked),
            "",
        ]
    lines += [
        "shift_x belongs to the row (numpy y), shift_y to the column (numpy x), shift_z is in",
        "planes that zBinning keeps: times zBinning for planes of the raw stack. A spot at row",
        "100, column 200 with a total shift_x of 3.4 and shift_y of -1.9 belongs to row 103.4,",
        "column 198.1 of the reference.",
    ]
    return "\n".join(lines) + "\n"


def _what_to_run(has_spots: bool) -> list[str]:
    """Return the lines about commands of pyHiM."""
    return [
        "Run pyHiM's later steps in this folder, one command after another:",
        "",
        f"    pyhim -F . -C {','.join(SAFE[1:] if has_spots else SAFE)}",
        "",
        f"Never run {', '.join(UNSAFE)}, pyhim without -C,",
        "or -C 2D or 3D here: they compute the shifts again and overwrite the exported ones.",
        "In parameters.json here, toleranceDrift is so large that no localization is deleted for",
        "its shift.",
        "",
    ]
