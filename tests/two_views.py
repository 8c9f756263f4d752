"""Two views of one large field, far apart or turned: the shift of every pixel is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.ndimage import gaussian_filter, map_coordinates

SIZE = 256
BACKGROUND, NOISE = 100.0, 3.0
PIXELS_A_SPOT, PIXELS_A_BEAD = 700, 5000
CONTENTS = ("spots", "beads", "texture", "filaments")


@dataclass(frozen=True)
class Views:
    """Two images (Y, X), and how the second one lies to the first."""

    reference: NDArray[np.float64]
    cycle: NDArray[np.float64]
    shift_yx: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def right_at(self, places_yx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shift (n, 2) of what lies at positions (n, 2) of the reference."""
        middle = (len(self.reference) - 1) / 2
        there = np.linalg.solve(self.matrix, (places_yx - middle - self.shift_yx).T).T + middle
        return np.asarray(places_yx - there)


def two_views(
    seed: int,
    share: float = 0.1,
    degrees: float = 0.0,
    content: str | None = None,
    size: int = SIZE,
) -> Views:
    """Return two views, apart by a `share` of the image along one axis, and turned by `degrees`.

    `content` is one of CONTENTS; spots or a texture if not given. They have `size` x `size` px.
    """
    random = np.random.default_rng(seed)
    drawn = str(random.choice(["spots", "texture"]))
    field = _field(random, content or drawn, size)
    shift_yx = random.uniform(-0.1, 0.1, 2) * size
    shift_yx[random.integers(2)] = share * size * random.choice([-1, 1])
    turn = np.deg2rad(degrees) * random.choice([-1, 1])
    matrix = expm(turn * np.array([[0.0, -1.0], [1.0, 0.0]]))
    middle = (size - 1) / 2
    places = np.indices((size, size)).reshape(2, -1) - middle
    seen = (matrix @ places + middle + shift_yx[:, None] + size).reshape(2, size, size)
    images = [field[size : 2 * size, size : 2 * size], map_coordinates(field, seen, order=3)]
    noisy = [
        random.poisson(np.maximum(image, 0)) + random.normal(0, NOISE, image.shape)
        for image in images
    ]
    return Views(noisy[0], noisy[1], shift_yx, matrix)


def _field(random: np.random.Generator, content: str, image_size: int) -> NDArray[np.float64]:
    """Return a field (Y, X) of a content, three images wide and high."""
    size = 3 * image_size
    if content in ("spots", "beads"):
        field = np.zeros((size, size))
        each = PIXELS_A_SPOT if content == "spots" else PIXELS_A_BEAD
        places = random.integers(0, size, (2, size**2 // each))
        heights = random.lognormal(0, 0.5, places.shape[1]) if content == "spots" else 2.0
        field[tuple(places)] = 3000 * heights
        return gaussian_filter(field, 1.4) + BACKGROUND
    if content == "filaments":
        sheets = [gaussian_filter(random.normal(size=(size, size)), 9) for _ in range(2)]
        lines = sum(np.exp(-0.5 * (sheet / sheet.std() / 0.12) ** 2) for sheet in sheets)
        return np.asarray(gaussian_filter(lines, 1.0) * 250 + BACKGROUND)
    fine, coarse = (gaussian_filter(random.normal(size=(size, size)), scale) for scale in (3, 8))
    texture = fine / fine.std() + coarse / coarse.std()
    return np.asarray(np.maximum(texture, 0) * 150 + BACKGROUND)
