"""What is planted in one pair of stacks."""

from dataclasses import dataclass

CONTENTS = ("spots", "texture", "nuclei", "projection", "easifish")


@dataclass(frozen=True)
class PairSpecification:
    """Everything that is planted, but for what the seed draws (positions, drift, noise).

    Parameters
    ----------
    kind : group of pairs that this one belongs to, for the break-down of results.
    content : one of CONTENTS; the last two come from real data.
    shape : planes, rows, columns; rows and columns are multiples of the block.
    block_size_xy : block edge, px.
    spots_per_block : spots of each block of full height (content "spots").
    shift_zyx : translation (planes, px, px), added to the cycle's positions.
    drift_amplitude : largest drift on the field, px (half of it in z).
    rotation_degrees, tilt_yx, z_scale : see `planted_motion.Motion`.
    empty_blocks : blocks without any fiducial, no two of them adjacent; at most 1 in 8.
    missing_share : share of spots and blobs that only one of the two stacks shows.
    dirt : bright blobs in each stack that the other does not show.
    autofluorescence : wide, dim blobs in each stack that the other does not show.
    remaining_brightness : brightness of the cycle's structure relative to the reference's.
    uneven_background : amplitude of the background's variation, relative to its mean; the two
        stacks vary differently.
    snr : typical height of a spot above background / standard deviation of the background, in
        the dimmer of the two stacks.
    fixed_pattern : standard deviation of the pattern that the camera adds to both stacks,
        relative to shot and read noise.
    saturated_share : share of the spots that are ten times as bright, in a camera that
        saturates at four typical heights.
    matches : False for a cycle that shows another ROI.
    """

    kind: str
    content: str = "spots"
    shape: tuple[int, int, int] = (24, 256, 256)
    block_size_xy: int = 64
    spots_per_block: int = 20
    shift_zyx: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drift_amplitude: float = 0.0
    rotation_degrees: float = 0.0
    tilt_yx: tuple[float, float] = (0.0, 0.0)
    z_scale: float = 0.0
    empty_blocks: int = 0
    missing_share: float = 0.0
    dirt: int = 0
    autofluorescence: int = 0
    remaining_brightness: float = 1.0
    uneven_background: float = 0.0
    snr: float = 10.0
    fixed_pattern: float = 0.0
    saturated_share: float = 0.0
    matches: bool = True

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks along rows and columns."""
        return self.shape[1] // self.block_size_xy, self.shape[2] // self.block_size_xy
