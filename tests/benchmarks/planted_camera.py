"""What a camera records of a noise-free image: background, noise, fixed pattern, saturation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

OFFSET = 100.0  # grey values of a pixel without light
BACKGROUND = 400.0  # photoelectrons of the background; one grey value a photoelectron
READ_NOISE = 4.0  # standard deviation, photoelectrons
HOT_PIXEL_SHARE = 5e-4
HOT_PIXEL_HEIGHT = 8.0  # standard deviations of the background
SATURATION_HEIGHT = 4.0  # typical heights of the reference at which the camera saturates
UNEVEN_SCALE = 0.25  # standard deviation of the uneven background, in field widths


@dataclass(frozen=True)
class Camera:
    """One camera: the pattern (Y, X) that it adds to every plane, and its largest grey value."""

    pattern: NDArray[np.float64]
    largest: float


def background_deviation(fixed_pattern: float) -> float:
    """Return the standard deviation of the background over space: shot, read, fixed pattern.

    `fixed_pattern` is the pattern's standard deviation relative to shot and read noise.
    """
    return float(np.sqrt((BACKGROUND + READ_NOISE**2) * (1 + fixed_pattern**2)))


def make_camera(
    shape_yx: tuple[int, int],
    fixed_pattern: float,
    typical_height: float | None,
    rng: np.random.Generator,
) -> Camera:
    """Return a camera that saturates at 4 typical heights (None: at the end of uint16).

    A camera with a fixed pattern has hot pixels too.
    """
    noise = np.sqrt(BACKGROUND + READ_NOISE**2)
    pattern = fixed_pattern * noise * rng.standard_normal(shape_yx)
    if fixed_pattern > 0:
        pattern[rng.random(shape_yx) < HOT_PIXEL_SHARE] += HOT_PIXEL_HEIGHT * noise
    largest = np.iinfo(np.uint16).max
    if typical_height is not None:
        largest = min(largest, OFFSET + BACKGROUND + SATURATION_HEIGHT * typical_height)
    return Camera(pattern, largest)


def uneven_field(
    shape_yx: tuple[int, int], amount: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a smooth factor (Y, X) of mean 1 that reaches 1 +- `amount`."""
    smooth = gaussian_filter(
        rng.standard_normal(shape_yx), UNEVEN_SCALE * min(shape_yx), mode="reflect"
    )
    smooth -= smooth.mean()
    return 1 + amount * smooth / np.abs(smooth).max()


def record(
    signal: NDArray[np.float32], camera: Camera, uneven: float, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Return the stack (Z, Y, X) that the camera makes of a signal in photoelectrons."""
    light = signal + BACKGROUND * uneven_field(signal.shape[1:], uneven, rng)
    recorded = rng.poisson(light).astype(np.float32)
    recorded += READ_NOISE * rng.standard_normal(signal.shape, dtype=np.float32)
    recorded += camera.pattern + OFFSET
    return np.clip(np.rint(recorded), 0, camera.largest).astype(np.uint16)
