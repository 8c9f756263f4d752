"""A small Render web service over real HTTP, with the rules of the real one, for tests.

It implements the endpoints that crossreg uses: metadata, bounds, z values, raw tiles of a
section and of a box, creation, state, upload and deletion. It can be told to misbehave.
"""

import json
import math
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TILES, TRANSFORMS = "tileIdToSpecMap", "transformIdToSpecMap"
BASE = r"/render-ws/v1/owner/(?P<owner>[^/]+)/project/(?P<project>[^/]+)/stack/(?P<stack>[^/]+)"
KNOWN_TILE_KEYS = """
    tileId layout groupId z minX minY maxX maxY width height minIntensity maxIntensity mipmapLevels
    channels transforms meshCellSize labels
"""
KNOWN_LAYOUT_KEYS = """
    sectionId temca camera imageRow imageCol stageX stageY rotation pixelsize
"""


class RefusalError(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


@dataclass
class Stack:
    """One stack of the service."""

    metadata: dict[str, Any]
    tiles: dict[str, dict] = field(default_factory=dict)
    transforms: dict[str, dict] = field(default_factory=dict)


@dataclass
class Fault:
    """Misbehaviour for requests: 'drop', 'half', 'slow', 'garbage' or an error status."""

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
        matched = re.match(BASE, path)
        if not matched:
            raise RefusalError(404, "no such resource")
        key = tuple(unquote(matched[name]) for name in ("owner", "project", "stack"))
        rest = path[matched.end() :].rstrip("/")
        if method == "POST" and not rest:
            return 201, self.create(key, body)
        if key not in self.stacks:
            raise RefusalError(404, f"stack with id '{key}' does not exist")
        stack = self.stacks[key]
        for verb, pattern, handle in ROUTES:
            found = re.fullmatch(pattern, rest)
            if verb == method and found:
                return handle(self, stack, found, query, body)
        raise RefusalError(404, f"no such resource: {method} {rest}")

    def create(self, key: tuple[str, str, str], version: dict) -> None:
        stack = self.stacks.setdefault(key, Stack({}))
        identity = dict(zip(("owner", "project", "name"), key, strict=True))
        number = stack.metadata.get("currentVersionNumber", -1) + 1
        stack.metadata = {
            "stackId": identity,
            "state": "LOADING",
            "currentVersionNumber": number,
            "currentVersion": version | {"createTimestamp": f"2026-01-01T00:00:{number:02d}Z"},
        }

    def get_metadata(self, stack, *_):
        return 200, stack.metadata

    def get_bounds(self, stack, *_):
        if stack.metadata["state"] == "LOADING":
            raise RefusalError(400, "bounds have not been stored, set the stack to COMPLETE")
        return 200, stack.metadata["stats"]["stackBounds"]

    def get_z_values(self, stack, *_):
        return 200, sorted({tile["z"] for tile in stack.tiles.values()})

    def get_section(self, stack, found, *_):
        z = float(found["z"])
        return 200, self.resolved(stack, [t for t in stack.tiles.values() if t["z"] == z])

    def get_box(self, stack, _, query, __):
        limit = {name: float(value) for name, value in query.items()}
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
            raise RefusalError(400, f"{len(tiles)} tiles, more than {self.most_tiles}")
        used = set(re.findall(r'"refId": "([^"]*)"', json.dumps([tiles, stack.transforms])))
        shared = {name: spec for name, spec in stack.transforms.items() if name in used}
        return {TILES: {tile["tileId"]: tile for tile in tiles}, TRANSFORMS: shared}

    def put_state(self, stack, found, *_):
        if found["state"] == "COMPLETE":
            if not stack.tiles:
                raise RefusalError(400, "a stack without tiles cannot be COMPLETE")
            stack.metadata["stats"] = {"stackBounds": _bounds(stack.tiles.values())}
        stack.metadata["state"] = found["state"]
        return 201, None

    def put_tiles(self, stack, _, query, body):
        self.must_load(stack)
        if not body[TILES]:
            raise RefusalError(400, "no tiles were sent")
        stack.transforms.update(body[TRANSFORMS])
        for tile_id, spec in body[TILES].items():
            stack.tiles[tile_id] = self.stored(spec, stack.transforms, query)
        return 200, None

    def stored(self, spec, shared, query):
        kept = set(KNOWN_TILE_KEYS.split()) - {self.loses}
        spec = {key: spec[key] for key in spec if key in kept}
        if "layout" in spec:
            layout = spec["layout"]
            spec["layout"] = {
                key: layout[key] for key in layout if key in KNOWN_LAYOUT_KEYS.split()
            }
        if query.get("deriveData") == "true":
            spec.update(derived_box(spec, shared))
        return spec

    def delete_section(self, stack, found, *_):
        self.must_load(stack)
        z = float(found["z"])
        stack.tiles = {name: tile for name, tile in stack.tiles.items() if tile["z"] != z}
        return 200, None

    def must_load(self, stack):
        if stack.metadata["state"] != "LOADING":
            raise RefusalError(400, f"stack state is {stack.metadata['state']}, must be LOADING")


Z = r"(?P<z>[0-9.eE+-]+)"
ROUTES = [
    ("GET", "", SmallRenderService.get_metadata),
    ("GET", "/bounds", SmallRenderService.get_bounds),
    ("GET", "/zValues", SmallRenderService.get_z_values),
    ("GET", f"/z/{Z}/resolvedTiles", SmallRenderService.get_section),
    ("GET", "/resolvedTiles", SmallRenderService.get_box),
    ("PUT", "/state/(?P<state>[A-Z_]+)", SmallRenderService.put_state),
    ("PUT", "/resolvedTiles", SmallRenderService.put_tiles),
    ("DELETE", f"/z/{Z}", SmallRenderService.delete_section),
]


def derived_box(spec, shared):
    """Return minX to maxY of a tile whose transforms are all affine, by the rule of Render.

    It takes the extremes over the image's border, which runs to w - 1 along x at y = 0 and h,
    and to h - 1 along y at x = 0 and w; then the corner truncated, the size rounded up.
    """
    w, h = spec["width"], spec["height"]
    points = [(x, y) for x in (0, w - 1) for y in (0, h)]
    points += [(x, y) for x in (0, w) for y in (0, h - 1)]
    for entry in spec["transforms"]["specList"]:
        leaf = shared[entry["refId"]] if entry.get("type") == "ref" else entry
        m00, m10, m01, m11, m02, m12 = map(float, leaf["dataString"].split())
        points = [(m00 * x + m01 * y + m02, m10 * x + m11 * y + m12) for x, y in points]
    box = {}
    for axis, values in zip("XY", zip(*points, strict=True), strict=True):
        low = float(int(min(values)))
        box |= {f"min{axis}": low, f"max{axis}": low + math.ceil(max(values) - min(values))}
    return box


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
            body = json.loads(data) if data else None
            with service.lock:
                self.send(*self.answered(parts.path, query, body))

    def answered(self, path, query, body):
        try:
            return self.owner.answer(self.command, path, query, body)
        except RefusalError as refusal:
            return refusal.status, {"error": str(refusal)}

    def send(self, status, value):
        self.send_bytes(status, b"" if value is None else json.dumps(value).encode())

    def send_bytes(self, status, data, announced=None):
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(announced or len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def log_message(self, *_):
        """Keep the terminal quiet."""
