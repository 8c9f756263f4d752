"""Which columns of a table of spots hold ROI, cycle and position, and in which units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossreg.io.errors import UserError

UNITS = ("px", "um", "nm")
Z_UNITS = ("plane", "kept_plane", "um", "nm")
DECIMALS = {"px": 4, "plane": 4, "kept_plane": 4, "um": 6, "nm": 2}
"""Decimals that positions are written with: 1/10000 px, or about as fine."""
PYHIM_COLUMNS = {
    "roi": "ROI #",
    "cycle": "Barcode #",
    "z": "zcentroid",
    "y": "ycentroid",
    "x": "xcentroid",
    "units": "px",
    "z_units": "kept_plane",
}
"""pyHiM's tables: ycentroid runs along rows, xcentroid along columns, z in kept planes."""
PYHIM_CYCLE = "RT"
"""What pyHiM puts before a number of a barcode to name its cycle."""
REGISTERED_COLUMN = "registration"
RAW_PREFIX = "raw_"
SIGMA_COLUMNS = ("sigma_z_nm", "sigma_row_nm", "sigma_column_nm")


@dataclass(frozen=True)
class PixelSize:
    """Micrometres of a raw plane and of a pixel, and how many raw planes are one kept plane."""

    z_um: float
    xy_um: float
    z_binning: int

    @property
    def nm_zyx(self) -> tuple[float, float, float]:
        """Return nanometres of a kept plane, a row and a column."""
        return 1000 * self.z_um * self.z_binning, 1000 * self.xy_um, 1000 * self.xy_um


@dataclass(frozen=True)
class SpotColumns:
    """Names of the columns of ROI and cycle, those of the position in the order z, y, x, units.

    `roi` is None where all spots are of the experiment's only ROI, `position[0]` where spots have
    no z; `cycle_prefix` stands before what the table says to make it a cycle's name.
    """

    roi: str | None
    cycle: str
    position: tuple[str | None, str, str]
    units: str
    z_units: str
    cycle_prefix: str

    @property
    def positions(self) -> list[tuple[int, str]]:
        """Return (axis, column) of each position that there is."""
        return [(axis, name) for axis, name in enumerate(self.position) if name is not None]

    def in_unit(self, axis: int) -> str:
        """Return the unit of an axis (0: z)."""
        return self.units if axis else self.z_units

    def factor(self, axis: int, size: PixelSize) -> float:
        """Return how many kept planes (axis 0) or px are one unit of the table."""
        unit = self.in_unit(axis)
        if unit in ("px", "kept_plane"):
            return 1.0
        if unit == "plane":
            return 1 / size.z_binning
        return (1000 if unit == "um" else 1) / size.nm_zyx[axis]


def spot_columns(
    names: Sequence[str], given: Mapping[str, str] | None, path: Path | str, *, one_roi: bool
) -> SpotColumns:
    """Return which of the columns `names` of the table `path` are meant.

    `given` is the key localizations_columns; without it, pyHiM's names are taken where they are
    there, and roi, cycle, z, y and x otherwise. Raises UserError if the table is registered
    already, a column is missing, or the unit of z is not said.
    """
    if REGISTERED_COLUMN in names:
        raise UserError(
            f"{path}: the table is registered already (it has the column '{REGISTERED_COLUMN}');"
            " give the table as it was before."
        )
    is_pyhim = given is None and PYHIM_COLUMNS["cycle"] in names
    chosen = dict(PYHIM_COLUMNS if is_pyhim else given or {})
    columns = {key: chosen.get(key, key) for key in ("roi", "cycle", "z", "y", "x")}
    may_lack = {"z"} - chosen.keys() | ({"roi"} - chosen.keys() if one_roi else set())
    for key, name in columns.items():
        if name not in names and key not in may_lack:
            raise UserError(
                f"{path}: there is no column '{name}' for {key}; the columns are"
                f" {', '.join(names)}: name them with the key localizations_columns."
            )
    _check_apart(names, columns, path)
    has_z = columns["z"] in names
    units = chosen.get("units", "px")
    z_units = chosen.get("z_units", units if units != "px" else "")
    if has_z and not z_units:
        raise UserError(
            f"{path}: say in localizations_columns whether z_units is plane (of the raw stack),"
            " kept_plane (every n-th, as binning keeps them), um or nm."
        )
    return SpotColumns(
        roi=columns["roi"] if columns["roi"] in names else None,
        cycle=columns["cycle"],
        position=(columns["z"] if has_z else None, columns["y"], columns["x"]),
        units=units,
        z_units=z_units or "kept_plane",
        cycle_prefix=PYHIM_CYCLE if columns["cycle"] == PYHIM_COLUMNS["cycle"] else "",
    )


def _check_apart(names: Sequence[str], columns: Mapping[str, str], path: Path | str) -> None:
    """Raise UserError if two keys mean one column, or an added column would be there twice."""
    meant = {name: key for key, name in columns.items() if name in names}
    for key, name in columns.items():
        if meant.get(name, key) != key:
            raise UserError(
                f"{path}: the column '{name}' is named for both {key} and {meant[name]}; correct"
                " localizations_columns."
            )
    added = {RAW_PREFIX + columns[axis] for axis in "zyx"} | set(SIGMA_COLUMNS)
    twice = [name for name in names if name in added]
    if twice:
        raise UserError(
            f"{path}: there is a column '{twice[0]}' already, which the registered table gets; if"
            " the table was registered before, give it as it was, else rename the column."
        )
