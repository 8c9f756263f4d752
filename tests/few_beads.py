"""Pairs of images with a few beads each: the same specimen moved, or another one."""

import numpy as np

WRONG = ("other field", "mirrored", "turned by 180 degrees", "transposed")
MARGIN = 40
"""Width (px) around the image in which beads lie too, so that some move in and out."""
BACKGROUND, NOISE = 500.0, 15.0


def pair(
    seed: int, beads: int = 8, size: int = 128, wrong: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (reference, cycle, shift (2,)): images (Y, X) with about so many beads.

    The shift is what is added to the cycle. `wrong` is one of WRONG.
    """
    random = np.random.default_rng(seed)
    width = random.uniform(1.2, 2.2)
    ring = random.choice([0.0, 2.2 * width])
    count = round(beads * ((size + 2 * MARGIN) / size) ** 2)
    places = random.uniform(-MARGIN, size + MARGIN, (count, 2))
    heights = random.choice([np.full(count, 1500.0), random.lognormal(np.log(1500), 0.6, count)])
    shift_yx = random.uniform(-12, 12, 2)
    there = places - shift_yx
    if wrong == "other field":
        there = random.uniform(-MARGIN, size + MARGIN, (count, 2))
    images = [_drawn(at, heights, size, width, ring, random) for at in (places, there)]
    turns = {"mirrored": np.fliplr, "turned by 180 degrees": np.rot90, "transposed": np.transpose}
    if wrong in turns:
        images[1] = turns[wrong](images[1])
    if wrong == "turned by 180 degrees":
        images[1] = np.rot90(images[1])
    return images[0], np.ascontiguousarray(images[1]), shift_yx


def _drawn(
    places: np.ndarray,
    heights: np.ndarray,
    size: int,
    width: float,
    ring: float,
    random: np.random.Generator,
) -> np.ndarray:
    """Return an image (Y, X) of beads, which are spots or, out of focus, rings of a radius."""
    rows, columns = np.indices((size, size))
    image = np.full((size, size), BACKGROUND)
    for (row, column), height in zip(places, heights, strict=True):
        distance = np.hypot(rows - row, columns - column)
        image += height * np.exp(-0.5 * ((distance - ring) / width) ** 2)
    noisy = random.poisson(image) + random.normal(0, NOISE, image.shape)
    return np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)
