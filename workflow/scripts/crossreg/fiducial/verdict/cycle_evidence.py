"""What speaks for and against a cycle's registration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Jump:
    """From kept `plane` of the cycle on, its planes lie `by` planes further in the reference.

    Positive where planes of the cycle are missing, negative where some are doubled.
    """

    plane: int
    by: float


@dataclass(frozen=True)
class Slip:
    """From kept `plane` of the cycle on, its planes lie `by` px beside where those before lie."""

    plane: int
    by: float


@dataclass(frozen=True)
class Break:
    """Before kept `plane` of the cycle its planes differ otherwise than those of the reference.

    They differ more where the stage slipped, sideways or along z, or less, where it `is_repeated`.
    """

    plane: int
    is_repeated: bool


@dataclass(frozen=True)
class SeenOwnMotion:
    """Structure that moved by itself in some `blocks` of `all_blocks`, by `farthest` px at most.

    `share` is its part in all sub-blocks with clear structure.
    """

    share: float
    blocks: int
    all_blocks: int
    farthest: float


@dataclass(frozen=True)
class SeenAtRest:
    """Part of the structure of thin stacks that is `unlike`, its own skewness, and the rest's.

    They match at rest, or where whole pixels may have moved them. `is_a_plane`: one of them is no
    stack.
    """

    unlike: float
    skewness: float
    own_skewness: float
    is_a_plane: bool


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against a cycle's registration."""

    log10_odds: float
    """Logarithm of the odds that the match is a coincidence."""
    shift_yx: tuple[float, float] = (0.0, 0.0)
    """Shift in the middle of the image, px."""
    global_shift_yx: tuple[float, float] = (0.0, 0.0)
    """Shift of the projections, or the one that was given, px."""
    contradiction: float = 0.0
    """How far (px) the global shift is from the field where that comes nearest."""
    own_motion: SeenOwnMotion | None = None
    """What moved by itself."""
    unmatched: float = 0.0
    """Part of the clear structure that does not match; noise is taken for as small as it may be
    where what matches may be dust."""
    matching: float = 1.0
    """Part of the blocks that match by themselves."""
    z_ratio: float = 1.0
    """How many planes of the cycle follow each other for one of the reference."""
    jump: Jump | None = None
    """Where planes of the one are missing in the other."""
    slip: Slip | None = None
    """Where the stage moved sideways while it imaged one of them."""
    plane_break: Break | None = None
    """Where planes of the one stop following each other as those of the other do."""
    turn: float = 0.0
    """How far (degrees) the field turns the image, beyond the turn by which the cycle was turned
    back before it was compared."""
    shear: float = 0.0
    """How far (px per px) the field shears the image."""
    is_turn_open: bool = False
    """The turn is known roughly only, and too few blocks match to make it exact."""
    is_z_open: bool = False
    """Planes that are alike do not tell the shift along z."""
    is_same_in_planes: bool = False
    """Only what all planes of thin stacks share matches."""
    planes_differ: bool = False
    """And what they show beside that is not the same."""
    is_of_mean: bool = False
    """Only what all planes of stacks of many planes share matches."""
    is_by_planes: bool = False
    """Planes one by one match, not the projections: they show little beside their mean."""
    is_thin: bool = False
    """The stacks have too few planes to be freed of what all of them share."""
    may_be_dust: bool = False
    """The stacks are thin, and what matches lies where dust would."""
    is_lonely: bool = False
    """But one block matches by itself, or none, of several."""
    at_rest: SeenAtRest | None = None
    """How thin stacks at rest differ."""
    is_pattern: bool = False
    """What both share at no shift is narrower than optics allow."""
    is_partly_still: bool = False
    """A part of what they show lies still while the rest has moved."""
    is_inverted: bool = False
    """Structure is bright in the one and dark in the other."""
    is_copy: bool = False
    """Both stacks are one exposure."""
    copied: float = 0.0
    """Part of the planes that are alike to within their noise."""
    is_saturated: bool = False
    """A tenth of the pixels of the cycle have its highest value."""
