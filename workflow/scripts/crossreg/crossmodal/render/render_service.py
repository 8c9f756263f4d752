"""Stacks in a Render web service, over HTTP with raw JSON.

Tiles never pass through renderapi's TileSpec, which drops keys and rounds affines.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import renderapi.render
import renderapi.stack
import requests
from renderapi.errors import RenderError
from renderapi.utils import get_json, post_json, put_json, rest_delete

from crossreg.crossmodal.freeze.canonical import sha256
from crossreg.crossmodal.render.accepted_specs import accepted_section, leaves
from crossreg.crossmodal.render.service_session import (
    BACKOFF_S,
    CUT_SHORT,
    RETRIES,
    STATUSES_TO_RETRY,
    RefusedError,
    cause,
    in_short,
    session_with_retries,
)
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

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 300.0
"""A large section takes the service minutes to store; nothing at all for longer is a fault."""

COMPLETE_TIMEOUT_S = 4 * 3600.0
"""Setting a stack to COMPLETE derives the box of every tile: hours for millions of tiles."""

MOST_TILES_A_SECTION = 50_000
"""Above this number the service refuses to return a section."""

BAD_REQUEST = 400
NO_USE = (ValueError, KeyError, TypeError)
"""What an answer of another form raises where it is read."""

NOT_FOUND = 404


class _CutShortError(UserError):
    """A request without an answer: the service may have carried it out, or not."""


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
            session=session_with_retries(timeout_s, retries, backoff_s),
        )
        self._owner, self._project = owner, project
        self._patient = session_with_retries(max(timeout_s, COMPLETE_TIMEOUT_S), retries, backoff_s)
        self._retries = retries
        self._tried_classes: set[str] = set()

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
            bounds: dict[str, float] = renderapi.stack.get_stack_bounds(stack, render=self._render)
        return bounds

    def section(self, stack: str, z: float) -> ResolvedTiles:
        """See StackStore."""
        return self._tiles(stack, z, f"/z/{float(z)!r}/resolvedTiles")

    def digest(self, stack: str, z: float) -> str:
        """See StackStore."""
        return sha256(self.section(stack, z))

    def section_box(self, stack: str, z: float, box: dict[str, float]) -> ResolvedTiles:
        """See StackStore."""
        limits = {"minZ": float(z), "maxZ": float(z)} | {key: float(box[key]) for key in BOX_KEYS}
        return self._tiles(stack, z, "/resolvedTiles?" + urlencode(limits))

    def create(
        self, stack: str, version: dict[str, Any], hierarchical: dict[str, Any] | None = None
    ) -> None:
        """See StackStore.

        A request that was cut short is sent again only if the service did not carry it out:
        each one makes a new version.
        """
        # The service stores no time of its own, and its clients then show the present one.
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        dated = version | {"createTimestamp": now}
        before = _version_number(self.metadata(stack))
        for repeats_left in range(self._retries, -1, -1):
            try:
                with self._told(stack, "it cannot be created"):
                    post_json(self._render.session, self._url(stack), dated)
                break
            except _CutShortError:
                if _version_number(self.metadata(stack)) != before:
                    break
                if not repeats_left:
                    raise
                log.warning("%s: stack '%s': creating it is repeated", self.place, stack)
        if hierarchical is not None:
            with self._told(stack, "its hierarchicalData cannot be written"):
                put_json(self._render.session, self._url(stack, "/hierarchicalData"), hierarchical)

    def remove(self, stack: str) -> None:
        """See StackStore."""
        with self._told(stack, "it cannot be removed"):
            _none_if_not_found(lambda: rest_delete(self._render.session, self._url(stack)))

    def accepted(self, tiles: ResolvedTiles) -> ResolvedTiles:
        """See StackStore. Each class is tried once, with the first data that comes."""
        tiles = accepted_section(tiles)
        for where, leaf in leaves(tiles):
            name = str(leaf["className"])
            if name not in self._tried_classes:
                self._try(where, name, leaf)
                self._tried_classes.add(name)
        return tiles

    def hint(self) -> str:
        """See StackStore."""
        where = f"owner '{self._owner}', project '{self._project}'"
        try:
            answer = get_json(self._render.session, self._below_owner("/stackIds"))
            projects = sorted({str(one["project"]) for one in answer})
        except (RefusedError, requests.exceptions.RequestException, RenderError, *NO_USE):
            return f"check its name ({where})"
        if not projects:
            return f"the owner '{self._owner}' has no stacks at all: check owner and project"
        if self._project not in projects:
            named = ", ".join(projects[:5])
            return f"the owner '{self._owner}' has no such project, but {named}: check the project"
        return f"check its name ({where})"

    def _try(self, where: str, name: str, leaf: Mapping[str, Any]) -> None:
        """Raise UserError if the service does not know the class of a transform, or its data."""
        try:
            body = {key: value for key, value in leaf.items() if key != "id"}
            put_json(self._render.session, self._below_owner("/validate-json/transform"), body)
        except RefusedError as refused:
            # Services of years ago have no such test; what they refuse is then told on upload.
            if refused.status == BAD_REQUEST:
                raise UserError(
                    f"{self.place}: {where}: the service does not take its transform of the class"
                    f" {name} ({in_short(refused.text)}); replace it in the stack."
                ) from None
        except requests.exceptions.RequestException as error:
            raise UserError(f"{self.place}: {cause(error)}.") from None

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
            # Nothing is derived twice: a repeat of a request that the service carried out is quick.
            self._patient.put(self._url(stack, f"/state/{COMPLETE}"))

    def _tiles(self, stack: str, z: float, path: str) -> ResolvedTiles:
        """Return the tiles at `path` of a stack; without tiles where the service finds none."""
        with self._told(stack, f"section z = {z} cannot be read"):
            url = self._url(stack, path)
            tiles: ResolvedTiles | None = _none_if_not_found(
                lambda: get_json(self._render.session, url)
            )
        if tiles is None:
            required_metadata(self, stack)
            return no_tiles()
        check_section(tiles, z, f"{self.place}: stack '{stack}'")
        return tiles

    def _url(self, stack: str, path: str = "") -> str:
        connection = self._render.make_kwargs()
        parts = (connection[key] for key in ("host", "port", "owner", "project"))
        return str(renderapi.render.format_preamble(*parts, checked_stack_name(stack))) + path

    def _below_owner(self, path: str) -> str:
        """Return the address of `path` below the owner."""
        base, _, _ = self._url("any").partition("/project/")
        return base + path

    @contextmanager
    def _told(self, stack: str, failure: str) -> Iterator[None]:
        """Turn whatever goes wrong with a request into one sentence."""
        start = f"{self.place}: stack '{checked_stack_name(stack)}': {failure}"
        try:
            yield
        except RefusedError as refused:
            hint = ""
            if "50000" in refused.text.replace(",", ""):
                hint = f" (at most {MOST_TILES_A_SECTION:,} tiles per section are possible)"
            passing = refused.status in STATUSES_TO_RETRY
            raise (_CutShortError if passing else UserError)(f"{start}{hint}; {refused}") from None
        except (*CUT_SHORT, requests.exceptions.Timeout) as error:
            raise _CutShortError(f"{start}; {cause(error)}.") from None
        except (requests.exceptions.RequestException, RenderError, ValueError, TypeError) as error:
            raise UserError(f"{start}; its answer is no use ({in_short(str(error))}).") from None


def _version_number(metadata: dict[str, Any] | None) -> int | None:
    return None if metadata is None else metadata.get("currentVersionNumber")


def _none_if_not_found(request: Callable[[], Any]) -> Any:
    """Return what `request` returns, or None if the service knows no such thing."""
    try:
        return request()
    except RefusedError as refused:
        if refused.status != NOT_FOUND:
            raise
        return None
