"""Zarr arrays on disk whose missing or swollen chunks are refused before they are decoded.

Zarr takes a missing chunk for empty pixels, and decodes whatever a chunk claims to hold: a few
kilobytes can fill the memory.
"""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import imagecodecs
import zarr
from zarr.abc.store import ByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from crossreg.io.errors import UserError

METADATA_FILES = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
# What keeps the number of bytes, or nearly so: checksums and indices add a few.
SAME_SIZE = {"bytes", "crc32c", "transpose", "sharding_indexed", "delta", "shuffle", "vlen-bytes"}
DECODERS = {
    "zstd": imagecodecs.zstd_decode,
    "gzip": imagecodecs.gzip_decode,
    "zlib": imagecodecs.zlib_decode,
}
COMPRESSED = {"blosc", *DECODERS}
OVERFLOWS = ("too small", "BUF_ERROR", "INSUFFICIENT_SPACE")
"""What these decoders say of a chunk that does not fit into the bytes that it is given."""
SPARE_BYTES = 1024
BLOSC_HEADER = 16


class GuardedStore(LocalStore):
    """A folder with one Zarr array, for reading only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, read_only=True)
        self._folder = folder
        self._most: int | None = None
        self._codecs: list[str] = []

    def expect(self, array: "zarr.Array[Any]") -> None:
        """Let chunks be no larger than this array says; raise UserError for codecs not known."""
        self._most = math.prod(array.chunks if array.shards is None else array.shards)
        self._most = self._most * array.dtype.itemsize + SPARE_BYTES
        self._codecs = _codecs(array)
        unknown = set(self._codecs) - SAME_SIZE - COMPRESSED
        if unknown:
            raise UserError(
                f"{self._folder}: its chunks are stored with '{sorted(unknown)[0]}', which is not"
                f" read here; write it with {', '.join(sorted(COMPRESSED))} or uncompressed."
            )
        self._check_claim(array)

    def _check_claim(self, array: "zarr.Array[Any]") -> None:
        """Raise UserError if the array claims to be larger than its chunks reach.

        Memory for it would be taken before a chunk turns out to be missing.
        """
        stored = array.chunks if array.shards is None else array.shards
        last = [
            max(0, -(-size // step) - 1) for size, step in zip(array.shape, stored, strict=True)
        ]
        for corner in (last[:-2], [0, 0]), ([0] * (array.ndim - 2), last[-2:]):
            key = array.metadata.encode_chunk_key(tuple(itertools.chain(*corner)))
            if not (self._folder / key).is_file():
                raise self._missing(key)

    def _missing(self, key: str) -> UserError:
        return UserError(
            f"{self._folder}: the chunk {key} is missing, so that a part of the image is; copy the"
            " store again (or write its empty chunks, too)."
        )

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the bytes of a file, or a part of them; raise UserError for unsafe chunks."""
        found = await super().get(key, prototype, byte_range)
        if self._most is None or key.rsplit("/", 1)[-1] in METADATA_FILES:
            return found
        if found is None:
            raise self._missing(key)
        if not isinstance(byte_range, SuffixByteRequest):  # that is a shard's index
            self._check_size(found.to_bytes(), key)
        return found

    def _check_size(self, content: bytes, key: str) -> None:
        most = self._most or 0
        for codec in self._codecs:
            if codec in COMPRESSED and not _decodes_within(codec, content, most):
                raise UserError(
                    f"{self._folder}: the chunk {key} is damaged: it holds more than the"
                    f" {most} bytes of a chunk; copy the store again."
                )


def _codecs(array: "zarr.Array[Any]") -> list[str]:
    """Return the names of an array's codecs, those inside of shards included."""
    metadata = json.loads(json.dumps(array.metadata.to_dict(), default=str))
    if array.metadata.zarr_format == 2:
        parts = [metadata.get("compressor"), *(metadata.get("filters") or ())]
        return [part["id"] for part in parts if part]
    names: list[str] = []
    waiting = list(metadata["codecs"])
    while waiting:
        codec = waiting.pop()
        names.append(str(codec["name"]).removeprefix("numcodecs."))
        waiting += codec.get("configuration", {}).get("codecs", [])
    return names


def _decodes_within(codec: str, content: bytes, most: int) -> bool:
    """Return whether a compressed chunk holds at most so many bytes, without decoding more."""
    if codec == "blosc":
        if len(content) < BLOSC_HEADER:
            return True  # cut off, which its decoder says
        return int.from_bytes(content[4:8], "little") <= most
    try:
        return len(DECODERS[codec](content, out=most)) <= most
    except (imagecodecs.ZstdError, imagecodecs.ZlibError, imagecodecs.DeflateError) as error:
        return not any(words in str(error) for words in OVERFLOWS)
