"""Writers of small images in every format, all with the same pixels and the same metadata.

Libraries write what they can write. ND2 and LIF, which none writes, are put together here from
what their readers document.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

PIXEL_SIZE_UM = (0.5, 0.1, 0.1)
"""Distance of planes, rows, columns."""

Writer = Callable[[Path, np.ndarray, list[str]], None]
"""Writes an array (T, C, Z, Y, X) of uint16 whose channels have these names."""


def write_imagej(path: Path, images: np.ndarray, channels: list[str]) -> None:
    z, _, x = PIXEL_SIZE_UM
    tifffile.imwrite(
        path,
        images.transpose(0, 2, 1, 3, 4),
        imagej=True,
        resolution=(1 / x, 1 / x),
        metadata={"axes": "TZCYX", "spacing": z, "unit": "um"},
    )


def write_ome_tiff(path: Path, images: np.ndarray, channels: list[str], **options: Any) -> None:
    sizes = dict(zip("ZYX", PIXEL_SIZE_UM, strict=True))
    metadata = {"axes": "TCZYX", "Channel": {"Name": channels}}
    metadata |= {f"PhysicalSize{axis}": size for axis, size in sizes.items()}
    metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in sizes}
    tifffile.imwrite(path, images, ome=True, metadata=metadata, **options)


def write_compressed_ome_tiff(path: Path, images: np.ndarray, channels: list[str]) -> None:
    write_ome_tiff(path, images, channels, compression="zlib", tile=(32, 32))


def write_ome_zarr(path: Path, images: np.ndarray, channels: list[str], version: int = 2) -> None:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=version)
    edge = 256 if images.shape[-1] > 256 else 32
    shards = {"shards": (1, 1, 4, 2 * edge, 2 * edge)} if version == 3 else {}
    chunks = (1, 1, 2, edge, edge)
    array = group.create_array("0", shape=images.shape, chunks=chunks, dtype=images.dtype, **shards)
    array[:] = images
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    scale = {"type": "scale", "scale": [1, 1, *PIXEL_SIZE_UM]}
    metadata = {
        "multiscales": [
            {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
        ],
        "omero": {"channels": [{"label": name} for name in channels]},
    }
    if version == 2:
        metadata["multiscales"][0]["version"] = "0.4"
        group.attrs.update(metadata)
    else:
        group.attrs["ome"] = {"version": "0.5"} | metadata


def write_ome_zarr_05(path: Path, images: np.ndarray, channels: list[str]) -> None:
    write_ome_zarr(path, images, channels, version=3)


def write_czi(path: Path, images: np.ndarray, channels: list[str]) -> None:
    from pylibCZIrw import czi

    z_um, _, x_um = PIXEL_SIZE_UM
    with czi.create_czi(str(path), exist_ok=True) as file:
        for t, c, z in np.ndindex(images.shape[:3]):
            file.write(data=images[t, c, z], plane={"T": t, "C": c, "Z": z})
        file.write_metadata(
            document_name="planted",
            channel_names=dict(enumerate(channels)),
            scale_x=x_um * 1e-6,
            scale_y=x_um * 1e-6,
            scale_z=z_um * 1e-6,
        )


LIF_MAGIC, LIF_TEST = 0x70, 0x2A


def write_lif(path: Path, images: np.ndarray, channels: list[str]) -> None:
    """Write a LIF file: its description as XML in UTF-16, then the pixels as one memory block."""
    times, count, planes, rows, columns = images.shape
    stored = images.transpose(0, 2, 1, 3, 4)  # the channels of a plane lie beside each other
    plane = rows * columns * 2
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" LUTName="{name}"'
        f' BytesInc="{index * plane}" NameOfMeasuredQuantity="" Min="0" Max="65535" Unit=""'
        ' IsLUTInverted="0" BitInc="0"/>'
        for index, name in enumerate(channels)
    )
    z_um, y_um, x_um = PIXEL_SIZE_UM
    dimensions = [(1, columns, x_um, 2), (2, rows, y_um, 2 * columns)]
    dimensions += [(3, planes, z_um, plane * count), (4, times, 1e6, plane * count * planes)]
    described_axes = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{size}" Origin="0"'
        f' Length="{(size - 1) * step * 1e-6}" Unit="{"s" if axis == 4 else "m"}" BitInc="0"'
        f' BytesInc="{increment}"/>'
        for axis, size, step, increment in dimensions
        if size > 1
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="planted"><Data/>'
        '<Memory MemoryBlockID="MemBlock_0" Size="0"/><Children><Element Name="image"><Data>'
        f"<Image><ImageDescription><Channels>{described}</Channels>"
        f"<Dimensions>{described_axes}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory MemoryBlockID="MemBlock_1" Size="{stored.nbytes}"/><Children/></Element>'
        "</Children></Element></LMSDataContainerHeader>"
    ).encode("utf-16-le")
    block = "MemBlock_1".encode("utf-16-le")
    header = struct.pack("<BI", LIF_TEST, len(xml) // 2) + xml
    memory = struct.pack("<BQBI", LIF_TEST, stored.nbytes, LIF_TEST, len(block) // 2) + block
    path.write_bytes(
        struct.pack("<II", LIF_MAGIC, len(header))
        + header
        + struct.pack("<II", LIF_MAGIC, len(memory))
        + memory
        + stored.tobytes()
    )


ND2_MAGIC = 0x0ABECEDA
ND2_NAME_BYTES = 4072
"""Room for the name of a chunk of pixels, so that its data begins at a whole page."""


def write_nd2(
    path: Path,
    images: np.ndarray,
    channels: list[str],
    packed: Callable[[bytes], bytes] | None = None,
) -> None:
    """Write an ND2 file of version 2.1: named chunks, described in XML, and a map of them.

    Frames are as they are, or what `packed` makes of their bytes.
    """
    times, count, planes, rows, columns = images.shape
    z_um, _, x_um = PIXEL_SIZE_UM
    frames = images.transpose(0, 2, 3, 4, 1).reshape(-1, rows, columns, count)
    attributes = {
        "uiWidth": columns,
        "uiHeight": rows,
        "uiWidthBytes": columns * 2 * count,
        "uiBpcInMemory": 16,
        "uiBpcSignificant": 16,
        "uiComp": count,
        "uiSequenceCount": len(frames),
        "eCompression": 0 if packed else 2,
    }
    named = {
        f"a{index}": {
            "uiCompCount": 1,
            "sDescription": name,
            "uiSampleIndex": index,
            "pFluorescentProbe": {"uiColor": 0},
        }
        for index, name in enumerate(channels)
    }
    metadata = {
        "bCalibrated": True,
        "dCalibration": x_um,
        "sPicturePlanes": {"uiCount": count, "sPlaneNew": named},
    }
    z_loop = {"eType": 4, "uLoopPars": {"uiCount": planes, "dZStep": z_um}}
    loops = {
        "eType": 1,
        "uLoopPars": {"uiCount": times, "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0},
        "ppNextLevelEx": {"i0000000000": z_loop},
    }
    stored = packed or bytes
    chunks = {
        "ImageAttributes!": _nd2_xml(attributes),
        "ImageMetadataSeq|0!": _nd2_xml(metadata),
        "ImageMetadata!": _nd2_xml(loops if times > 1 else z_loop),
    }
    chunks |= {
        f"ImageDataSeq|{index}!": struct.pack("<d", 0.0) + stored(frame.tobytes())
        for index, frame in enumerate(frames)
    }
    path.write_bytes(_nd2_file(chunks))


def write_packed_nd2(path: Path, images: np.ndarray, channels: list[str]) -> None:
    write_nd2(path, images, channels, packed=zlib.compress)


def _nd2_file(chunks: dict[str, bytes]) -> bytes:
    signature = b"ND2 FILE SIGNATURE CHUNK NAME01!"
    content = struct.pack("<IIQ", ND2_MAGIC, len(signature), 64) + signature
    content += b"Ver2.1".ljust(64, b"\0")
    places = b""
    for name, data in chunks.items():
        key = name.encode()
        places += key + struct.pack("<QQ", len(content), len(data))
        padded = key.ljust(ND2_NAME_BYTES, b"\0")
        content += struct.pack("<IIQ", ND2_MAGIC, len(padded), len(data)) + padded + data
    start = len(content)
    end_mark = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    places += end_mark + struct.pack("<Q", start)
    map_name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    return content + struct.pack("<IIQ", ND2_MAGIC, len(map_name), len(places)) + map_name + places


def _nd2_xml(values: dict[str, Any]) -> bytes:
    inner = "".join(_nd2_node(name, value) for name, value in values.items())
    return f'<variant version="1.0"><no_name>{inner}</no_name></variant>'.encode()


def _nd2_node(name: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(_nd2_node(key, part) for key, part in value.items())
        return f"<{name}>{inner}</{name}>"
    kinds = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}
    return f'<{name} runtype="{kinds[type(value)]}" value="{value}"/>'


def write_npy(path: Path, images: np.ndarray, channels: list[str]) -> None:
    np.save(path, images[0, 0])


def write_dax(path: Path, images: np.ndarray, channels: list[str], order: str = "big") -> None:
    stack = images[0, 0]
    path.write_bytes(stack.astype(">u2" if order == "big" else "<u2").tobytes())
    path.with_suffix(".inf").write_text(
        f"binning = 1 x 1\ndata type = 16 bit integers (binary, {order} endian)\n"
        f"frame dimensions = {stack.shape[2]} x {stack.shape[1]}\n"
        f"number of frames = {stack.shape[0]}\n"
    )


def write_plain_tiff(path: Path, images: np.ndarray, channels: list[str]) -> None:
    tifffile.imwrite(path, images[0, 0], photometric="minisblack", metadata=None)


UIC1, UIC2, LONG, RATIONAL = 33628, 33629, 4, 5
YEAR_2000 = 2451545
"""Day, as STK counts them."""


def write_stk(path: Path, images: np.ndarray, channels: list[str]) -> None:
    """Write a MetaMorph stack: a TIFF of one page, behind whose plane the others lie.

    The tag UIC2 says how many there are, and of each its distance, day and time.
    """
    stack = images[0, 0]
    tags = [(UIC1, LONG, 1, 8, True), (UIC2, RATIONAL, 1, (1, 2), True)]
    options = {"photometric": "minisblack", "metadata": None, "byteorder": "<"}
    tifffile.imwrite(path, stack[0], extratags=tags, **options)
    with tifffile.TiffFile(path) as file:
        entries = {code: file.pages[0].tags[code].offset for code in (UIC1, UIC2)}
    content = bytearray(path.read_bytes()) + stack[1:].tobytes()
    plane = struct.pack("<6I", round(PIXEL_SIZE_UM[0] * 1000), 1000, *2 * (YEAR_2000, 0))
    values = {
        UIC1: (LONG, 1, struct.pack("<2I", 4, 1)),
        UIC2: (RATIONAL, len(stack), plane * len(stack)),
    }
    for code, (kind, count, value) in values.items():
        entry = struct.pack("<2H2I", code, kind, count, len(content))
        content[entries[code] : entries[code] + len(entry)] = entry
        content += value
    path.write_bytes(content)


MANY: dict[str, tuple[str, Writer]] = {
    "ImageJ hyperstack": (".tif", write_imagej),
    "OME-TIFF": (".ome.tif", write_ome_tiff),
    "compressed OME-TIFF": (".ome.tif", write_compressed_ome_tiff),
    "OME-Zarr 0.4": (".ome.zarr", write_ome_zarr),
    "OME-Zarr 0.5": (".zarr", write_ome_zarr_05),
    "CZI": (".czi", write_czi),
    "LIF": (".lif", write_lif),
    "ND2": (".nd2", write_nd2),
    "packed ND2": (".nd2", write_packed_nd2),
}
"""Formats that hold times and channels: the ending of their names, and the writer."""
ONE: dict[str, tuple[str, Writer]] = {
    "plain TIFF": (".tif", write_plain_tiff),
    "NumPy": (".npy", write_npy),
    "DAX": (".dax", write_dax),
    "STK": (".stk", write_stk),
}
"""Formats that hold one stack."""
WITH_NAMES = tuple(name for name in MANY if name not in ("ImageJ hyperstack", "LIF"))
"""Formats that name their channels as planted."""
