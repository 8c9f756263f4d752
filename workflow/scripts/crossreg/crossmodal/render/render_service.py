"""Stacks in a Render web service, over HTTP with raw JSON.

Tiles never pass through renderapi's TileSpec, which drops keys and rounds affines.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import renderapi.render
import renderapi.stack
import requests
from renderapi.errors import RenderError
from renderapi.utils import get_json, post_json, put_json, rest_delete
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from crossreg.crossmodal.render.stack_store import (
    BOX_KEYS,
    COMPLETE,
    TILES,
    ResolvedTiles,
    check_section,
    checked_metadata,
    checked_stack_name,
    no_tiles,
    required_metadata,
)
from crossreg.io.errors import UserError

MOST_TILES_A_SECTION = 50_000
"""Above this number the service refuses to return a section."""

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 300.0
"""A large section takes the service minutes to store; nothing at all for longer is a fault."""

RETRIES = 4
BACKOFF_S = 0.5
"""Waits of 0, 1, 2 and 4 s: a restart of a proxy passes, a service that is down is told soon."""

STATUSES_TO_RETRY = (502, 503, 504)
CUT_SHORT = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
NOT_FOUND = 404
SHOWN_CHARACTERS = 300


class _RefusedError(Exception):
    """An answer of the service with an error status."""

    def __init__(self, status: int, text: str):
        super().__init__(f"it answered {status}: {_in_short(text)}")
        self.status = status


class RenderService:
    """Stacks of one owner and project in a Render web service; see `stack_store.StackStore`."""

    def __init__(
        self,
        host: str,
        port: int | None,
        owner: str,
        project: str,
        *,
        timeout_s: float = READ_TIMEOUT_S,
        retries: int = RETRIES,
        backoff_s: float = BACKOFF_S,
    ):
        """Prepare a session; nothing is sent yet. `host` may begin with http:// or https://."""
        host = (host if re.match("https?://", host) else f"http://{host}").rstrip("/")
        base = host if port is None else f"{host}:{port}"
        self.place = f"{base}/{quote(owner, safe='')}/{quote(project, safe='')}"
        self._render = renderapi.render.Render(
            host=host,
            port=port,
            owner=quote(owner, safe=""),
            project=quote(project, safe=""),
            session=_session(timeout_s, retries, backoff_s),
        )

    def metadata(self, stack: str) -> dict[str, Any] | None:
        """See StackStore."""
        with self._told(stack, "its metadata cannot be read"):
            metadata = _none_if_not_found(
                lambda: renderapi.stack.get_full_stack_metadata(stack, render=self._render)
            )
        if metadata is None:
            return None
        return checked_metadata(metadata, f"{self.place}: stack '{stack}'")

    def z_values(self, stack: str) -> list[float]:
        """See StackStore."""
        required_metadata(self, stack)
        with self._told(stack, "its z values cannot be read"):
            answer = renderapi.stack.get_z_values_for_stack(stack, render=self._render)
            return sorted(float(z) for z in answer)

    def bounds(self, stack: str) -> dict[str, float]:
        """See StackStore."""
        required_metadata(self, stack)
        with self._told(stack, f"its bounds cannot be read (they need the state {COMPLETE})"):
            return renderapi.stack.get_stack_bounds(stack, render=self._render)

    def section(self, stack: str, z: float) -> ResolvedTiles:
        """See StackStore."""
        limit = f"at most {MOST_TILES_A_SECTION:,} tiles a section are possible"
        return self._tiles(stack, z, f"/z/{float(z)!r}/resolvedTiles", f" ({limit})")

    def section_box(self, stack: str, z: float, box: dict[str, float]) -> ResolvedTiles:
        """See StackStore."""
        limits = {"minZ": float(z), "maxZ": float(z)} | {key: float(box[key]) for key in BOX_KEYS}
        return self._tiles(stack, z, "/resolvedTiles?" + urlencode(limits))

    def create(self, stack: str, version: dict[str, Any]) -> None:
        """See StackStore."""
        with self._told(stack, "it cannot be created"):
            post_json(self._render.session, self._url(stack), version)

    def delete_section(self, stack: str, z: float) -> None:
        """See StackStore."""
        with self._told(stack, f"section z = {z} cannot be deleted"):
            _none_if_not_found(
                lambda: rest_delete(self._render.session, self._url(stack, f"/z/{float(z)!r}"))
            )

    def upload_section(self, stack: str, z: float, tiles: ResolvedTiles) -> None:
        """See StackStore. An empty section needs no upload: the service refuses one."""
        check_section(tiles, z, f"{self.place}: stack '{stack}'")
        number = len(tiles[TILES])
        if number > MOST_TILES_A_SECTION:
            raise UserError(
                f"{self.place}: section z = {z} of stack '{stack}' has {number:,} tiles, but the"
                f" service returns at most {MOST_TILES_A_SECTION:,}; use a folder for this stack."
            )
        if number:
            url = self._url(stack, "/resolvedTiles")
            with self._told(stack, f"section z = {z} cannot be uploaded"):
                put_json(self._render.session, url, tiles, {"deriveData": "true"})

    def complete(self, stack: str) -> None:
        """See StackStore."""
        with self._told(stack, f"its state cannot be set to {COMPLETE}"):
            renderapi.stack.set_stack_state(stack, COMPLETE, render=self._render)

    def _tiles(self, stack: str, z: float, path: str, hint: str = "") -> ResolvedTiles:
        """Return the tiles at `path` of a stack; without tiles where the service finds none."""
        with self._told(stack, f"section z = {z} cannot be read{hint}"):
            url = self._url(stack, path)
            tiles = _none_if_not_found(lambda: get_json(self._render.session, url))
        if tiles is None:
            required_metadata(self, stack)
            return no_tiles()
        check_section(tiles, z, f"{self.place}: stack '{stack}'")
        return tiles

    def _url(self, stack: str, path: str = "") -> str:
        connection = self._render.make_kwargs()
        parts = (connection[key] for key in ("host", "port", "owner", "project"))
        return renderapi.render.format_preamble(*parts, checked_stack_name(stack)) + path

    @contextmanager
    def _told(self, stack: str, failure: str) -> Iterator[None]:
        """Turn whatever goes wrong with a request into one sentence."""
        start = f"{self.place}: stack '{checked_stack_name(stack)}': {failure}"
        try:
            yield
        except _RefusedError as refused:
            raise UserError(f"{start}; {refused}") from None
        except (*CUT_SHORT, requests.exceptions.Timeout) as error:
            raise UserError(f"{start}; {_cause(error)}.") from None
        except (requests.exceptions.RequestException, RenderError, ValueError, TypeError) as error:
            raise UserError(f"{start}; its answer is no use ({_in_short(str(error))}).") from None


class _Adapter(HTTPAdapter):
    """An adapter with a time-out, which renderapi never sets, that repeats answers cut short."""

    def __init__(self, timeout_s: float, retry: Retry):
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        super().__init__(max_retries=retry)

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        for repeats_left in range(self.max_retries.total, -1, -1):
            response = super().send(*args, **kwargs)
            try:
                # urllib3 repeats until the headers have come; the rest of the answer is up to us.
                response.content  # noqa: B018
                break
            except CUT_SHORT:
                if not repeats_left:
                    raise
        return response


def _session(timeout_s: float, retries: int, backoff_s: float) -> requests.Session:
    """Return a session with time-out and retries that raises _RefusedError for error statuses.

    POST is repeated too: creating a stack twice gives one version more and nothing else.
    """
    retry = Retry(
        total=retries,
        backoff_factor=backoff_s,
        status_forcelist=STATUSES_TO_RETRY,
        allowed_methods=None,
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(timeout_s, retry))
    session.hooks["response"].append(_refuse)
    return session


def _refuse(response: requests.Response, *_: Any, **__: Any) -> None:
    """Raise before renderapi does: its messages repeat the whole request and hide the status."""
    if response.status_code >= requests.codes.bad_request:
        raise _RefusedError(response.status_code, response.text)


def _none_if_not_found(request: Callable[[], Any]) -> Any:
    """Return what `request` returns, or None if the service knows no such thing."""
    try:
        return request()
    except _RefusedError as refused:
        if refused.status != NOT_FOUND:
            raise
        return None


def _cause(error: requests.exceptions.RequestException) -> str:
    """Return what went wrong on the way: requests reports all as one kind of exception."""
    if "timed out" in str(error):
        return "the service did not answer in time, try again later"
    if any(word in str(error) for word in ("RemoteDisconnected", "reset", "aborted", "broken")):
        return "the service dropped the connection, try again later"
    return "the service cannot be reached, check host and port"


def _in_short(text: str) -> str:
    """Return `text` on one line, cut after SHOWN_CHARACTERS."""
    line = " ".join(text.split()) or "nothing"
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 3] + "..."
