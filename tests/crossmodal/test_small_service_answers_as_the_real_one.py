"""The service of the tests keeps to what was seen on the real Render web service."""

import copy

import pytest
import requests

from crossmodal.planted_stacks import AFFINE, VERSION, section
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.io.errors import UserError

BASE = "/render-ws/v1/owner/me/project/mine/stack/"
DERIVE = "/resolvedTiles?deriveData=true"


class Client:
    """Plain requests to stacks of a service."""

    def __init__(self, service: SmallRenderService):
        self.base = service.url + BASE

    def __call__(self, method: str, path: str, value=None):
        return requests.request(method, self.base + path, json=value, timeout=10)

    def made(self, stack: str = "EM", *states: str, tiles: bool = True) -> "Client":
        """Create a stack, with tiles, and bring it through these states."""
        assert self("POST", stack, VERSION).status_code == 201
        if tiles:
            assert self("PUT", stack + DERIVE, section(1.0)).status_code == 201
        for state in states:
            assert self("PUT", f"{stack}/state/{state}").status_code == 201
        return self


@pytest.fixture
def client():
    with SmallRenderService() as service:
        yield Client(service)


def edited(**keys) -> dict:
    """Return a section whose first tile has these keys; None removes one."""
    tiles = copy.deepcopy(section(1.0))
    spec = next(iter(tiles["tileIdToSpecMap"].values()))
    for key, value in keys.items():
        if value is None:
            del spec[key]
        else:
            spec[key] = value
    return tiles


def leaf(name: str, data: str = "1 0 0 1 0 0", **keys) -> dict:
    return {"type": "leaf", "className": name, "dataString": data} | keys


def transforms(*entries: dict, **keys) -> dict:
    return {"type": "list", "specList": list(entries)} | keys


@pytest.mark.parametrize(
    ("tiles", "status"),
    [
        (section(1.0), 201),
        (edited(width=None), 500),
        (edited(transforms=None), 201),
        (edited(transforms={"specList": []}), 400),
        (edited(transforms=transforms({"type": "ref", "refId": "elsewhere"})), 400),
        (edited(transforms=transforms(leaf("lenscorrection.NonLinearTransform"))), 400),
        (edited(transforms=transforms(leaf(AFFINE, "1 0 0"))), 400),
        (edited(mipmapLevels={"0": {"imageUrl": "file:/a", "imageLoaderType": "NONE"}}), 400),
        (edited(labels=["b", "a", "b"]), 201),
        (edited(tileId=7), 201),
        (edited(width="100", height=100), 201),
        ({"tileIdToSpecMap": edited(transforms=None)["tileIdToSpecMap"] | {}}, 400),
        ({"tileIdToSpecMap": {}, "transformIdToSpecMap": {}}, 400),
    ],
)
def test_uploads(client, tiles, status):
    client.made(tiles=False)
    assert client("PUT", "EM" + DERIVE, tiles).status_code == status


def test_an_upload_without_boxes_needs_them_derived(client):
    client.made(tiles=False)
    answer = client("PUT", "EM/resolvedTiles", section(1.0))
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_shared_transforms_that_refer_to_shared_ones_are_refused(client):
    tiles = section(1.0)
    tiles["transformIdToSpecMap"]["two"] = {"type": "ref", "refId": "lens_1", "id": "two"}
    assert client.made(tiles=False)("PUT", "EM" + DERIVE, tiles).status_code == 400


def test_numbers_are_doubles_ids_are_texts_and_defaults_are_filled_in(client):
    client.made(tiles=False)
    channel = {"name": "DAPI", "minIntensity": 3}
    tiles = edited(tileId=7, width="100", meshCellSize=None, channels=[channel], labels=["b", "b"])
    client("PUT", "EM" + DERIVE, tiles)
    answered = client("GET", "EM/z/1.0/resolvedTiles").json()
    assert list(answered) == ["transformIdToSpecMap", "tileIdToSpecMap"]
    spec = answered["tileIdToSpecMap"]["7"]
    assert (spec["width"], spec["height"], spec["meshCellSize"]) == (100.0, 100.0, 64.0)
    assert all(isinstance(spec[key], float) for key in ("width", "height", "minIntensity"))
    assert spec["channels"] == [{"name": "DAPI", "minIntensity": 3.0, "maxIntensity": 255.0}]
    assert spec["labels"] == ["b"]


@pytest.mark.parametrize(
    ("states", "step", "status"),
    [
        ((), "READ_ONLY", 400),
        ((), "OFFLINE", 400),
        (("COMPLETE", "READ_ONLY"), "LOADING", 400),
        (("COMPLETE",), "READ_ONLY", 201),
        (("COMPLETE",), "LOADING", 201),
        ((), "DONE", 404),
    ],
)
def test_steps_between_states(client, states, step, status):
    client.made("EM", *states)
    assert client("PUT", f"EM/state/{step}").status_code == status


def test_a_stack_without_tiles_cannot_be_completed(client):
    assert client.made(tiles=False)("PUT", "EM/state/COMPLETE").status_code == 500


def test_a_complete_stack_has_statistics_until_it_is_loading_again(client):
    metadata = client.made("EM", "COMPLETE")("GET", "EM").json()
    stats = metadata["stats"]
    assert (stats["sectionCount"], stats["nonIntegralSectionCount"], stats["tileCount"]) == (
        1,
        0,
        3,
    )
    assert (stats["minTileWidth"], stats["maxTileHeight"], stats["channelNames"]) == (100, 100, [])
    client("PUT", "EM/state/LOADING")
    again = client("GET", "EM").json()
    assert again["currentVersionNumber"] == metadata["currentVersionNumber"] + 1
    assert "stats" not in again and client("GET", "EM/bounds").status_code == 400


def test_what_is_not_loading_takes_and_loses_no_tiles(client):
    client.made("EM", "COMPLETE")
    assert client("PUT", "EM" + DERIVE, section(2.0)).status_code == 500
    assert client("DELETE", "EM/z/1.0").status_code == 400
    client("PUT", "EM/state/READ_ONLY")
    assert client("POST", "EM", VERSION).status_code == 500
    assert client("GET", "EM/bounds").status_code == 200


def test_a_stack_that_is_offline_has_no_tiles(client):
    client.made("EM", "COMPLETE", "OFFLINE")
    assert client("GET", "EM/zValues").json() == []
    assert client("GET", "EM/z/1.0/resolvedTiles").status_code == 404
    assert client("GET", "EM/bounds").status_code == 200
    assert client("POST", "EM", VERSION).status_code == 201
    assert client("GET", "EM").json()["state"] == "LOADING"


def test_a_box_without_limits_is_the_whole_stack(client):
    client.made()
    client("PUT", "EM" + DERIVE, section(2.0))
    assert len(client("GET", "EM/resolvedTiles").json()["tileIdToSpecMap"]) == 6


@pytest.mark.parametrize("name", ["a.b", "a__b", "_a", "a-b"])
def test_names_with_other_signs_are_refused(client, name):
    assert client("POST", name, VERSION).status_code == 400


def test_metadata_keeps_known_keys_as_doubles(client):
    version = {"stackResolutionX": 4, "unknown": 1, "createTimestamp": "2020-01-02T03:04:05.678Z"}
    client("POST", "EM", version)
    metadata = client("GET", "EM").json()
    assert metadata["stackId"] == {"owner": "me", "project": "mine", "stack": "EM"}
    assert "lastModifiedTimestamp" in metadata
    kept = metadata["currentVersion"]
    assert kept == {"stackResolutionX": 4.0, "createTimestamp": version["createTimestamp"]}
    assert isinstance(kept["stackResolutionX"], float)
    assert client("POST", "EM").status_code == 400


def test_a_fault_of_the_json_comes_as_a_page_and_is_told_as_text(client):
    answer = client("POST", "EM", {"createTimestamp": "<yesterday>"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    port = int(client.base.split(":")[2].split("/")[0])
    store = RenderService("127.0.0.1", port, "me", "mine", retries=0)
    store.create("EM", VERSION)
    level = {"0": {"imageUrl": "file:/a", "imageLoaderType": "NONE"}}
    with pytest.raises(UserError, match='"NONE" is no imageLoaderType'):
        store.upload_section("EM", 1.0, edited(mipmapLevels=level))
