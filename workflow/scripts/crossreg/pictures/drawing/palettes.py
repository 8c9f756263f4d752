"""Colours for numbers, without the library that draws plots."""

import numpy as np

# Stops of even spacing, between which colours are mixed. RdBu is ColorBrewer's (Brewer 2003),
# viridis (van der Walt and Smith 2015) and cividis (Nuñez et al. 2018) are seen alike by
# colour-blind people.
STOPS = {
    "RdBu_r": "053061 2065ab 4393c3 90c4dd d1e5f0 f7f6f6 fddbc7 f3a481 d6604d b1182b 67001f",
    "viridis": "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568"
    " 7ad151 a5db36 d2e21b fde725",
    "cividis": "00224e 002e6c 1e3a6f 35456c 47516c 575d6d 666970 757575 848279 948e77 a59c74 b7a96e"
    " c8b866 dbc75a eed649 fee838",
}
SHIFT_COLOURS, VALUE_COLOURS, CONFIDENCE_COLOURS = STOPS
MISSING_COLOUR = "#d9d9d9"


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue (0 to 255) of a colour written as "#d9d9d9"."""
    digits = colour.removeprefix("#")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def coloured(values: np.ndarray, palette: str, limits: tuple[float, float]) -> np.ndarray:
    """Return the colours (..., 3) as uint8 of values (...), MISSING_COLOUR where they are NaN."""
    stops = np.array([rgb(stop) for stop in STOPS[palette].split()], dtype=float)
    low, high = limits
    part = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low), 0, 1)
    position = part * (len(stops) - 1)
    colours = [
        np.interp(position, np.arange(len(stops)), stops[:, channel]) for channel in range(3)
    ]
    result = np.stack(colours, axis=-1).round().astype(np.uint8)
    result[~np.isfinite(values)] = rgb(MISSING_COLOUR)
    return result
