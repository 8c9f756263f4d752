"""Small stacks with known content, for tests of places for stacks."""

LENS = "lens_1"
AFFINE = "mpicbg.trakem2.transform.AffineModel2D"
SIZE = 100
PITCH = 90

VERSION = {
    "createTimestamp": "2020-01-02T03:04:05.678Z",
    "materializedBoxRootPath": "/boxes/em",
    "versionNotes": "as acquired",
    "stackResolutionX": 4.0,
    "stackResolutionY": 4.0,
    "stackResolutionZ": 70.0,
    "mipmapPathBuilder": {"rootPath": "/mipmaps", "numberOfLevels": 3},
    "defaultChannel": "DAPI",
}


def tile(tile_id: str, z: float, x: float, y: float) -> dict:
    """Return a spec of 100 x 100 px whose transforms are a shared lens (+10, 0) and a shift.

    Render's box of it is [x + 10, x + 110] by [y, y + 100], its corner truncated.
    """
    return {
        "tileId": tile_id,
        "z": z,
        "width": SIZE,
        "height": SIZE,
        "minIntensity": 10,
        "maxIntensity": 200,
        "layout": {"sectionId": str(z), "stageX": x, "stageY": y},
        "mipmapLevels": {"0": {"imageUrl": f"file:/images/{tile_id}.tif"}},
        "transforms": {
            "type": "list",
            "specList": [
                {"type": "ref", "refId": LENS},
                {"type": "leaf", "className": AFFINE, "dataString": f"1 0 0 1 {x!r} {y!r}"},
            ],
        },
        "meshCellSize": 64.0,
    }


def section(z: float, count: int = 3, prefix: str = "t") -> dict:
    """Return the raw tiles of a section: a row of tiles that overlap by 10 px."""
    tiles = [tile(f"{prefix}_{z}_{i}", z, i * PITCH + 0.25, z) for i in range(count)]
    lens = {"id": LENS, "type": "leaf", "className": AFFINE, "dataString": "1 0 0 1 10 0"}
    return {
        "tileIdToSpecMap": {spec["tileId"]: spec for spec in tiles},
        "transformIdToSpecMap": {LENS: lens},
    }


def fill(store, stack: str, zs=(1.0, 2.0, 3.5), count: int = 3, version=VERSION) -> None:
    """Make a COMPLETE stack with planted sections in a place."""
    store.create(stack, version)
    for z in zs:
        store.upload_section(stack, z, section(z, count))
    store.complete(stack)


def without_boxes(tiles: dict) -> dict:
    """Return raw tiles without what a place derives."""
    return tiles | {
        "tileIdToSpecMap": {
            name: {k: v for k, v in spec.items() if k not in ("minX", "minY", "maxX", "maxY")}
            for name, spec in tiles["tileIdToSpecMap"].items()
        }
    }
