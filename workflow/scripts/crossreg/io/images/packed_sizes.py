"""Packed pixels that may hold far more than they say: looked at before memory is taken for them."""

import io
import zlib

PIECE_BYTES = 2**20


def check_inflated_size(content: bytes, size: int) -> None:
    """Raise ValueError unless what zlib packed is `size` bytes; no more than a piece is held."""
    decoder, left = zlib.decompressobj(), size
    while content and left >= 0 and not decoder.eof:
        left -= len(decoder.decompress(content, PIECE_BYTES))
        content = decoder.unconsumed_tail
    if left:
        raise ValueError(f"packed pixels are {'more' if left < 0 else 'fewer'} than said")


def check_image_size(content: bytes, most: int) -> None:
    """Raise ValueError if an image (JPEG, JPEG 2000, PNG, WebP) claims more than `most` pixels."""
    # Only here: what reads plain TIFF needs it not.
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("packed pixels are no image") from None
    if width * height > most:
        raise ValueError(f"packed pixels are {width} x {height}, more than said")
