"""What crossreg needs of a TrakEM2 project, as it stands in a file.

`Patch` of `patches.py` is what was frozen, `SavedPatch` what was found.
"""

from dataclasses import dataclass
from types import MappingProxyType

from crossreg.crossmodal.affine import Affine
from crossreg.crossmodal.render.transform_data import Transform


@dataclass(frozen=True)
class SavedPatch:
    """One image as it stands in a project; matrix in the frame of the project."""

    oid: int
    layer: int
    """oid of the layer that holds the patch."""
    title: str
    matrix: Affine
    transforms: tuple[Transform, ...]
    """Coordinate transforms, lists resolved, first applied first."""
    has_ct_id: bool
    mres: int
    type: int
    o_width: int
    o_height: int
    min: float
    max: float
    file_path: str
    locked: bool
    visible: bool
    opacity: float
    has_mask: bool
    filters: tuple[str, ...]
    """Classes of the image filters that a person set."""
    props: MappingProxyType[str, str]


@dataclass(frozen=True)
class SavedProject:
    """What crossreg needs of a project file."""

    attributes: MappingProxyType[str, str]
    """Attributes of <project>, names in lower case as TrakEM2 saves them."""
    layer_width: float
    layer_height: float
    layers: tuple[int, ...]
    """oids in the order of the file."""
    patches: tuple[SavedPatch, ...]
    annotations: MappingProxyType[str, int]
    """How many elements of each kind a person added."""
