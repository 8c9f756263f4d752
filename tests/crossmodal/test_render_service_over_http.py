"""The Render web service over real HTTP: what goes wrong there, and what is told about it."""

import socket
import time

import numpy as np
import pytest
import requests

from crossmodal.planted_stacks import AFFINE, VERSION, fill, section
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.freeze.freezing import freeze
from crossreg.crossmodal.freeze.parameters import normalised
from crossreg.crossmodal.registered.read_back import section_differences
from crossreg.crossmodal.registered.write_stack import write_stack
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.crossmodal.render.stack_places import open_store, store_of
from crossreg.crossmodal.render.stack_store import required_metadata, source_metadata
from crossreg.crossmodal.render.tile_specs import tile_corners
from crossreg.io.errors import UserError

LONGEST_SENTENCE = 700


@pytest.fixture
def service():
    with SmallRenderService(slow_s=1.0) as service:
        yield service


def connect(service, **options):
    options = {"backoff_s": 0.0, "retries": 2} | options
    return RenderService("127.0.0.1", service.port, "me", "mine", **options)


def told(failure) -> str:
    """Return the sentence of the UserError that `failure` raises."""
    with pytest.raises(UserError) as error:
        failure()
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < LONGEST_SENTENCE
    return sentence


@pytest.mark.parametrize("kind", ["drop", "half", 502, 503, 504])
def test_a_request_that_fails_is_repeated(service, kind):
    store = connect(service)
    fill(store, "EM")
    service.requests.clear()
    service.misbehave("GET", "/z/1.0/", kind, times=2)
    assert len(store.section("EM", 1.0)["tileIdToSpecMap"]) == 3
    assert len(service.requests) == 3


@pytest.mark.parametrize("kind", ["drop", 503])
def test_uploads_deletions_and_creations_are_repeated_too(service, kind):
    store = connect(service)
    for method in ("POST", "PUT", "DELETE"):
        service.misbehave(method, "", kind, times=1)
    store.create("EM", VERSION)
    store.delete_section("EM", 1.0)
    store.upload_section("EM", 1.0, section(1.0))
    store.complete("EM")
    assert store.z_values("EM") == [1.0]


@pytest.mark.parametrize("kind", ["drop", "half"])
def test_a_connection_that_always_drops_is_told(service, kind):
    store = connect(service)
    fill(store, "EM")
    service.misbehave("GET", "/z/1.0/", kind, times=99)
    sentence = told(lambda: store.section("EM", 1.0))
    assert f"http://127.0.0.1:{service.port}/me/mine: stack 'EM'" in sentence
    assert "section z = 1.0 cannot be read" in sentence
    assert "dropped the connection" in sentence


def test_a_slow_answer_ends_after_the_time_out(service):
    store = connect(service, timeout_s=0.2, retries=1)
    fill(store, "EM")
    service.misbehave("GET", "/z/1.0/", "slow", times=99)
    start = time.monotonic()
    assert "did not answer in time" in told(lambda: store.section("EM", 1.0))
    assert time.monotonic() - start < 0.9


def test_a_slow_answer_within_the_time_out_counts(service):
    store = connect(service, timeout_s=5.0)
    fill(store, "EM")
    service.misbehave("GET", "/z/1.0/", "slow")
    assert len(store.section("EM", 1.0)["tileIdToSpecMap"]) == 3


def test_a_service_that_stays_down_is_told_with_its_status(service):
    store = connect(service)
    service.misbehave("GET", "", 503, times=99)
    assert 'answered 503: {"error": "told to fail"}' in told(lambda: store.metadata("EM"))


def test_an_error_that_is_no_passing_one_is_not_repeated(service):
    store = connect(service)
    service.misbehave("POST", "", 500, times=99)
    assert "it cannot be created; it answered 500" in told(lambda: store.create("EM", VERSION))
    assert [method for method, _ in service.requests].count("POST") == 1


def test_an_answer_that_is_no_json_is_told(service):
    store = connect(service)
    service.misbehave("GET", "", "garbage", times=99)
    assert "its answer is no use (<html>a login page</html>)" in told(lambda: store.metadata("EM"))


def test_a_port_without_a_service_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = RenderService("127.0.0.1", port, "me", "mine", backoff_s=0.0, retries=1)
    assert "cannot be reached, check host and port" in told(lambda: store.metadata("EM"))


def test_a_refused_upload_is_told_without_the_tiles(service):
    store = connect(service)
    store.create("EM", VERSION)
    service.misbehave("PUT", "", 400, times=1)
    sentence = told(lambda: store.upload_section("EM", 1.0, section(1.0, count=50)))
    assert "section z = 1.0 cannot be uploaded; it answered 400" in sentence
    assert "t_1.0_0" not in sentence


def test_a_section_that_the_service_does_not_return_is_told():
    with SmallRenderService(most_tiles=2) as service:
        store = connect(service)
        store.create("EM", VERSION)
        store.upload_section("EM", 1.0, section(1.0, count=3))
        sentence = told(lambda: store.section("EM", 1.0))
    assert "it answered 400" in sentence
    assert "at most 50,000 tiles per section" in sentence


def test_the_limit_of_tiles_is_named_only_where_it_is_the_reason(service):
    store = connect(service)
    fill(store, "EM")
    service.misbehave("GET", "/z/1.0/", 400, times=1)
    assert "50,000" not in told(lambda: store.section("EM", 1.0))


def test_a_section_of_too_many_tiles_is_refused_before_it_is_sent(service):
    store = connect(service)
    store.create("EM", VERSION)
    service.requests.clear()
    tiles = {str(i): {"tileId": str(i), "z": 1.0} for i in range(50_001)}
    section = {"tileIdToSpecMap": tiles, "transformIdToSpecMap": {}}
    sentence = told(lambda: store.upload_section("EM", 1.0, section))
    assert "section z = 1.0 of stack 'EM' has 50,001 tiles" in sentence
    assert service.requests == []


def test_an_empty_section_is_not_sent(service):
    store = connect(service)
    store.create("EM", VERSION)
    service.requests.clear()
    store.upload_section("EM", 1.0, {"tileIdToSpecMap": {}, "transformIdToSpecMap": {}})
    assert service.requests == []


def test_names_of_owner_and_project_are_sent_whole_and_judged_by_the_service(service):
    store = RenderService("127.0.0.1", service.port, "the lab/2", "a ?b", backoff_s=0.0)
    assert store.metadata("EM") is None
    _, path = service.requests[-1]
    assert "/owner/the%20lab%2F2/project/a%20%3Fb/stack/EM" in path
    assert open_store(store.place).place == store.place
    assert "it answered 400: invalid name" in told(lambda: store.create("EM", VERSION))


@pytest.mark.parametrize("host", ["127.0.0.1", "http://127.0.0.1", "http://127.0.0.1/"])
def test_the_host_may_have_a_scheme(service, host):
    assert RenderService(host, service.port, "me", "mine").metadata("EM") is None


def test_z_is_never_cut_to_an_integer(service):
    store = connect(service)
    fill(store, "EM", zs=(3.0, 3.5))
    box = {"minX": -1e6, "minY": -1e6, "maxX": 1e6, "maxY": 1e6}
    assert "t_3.5_0" in store.section_box("EM", 3.5, box)["tileIdToSpecMap"]
    store.create("EM", VERSION)
    store.delete_section("EM", 3.5)
    assert store.z_values("EM") == [3.0]


def test_the_parameters_say_where_the_stacks_are(service, tmp_path):
    render = {"host": "127.0.0.1", "port": service.port, "owner": "me", "project": "mine"}
    named = {"inputStack": "EM", "LMstack": "LM"}
    fill(store_of(normalised(named | {"render": render}, "p"), None, "p"), "EM")
    assert list(service.stacks) == [("me", "mine", "EM")]
    folder = store_of(normalised(named | {"render": render}, "p"), tmp_path, "p")
    fill(folder, "EM")
    assert folder.metadata("EM")["stackId"]["owner"] == "me"
    sentence = told(lambda: store_of(normalised(named, "p"), None, "p.json"))
    assert "p.json: 'render.host', 'render.owner', 'render.project' missing" in sentence


def test_a_host_needs_no_port(monkeypatch):
    asked = []

    def send(adapter, request, **_):
        asked.append(request.url)
        raise requests.exceptions.ConnectionError("no network in this test")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    told(lambda: open_store("http://render.lab/me/mine").metadata("EM"))
    wanted = "http://render.lab/render-ws/v1/owner/me/project/mine/stack/EM"
    assert set(asked) == {wanted}


@pytest.mark.parametrize(
    "place", ["", "folder:", "/some/path", "http://host/owner", "ftp://host/a/b", "host:80/a/b"]
)
def test_a_place_of_another_form_is_refused(place):
    assert "write folder:PATH or http://HOST:PORT/OWNER/PROJECT" in told(lambda: open_store(place))


@pytest.mark.parametrize("kind", ["drop", 503])
def test_a_creation_that_was_carried_out_is_not_sent_again(service, kind):
    """Each POST makes a new version: the version number says whether the first one arrived."""
    store = connect(service)
    service.misbehave("POST", "", f"late {kind}", times=1)
    store.create("EM", VERSION)
    assert store.metadata("EM")["currentVersionNumber"] == 0
    service.misbehave("POST", "", kind, times=1)
    store.create("EM", VERSION)
    assert store.metadata("EM")["currentVersionNumber"] == 1


def test_repeats_are_told_while_they_happen(service, caplog):
    store = connect(service)
    fill(store, "EM")
    service.misbehave("GET", "/z/1.0/", 503, times=2)
    store.section("EM", 1.0)
    told = [record.message for record in caplog.records if "is repeated" in record.message]
    assert len(told) == 2 and "/z/1.0/resolvedTiles" in told[0]


def test_completion_has_a_limit_of_its_own(service):
    """The service derives the box of every tile before it answers."""
    store = connect(service, timeout_s=0.3, retries=0)
    store.create("EM", VERSION)
    store.upload_section("EM", 1.0, section(1.0))
    service.misbehave("PUT", "/state/COMPLETE", "slow")
    store.complete("EM")
    assert store.metadata("EM")["state"] == "COMPLETE"


def test_a_creation_is_dated(service):
    store = connect(service)
    store.create("EM", VERSION | {"createTimestamp": "2001-01-01T00:00:00.000Z"})
    assert store.metadata("EM")["currentVersion"]["createTimestamp"] > "2026"


def test_a_wrong_owner_or_project_is_told_as_such(service):
    fill(connect(service), "EM")
    cases = {
        ("me", "mine"): "there is no stack 'XX'; check its name (owner 'me', project 'mine')",
        ("me", "other"): "the owner 'me' has no such project, but mine",
        ("you", "mine"): "the owner 'you' has no stacks at all: check owner and project",
    }
    for (owner, project), words in cases.items():
        store = RenderService("127.0.0.1", service.port, owner, project, backoff_s=0.0)
        assert words in told(lambda store=store: required_metadata(store, "XX"))


def test_a_stack_in_another_state_has_its_own_words(service):
    store = connect(service)
    fill(store, "EM")
    state = service.stacks["me", "mine", "EM"].metadata
    state["state"] = "OFFLINE"
    assert "is OFFLINE: its tiles are not in the service" in told(
        lambda: source_metadata(store, "EM")
    )
    state["state"] = "READ_ONLY"
    assert source_metadata(store, "EM") and store.bounds("EM")
    sentence = told(
        lambda: write_stack(store, "EM", VERSION, "mark", [(1.0, section(1.0))], overwrite=True)
    )
    assert "is READ_ONLY; set it to COMPLETE" in sentence
    assert len(store.section("EM", 1.0)["tileIdToSpecMap"]) == 3


NONLINEAR = "1 3 1 0 0 1 0.0 0.0 0 0 1 1 1 1 100 100"


def with_transforms(*entries, shared=None, **keys) -> dict:
    transforms = {"type": "list", "specList": list(entries)}
    spec = {"tileId": "t", "z": 1.0, "width": 100, "height": 100, "transforms": transforms} | keys
    return {"tileIdToSpecMap": {"t": spec}, "transformIdToSpecMap": shared or {}}


def leaf(name: str, data: str = "1 0 0 1 3 4") -> dict:
    return {"type": "leaf", "className": name, "dataString": data}


def test_what_means_the_same_is_written_as_the_service_takes_it(service):
    """No type, old names, and shared transforms that refer to shared ones: see the facts."""
    store = connect(service)
    store.create("EM", VERSION)
    untyped = {"className": AFFINE, "dataString": "1 0 0 1 3 4"}
    shared = {
        "lens": {"id": "lens", "type": "list", "specList": [{"type": "ref", "refId": "shift"}]},
        "shift": leaf(AFFINE) | {"id": "shift"},
    }
    cases = [
        with_transforms(transforms={"specList": [untyped]}),
        with_transforms({"specList": [untyped]}),
        with_transforms({"refId": "shift"}, shared=shared),
        with_transforms({"type": "ref", "refId": "lens"}, shared=shared),
        with_transforms(leaf("lenscorrection.NonLinearTransform", NONLINEAR)),
    ]
    for given in cases:
        before = tile_corners(given["tileIdToSpecMap"]["t"], given["transformIdToSpecMap"], "t")
        with pytest.raises(UserError, match="it answered 400"):
            store.upload_section("EM", 1.0, given)
        taken = store.accepted(given)
        store.upload_section("EM", 1.0, taken)
        answered = store.section("EM", 1.0)
        after = tile_corners(
            answered["tileIdToSpecMap"]["t"], answered["transformIdToSpecMap"], "t"
        )
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-9)


def test_what_is_right_already_stays_as_it_is(service):
    assert connect(service).accepted(section(1.0)) == section(1.0)


def test_a_class_that_the_service_does_not_know_is_found_by_trying_it(service):
    store = connect(service)
    tiles = with_transforms(leaf("org.example.Warp"))
    sentence = told(lambda: store.accepted(tiles))
    assert (
        "tile 't': the service does not take its transform of the class org.example.Warp"
        in sentence
    )
    service.requests.clear()
    store.accepted(section(1.0))
    store.accepted(section(2.0))
    assert len([path for _, path in service.requests if "validate-json" in path]) == 1


def test_freezing_over_http_finds_what_cannot_come_back_before_the_handwork(service, tmp_path):
    store = connect(service)
    fill(store, "EM")
    fill(store, "LM")
    given = {"inputStack": "EM", "LMstack": "LM", "checkTileImages": False}
    parameters = normalised(given, "p.json")
    frozen = freeze(tmp_path / "a", "a", parameters, store, {})
    assert [entry.z for entry in frozen.sections] == [1.0, 2.0, 3.5]
    assert frozen.stacks["EM"]["stackId"] == {"owner": "me", "project": "mine", "stack": "EM"}
    fill(FolderStore(tmp_path / "folder"), "EM")
    FolderStore(tmp_path / "folder").create("LM", VERSION)
    fill(FolderStore(tmp_path / "folder"), "LM")
    folder = freeze(tmp_path / "b", "a", parameters, FolderStore(tmp_path / "folder"), {})
    assert frozen.bounds == folder.bounds and frozen.layers == folder.layers
    assert [e.tiles for e in frozen.sections] == [e.tiles for e in folder.sections]
    service.forget_class(AFFINE)
    with pytest.raises(UserError, match=f"does not take its transform of the class {AFFINE}"):
        freeze(tmp_path / "c", "c", parameters, connect(service), {})
    assert not (tmp_path / "c" / "frozen").exists()


def test_labels_are_a_set(service):
    store = connect(service)
    store.create("EM", VERSION)
    sent = with_transforms(leaf(AFFINE), labels=["b", "a", "b"])
    store.upload_section("EM", 1.0, sent)
    assert list(section_differences(sent, store.section("EM", 1.0))) == []
    other = with_transforms(leaf(AFFINE), labels=["a", "c"])
    assert list(section_differences(other, store.section("EM", 1.0)))
