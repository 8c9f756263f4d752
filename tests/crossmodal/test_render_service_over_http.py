"""The Render web service over real HTTP: what goes wrong there, and what is told about it."""

import socket
import time

import pytest
import requests

from crossmodal.planted_stacks import VERSION, fill, section
from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.freeze.parameters import normalised
from crossreg.crossmodal.render.render_service import RenderService
from crossreg.crossmodal.render.stack_places import open_store, store_of
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
    assert len(service.requests) == 1


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
    assert "at most 50,000 tiles a section" in sentence


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


def test_names_of_owner_and_project_may_hold_any_character(service):
    store = RenderService("127.0.0.1", service.port, "the lab/2", "a ?b", backoff_s=0.0)
    fill(store, "EM")
    assert list(service.stacks) == [("the lab/2", "a ?b", "EM")]
    assert open_store(store.place).z_values("EM") == [1.0, 2.0, 3.5]


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
