"""A small Render web service over real HTTP, with the rules of the real one, for tests.

It implements the endpoints that crossreg uses: metadata, bounds, z values, raw tiles of a
section and of a box, creation, state, upload and deletion. It can be told to misbehave.
"""

import hashlib
import html
import json
import math
import random
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from crossreg.crossmodal.render.transform_data import Transform
from crossreg.crossmodal.render.transforms import apply

TILES, TRANSFORMS = "tileIdToSpecMap", "transformIdToSpecMap"
OWNER_STACKS = r"/render-ws/v1/owner/(?P<owner>[^/]+)/stackIds"
BASE = r"/render-ws/v1/owner/(?P<owner>[^/]+)/project/(?P<project>[^/]+)/stack/(?P<stack>[^/]+)"
KNOWN_TILE_KEYS = """
    tileId layout groupId z minX minY maxX maxY width height minIntensity maxIntensity mipmapLevels
    channels transforms meshCellSize labels mipmapPathBuilder
"""
TILE_NUMBERS = """
    z minX minY maxX maxY width height minIntensity maxIntensity meshCellSize
"""
"""The service keeps them as doubles, however they come: 100, "100" and 100.0 are one."""
LAYOUT_NUMBERS = "stageX stageY rotation pixelsize distanceZ"
DEFAULT_MESH_CELL_SIZE = 64.0
CHANNEL_DEFAULTS = {"minIntensity": 0.0, "maxIntensity": 255.0}
KNOWN_LAYOUT_KEYS = """
    sectionId temca camera imageRow imageCol stageX stageY rotation pixelsize distanceZ
"""
KNOWN_VERSION_KEYS = """
    createTimestamp versionNotes cycleNumber cycleStepNumber stackResolutionX stackResolutionY
    stackResolutionZ materializedBoxRootPath mipmapPathBuilder alignmentQuality defaultChannel
"""
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)"
NAME = r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*"
IMAGE_LOADERS = [
    "IMAGEJ_DEFAULT",
    "IMAGEJ_TIFF_STACK",
    "H5_SLICE",
    "N5_SLICE",
    "IMAGEJ_COMPOSITE",
    "DYNAMIC_MASK",
]
STATES = ("LOADING", "COMPLETE", "READ_ONLY", "OFFLINE")
FORBIDDEN_STEPS = {
    ("LOADING", "READ_ONLY"),
    ("LOADING", "OFFLINE"),
    ("OFFLINE", "READ_ONLY"),
    ("READ_ONLY", "LOADING"),
}
SAVE_REFUSED = (
    "Resolved tiles can only be saved to stacks in the LOADING state, but this stack's state is"
    " {state}."
)
DELETE_REFUSED = "stack state is {state} but must be LOADING to delete data"
P = "mpicbg.trakem2.transform."
KNOWN_CLASSES = {
    P + name
    for name in [
        "AffineModel2D",
        "TranslationModel2D",
        "RigidModel2D",
        "SimilarityModel2D",
        "PolynomialTransform2D",
        "NonLinearCoordinateTransform",
        "MovingLeastSquaresTransform",
        "MovingLeastSquaresTransform2",
        "ThinPlateSplineTransform",
    ]
}


class RefusalError(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, text: str, is_json: bool = False):
        super().__init__(text)
        self.status = status
        self.is_json = is_json
        """Whether it is about the JSON that was sent: such answers come as a page."""


@dataclass
class Stack:
    """One stack of the service."""

    metadata: dict[str, Any]
    tiles: dict[str, dict] = field(default_factory=dict)
    transforms: dict[str, dict] = field(default_factory=dict)


@dataclass
class Fault:
    """Misbehaviour for requests: 'drop', 'half', 'slow', 'garbage' or an error status.

    'late drop' and 'late 503' carry the request out and lose its answer.
    """

    method: str
    path: str
    kind: str | int
    times: int
    after: int = 0


class SmallRenderService:
    """The service; a context manager that listens on a free port of the loopback."""

    def __init__(self, most_tiles: int = 50_000, slow_s: float = 2.0):
        self.stacks: dict[tuple[str, str, str], Stack] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.most_tiles = most_tiles
        self.slow_s = slow_s
        self.ticks = 0
        self.unknown_classes: set[str] = set()
        self.seed = random.randrange(1000)
        """Two services never answer the same time stamps."""
        self.lock = threading.Lock()
        self.loses: str | None = None
        """The name of a key that the service loses from every tile that it stores."""

    def __enter__(self):
        service = self

        class Handler(_Handler):
            owner = service

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def forget_class(self, name: str):
        """Be a service that does not know a class of transforms."""
        self.unknown_classes.add(name)

    def misbehave(self, method: str, path: str, kind: str | int, times: int = 1, after: int = 0):
        """Misbehave `times` times for requests whose path contains `path`, after `after` good."""
        self.faults.append(Fault(method, path, kind, times, after))

    def fault_for(self, method: str, path: str) -> str | int | None:
        for fault in self.faults:
            if fault.method == method and re.search(fault.path, path) and fault.times > 0:
                if fault.after > 0:
                    fault.after -= 1
                else:
                    fault.times -= 1
                    return fault.kind
        return None

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        if method == "PUT" and path.endswith("/validate-json/transform"):
            if body.get("className") in self.unknown_classes:
                raise RefusalError(400, f"transform class '{body['className']}' cannot be found")
            check_transform(body, {}, "transform")
            return 200, None
        if method == "GET" and (owner := re.fullmatch(OWNER_STACKS, path)):
            return 200, [
                dict(zip(("owner", "project", "stack"), key, strict=True))
                for key in self.stacks
                if key[0] == unquote(owner["owner"])
            ]
        matched = re.match(BASE, path)
        if not matched:
            raise RefusalError(404, "no such resource")
        key = tuple(unquote(matched[name]) for name in ("owner", "project", "stack"))
        rest = path[matched.end() :].rstrip("/")
        if method == "POST" and not rest:
            self.create(key, body)
            return 201, None
        if key not in self.stacks:
            names = "owner '{}', project '{}', and name '{}'".format(*key)
            raise RefusalError(404, f"stack with {names} does not exist")
        stack = self.stacks[key]
        for verb, pattern, handle in ROUTES:
            found = re.fullmatch(pattern, rest)
            if verb == method and found:
                return handle(self, stack, found, query, body)
        raise RefusalError(404, f"no such resource: {method} {rest}")

    def create(self, key: tuple[str, str, str], version: dict) -> None:
        stack = self.stacks.get(key, Stack({}))
        if not all(re.fullmatch(NAME, name) for name in key):
            raise RefusalError(400, f"invalid name in {key}")
        if version is None:
            raise RefusalError(400, "no stack version provided")
        if not re.fullmatch(DATE, version.get("createTimestamp", "2026-01-01T00:00:00Z")):
            raise RefusalError(400, "JSON parse error: createTimestamp is no date", is_json=True)
        if stack.metadata.get("state") == "READ_ONLY":
            raise RefusalError(
                500, f"Data for stack {key[2]} cannot be modified because it is READ_ONLY."
            )
        identity = dict(zip(("owner", "project", "stack"), key, strict=True))
        number = stack.metadata.get("currentVersionNumber", -1) + 1
        kept = {one: doubled(version[one]) for one in KNOWN_VERSION_KEYS.split() if one in version}
        stack.metadata = {
            "stackId": identity,
            "state": "LOADING",
            "lastModifiedTimestamp": self.now(),
            "currentVersionNumber": number,
            "currentVersion": kept,
        } | {one: value for one, value in stack.metadata.items() if one == "hierarchicalData"}

        self.stacks[key] = stack

    def now(self) -> str:
        """Return a time stamp, another one at each call."""
        self.ticks += 1
        return f"2026-01-01T00:{self.ticks // 60:02d}:{self.ticks % 60:02d}.{self.seed:03d}Z"

    def get_metadata(self, stack, *_):
        return 200, stack.metadata

    def get_bounds(self, stack, *_):
        if stack.metadata["state"] == "LOADING":
            raise RefusalError(400, f"Stats for {told(stack)} have not been stored.")
        return 200, stack.metadata["stats"]["stackBounds"]

    def get_z_values(self, stack, *_):
        return 200, sorted({tile["z"] for tile in stack.tiles.values()})

    def get_section(self, stack, found, *_):
        z = float(found["z"])
        return 200, self.resolved(stack, [t for t in stack.tiles.values() if t["z"] == z])

    def get_box(self, stack, _, query, __):
        # A side that is not given does not limit: without any the whole stack is answered.
        limit = {f"min{axis}": -math.inf for axis in "XYZ"} | {
            f"max{axis}": math.inf for axis in "XYZ"
        }
        limit |= {name: float(value) for name, value in query.items()}
        inside = [
            tile
            for tile in stack.tiles.values()
            if limit["minZ"] <= tile["z"] <= limit["maxZ"]
            and tile["minX"] <= limit["maxX"]
            and tile["maxX"] >= limit["minX"]
            and tile["minY"] <= limit["maxY"]
            and tile["maxY"] >= limit["minY"]
        ]
        return 200, self.resolved(stack, inside)

    def resolved(self, stack, tiles):
        if not tiles:
            raise RefusalError(404, "no tile specifications found")
        if len(tiles) > self.most_tiles:
            raise RefusalError(400, f"query is limited to 50000 tiles, found {len(tiles)}")
        used = set(re.findall(r'"refId": "([^"]*)"', json.dumps([tiles, stack.transforms])))
        shared = {name: spec for name, spec in stack.transforms.items() if name in used}
        # Shared transforms come first, tiles in the order of a hash.
        tiles = sorted(tiles, key=lambda tile: hashlib.sha256(tile["tileId"].encode()).digest())
        return {TRANSFORMS: shared, TILES: {tile["tileId"]: tile for tile in tiles}}

    def put_state(self, stack, found, *_):
        now, wanted = stack.metadata["state"], found["state"]
        if wanted not in STATES:
            raise RefusalError(404, "HTTP 404 Not Found")
        if (now, wanted) in FORBIDDEN_STEPS:
            raise RefusalError(
                400, f"The stack's state is currently {now} and must first be COMPLETE."
            )
        if wanted == "COMPLETE":
            if not stack.tiles:
                raise RefusalError(500, "Stack data aggregation returned no results")
            stack.metadata["stats"] = statistics(stack)
        if wanted == "OFFLINE":
            stack.tiles, stack.transforms = {}, {}
        if (now, wanted) == ("COMPLETE", "LOADING"):
            stack.metadata["currentVersionNumber"] += 1
            stack.metadata.pop("stats", None)
        stack.metadata["state"] = wanted
        stack.metadata["lastModifiedTimestamp"] = self.now()
        return 201, None

    def put_hierarchical(self, stack, _, __, body):
        stack.metadata["hierarchicalData"] = body
        return 200, None

    def delete_stack(self, stack, *_):
        key = tuple(stack.metadata["stackId"].values())
        self.stacks.pop(key, None)
        return 200, None

    def put_tiles(self, stack, _, query, body):
        self.must_load(stack, 500, SAVE_REFUSED)
        if not body[TILES]:
            raise RefusalError(400, "collection does not have any tiles")
        check_transforms(body)
        check_tiles(body, derives=query.get("deriveData") == "true")
        stack.transforms.update(body.get(TRANSFORMS) or {})
        for spec in body[TILES].values():
            stored = self.stored(spec, stack.transforms, query)
            # The id in the tile counts, whatever its key says.
            stack.tiles[stored["tileId"]] = stored
        return 201, None

    def stored(self, spec, shared, query):
        kept = set(KNOWN_TILE_KEYS.split()) - {self.loses}
        spec = {key: spec[key] for key in spec if key in kept and spec[key] is not None}
        spec["tileId"] = str(spec["tileId"])
        spec |= {key: float(spec[key]) for key in TILE_NUMBERS.split() if key in spec}
        spec.setdefault("meshCellSize", DEFAULT_MESH_CELL_SIZE)
        if "channels" in spec:
            spec["channels"] = [CHANNEL_DEFAULTS | doubled(one) for one in spec["channels"]]
        if "labels" in spec:
            spec["labels"] = sorted(set(spec["labels"]), reverse=True)
        if "layout" in spec:
            layout = spec["layout"]
            spec["layout"] = {
                key: float(layout[key]) if key in LAYOUT_NUMBERS.split() else layout[key]
                for key in layout
                if key in KNOWN_LAYOUT_KEYS.split()
            }
        if query.get("deriveData") == "true":
            spec.update(derived_box(spec, shared))
        return spec

    def delete_section(self, stack, found, *_):
        self.must_load(stack)
        z = float(found["z"])
        stack.tiles = {name: tile for name, tile in stack.tiles.items() if tile["z"] != z}
        return 200, None

    def must_load(self, stack, status=400, text=DELETE_REFUSED):
        if stack.metadata["state"] != "LOADING":
            raise RefusalError(status, text.format(state=stack.metadata["state"]))


Z = r"(?P<z>[0-9.eE+-]+)"
ROUTES = [
    ("GET", "", SmallRenderService.get_metadata),
    ("GET", "/bounds", SmallRenderService.get_bounds),
    ("GET", "/zValues", SmallRenderService.get_z_values),
    ("GET", f"/z/{Z}/resolvedTiles", SmallRenderService.get_section),
    ("GET", "/resolvedTiles", SmallRenderService.get_box),
    ("PUT", "/state/(?P<state>[A-Z_]+)", SmallRenderService.put_state),
    ("PUT", "/resolvedTiles", SmallRenderService.put_tiles),
    ("PUT", "/hierarchicalData", SmallRenderService.put_hierarchical),
    ("DELETE", "", SmallRenderService.delete_stack),
    ("DELETE", f"/z/{Z}", SmallRenderService.delete_section),
]


def doubled(value):
    """Return a value with its whole numbers as doubles, as the service keeps most of them."""
    if isinstance(value, dict):
        return {key: doubled(part) for key, part in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def statistics(stack) -> dict[str, Any]:
    """Return what the service derives when a stack becomes COMPLETE."""
    tiles = list(stack.tiles.values())
    sections = {tile["z"] for tile in tiles}
    channels = {one.get("name") for tile in tiles for one in tile.get("channels", [])}
    sizes = {"Width": "width", "Height": "height"}
    return {
        "stackBounds": _bounds(tiles),
        "sectionCount": len(sections),
        "nonIntegralSectionCount": sum(z != int(z) for z in sections),
        "tileCount": len(tiles),
        "transformCount": len(stack.transforms),
        "channelNames": sorted(filter(None, channels)),
        **{f"minTile{name}": min(int(tile[key]) for tile in tiles) for name, key in sizes.items()},
        **{f"maxTile{name}": max(int(tile[key]) for tile in tiles) for name, key in sizes.items()},
    }


def check_tiles(body, derives: bool) -> None:
    """Refuse what the service refuses in the tiles of an upload."""
    for tile_id, spec in body[TILES].items():
        if not derives and any(spec.get(key) is None for key in ("minX", "minY", "maxX", "maxY")):
            raise RefusalError(400, f"tile '{tile_id}' has no bounds; they have to be derived")
        for key in ("width", "height"):
            if spec.get(key) is None:
                raise RefusalError(500, "HTTP 500 Internal Server Error")
        for level in (spec.get("mipmapLevels") or {}).values():
            if level and level.get("imageLoaderType", "IMAGEJ_DEFAULT") not in IMAGE_LOADERS:
                text = f'JSON parse error: "{level["imageLoaderType"]}" is no imageLoaderType'
                raise RefusalError(400, text, is_json=True)


def told(stack) -> str:
    """Return a stack as the service names it."""
    return "stack with owner '{owner}', project '{project}', and name '{stack}'".format(
        **stack.metadata["stackId"]
    )


def check_transforms(body) -> None:
    """Refuse what the service refuses in the transforms of an upload."""
    shared = body.get(TRANSFORMS) or {}
    for name, entry in shared.items():
        check_transform(entry, {}, name)
    for tile_id, spec in body[TILES].items():
        transforms = spec.get("transforms")
        if transforms is not None:
            if not transforms.get("type"):
                raise RefusalError(400, "InvalidTypeIdException: missing type id property 'type'")
            check_transform(transforms, shared, tile_id)


def check_transform(entry, shared, where) -> None:
    """Refuse an entry with an unknown class, without a class, or with an unknown reference."""
    kind = entry.get("type") or "leaf"
    if kind == "ref":
        if entry["refId"] not in shared:
            raise RefusalError(
                400, f"{where} requires the following transform ids [{entry['refId']}]"
            )
    elif kind == "list":
        for part in entry.get("specList") or []:
            check_transform(part, shared, where)
    elif "className" not in entry:
        raise RefusalError(400, f"no className defined for leaf transform spec with id '{where}'")
    elif entry["className"] not in KNOWN_CLASSES:
        raise RefusalError(400, f"transform class '{entry['className']}' cannot be found")
    elif not can_be_read(entry):
        raise RefusalError(400, f"transform '{where}' has a bad dataString")


def can_be_read(entry) -> bool:
    """Return whether the data of a leaf makes a transform."""
    try:
        apply([Transform(entry["className"], entry.get("dataString") or "")], np.zeros((1, 2)))
    except ValueError:
        return False
    return True


def derived_box(spec, shared):
    """Return minX to maxY of a tile by the rule of Render.

    It takes the extremes over samples of the image's border, which run to w - 1 along x at
    y = 0 and h, and to h - 1 along y at x = 0 and w, one a mesh cell; then the corner
    truncated, the size rounded up. What a non-linear class computes is crossreg's own: its
    formulas are tested against the numbers of TrakEM2.
    """
    w, h = spec["width"], spec["height"]
    cell = spec.get("meshCellSize") or 64.0
    columns, rows = (max(2, math.floor(side / cell + 0.5)) for side in (w, h))
    points = [((w - 1) * i / (columns - 1), y) for i in range(columns) for y in (0, h)]
    points += [(x, (h - 1) * i / (rows - 1)) for i in range(rows) for x in (0, w)]
    for leaf in leaves_of(spec.get("transforms") or {"type": "list"}, shared):
        points = mapped(leaf, points)
    box = {}
    for axis, values in zip("XY", zip(*points, strict=True), strict=True):
        low = float(int(min(values)))
        box |= {f"min{axis}": low, f"max{axis}": low + math.ceil(max(values) - min(values))}
    return box


def leaves_of(entry, shared):
    """Yield the leaves of an entry, first to last."""
    if entry.get("type") == "ref":
        yield from leaves_of(shared[entry["refId"]], shared)
    elif "specList" in entry or entry.get("type") == "list":
        for part in entry.get("specList") or []:
            yield from leaves_of(part, shared)
    else:
        yield entry


def mapped(leaf, points):
    """Return points after one transform."""
    if leaf["className"] != P + "AffineModel2D":
        transform = Transform(leaf["className"], leaf["dataString"])
        return [tuple(point) for point in apply([transform], np.array(points, dtype=float))]
    m00, m10, m01, m11, m02, m12 = map(float, leaf["dataString"].split())
    return [(m00 * x + m01 * y + m02, m10 * x + m11 * y + m12) for x, y in points]


def _bounds(tiles):
    tiles = list(tiles)
    lows = {key: min(tile[key] for tile in tiles) for key in ("minX", "minY")}
    highs = {key: max(tile[key] for tile in tiles) for key in ("maxX", "maxY")}
    z = [tile["z"] for tile in tiles]
    return lows | highs | {"minZ": min(z), "maxZ": max(z)}


class _Handler(BaseHTTPRequestHandler):
    """Reads one request, misbehaves if told to, and sends the answer."""

    owner: SmallRenderService
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Headers and body leave in one piece: apart, the second waits 40 ms for the first."""

    def handle_request(self):
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        parts = urlsplit(self.path)
        service = self.owner
        with service.lock:
            service.requests.append((self.command, self.path))
            fault = service.fault_for(self.command, self.path)
        if isinstance(fault, str) and fault.startswith("late "):
            # The service carries the request out, but its answer is lost.
            fault = fault.removeprefix("late ")
            fault = int(fault) if fault.isdecimal() else fault
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            with service.lock:
                self.answered(parts.path, query, data)
        if fault == "drop":
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(service.slow_s)
        if isinstance(fault, int):
            self.send(fault, {"error": "told to fail"})
        elif fault == "garbage":
            self.send_bytes(200, b"<html>a login page</html>")
        elif fault == "half":
            self.close_connection = True
            self.send_bytes(200, b'{"tileIdToSpecMap": {', announced=1000)
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            with service.lock:
                self.send(*self.answered(parts.path, query, data))

    def answered(self, path, query, data):
        try:
            body = json.loads(data) if data else None
            return self.owner.answer(self.command, path, query, body)
        except json.JSONDecodeError as error:
            text = f"com.fasterxml.jackson.core.JsonParseException: {error}"
            return 400, RefusalError(400, text, is_json=True)
        except RefusalError as refusal:
            return refusal.status, refusal

    def send(self, status, value):
        if isinstance(value, RefusalError) and value.is_json:
            page = html.escape(str(value))
            self.send_bytes(status, page.encode(), kind="text/html;charset=utf-8")
        elif isinstance(value, RefusalError):
            self.send_bytes(status, str(value).encode(), kind="text/plain;charset=utf-8")
        else:
            self.send_bytes(status, b"" if value is None else json.dumps(value).encode())

    def send_bytes(self, status, data, announced=None, kind="application/json"):
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(announced or len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def log_message(self, *_):
        """Keep the terminal quiet."""
