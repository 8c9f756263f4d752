"""Which place for stacks a name stands for."""

import re
from typing import Any
from urllib.parse import unquote

from crossreg.crossmodal.folder_store import FolderStore
from crossreg.crossmodal.render_service import RenderService
from crossreg.crossmodal.stack_store import StackStore
from crossreg.errors import UserError

FOLDER = "folder:"
SERVICE = r"(?P<host>https?://[^/:]+)(:(?P<port>[0-9]+))?/(?P<owner>[^/]+)/(?P<project>[^/]+)/?"
FORMS = f"{FOLDER}PATH or http://HOST:PORT/OWNER/PROJECT"


def open_store(place: str, identity: dict[str, Any] | None = None) -> StackStore:
    """Return the place for stacks that `place` names, in one of FORMS.

    `identity` is the `stackId` of a stack whose owner and project new stacks in a folder get.
    Characters that a URL reserves stand percent-encoded in OWNER and PROJECT. Raises UserError
    if `place` has another form.
    """
    if place.startswith(FOLDER) and place != FOLDER:
        identity = identity or {}
        folder = place.removeprefix(FOLDER)
        return FolderStore(folder, identity.get("owner"), identity.get("project"))
    parts = re.fullmatch(SERVICE, place)
    if parts is None:
        raise UserError(f"'{place}' is no place for stacks; write {FORMS}.")
    port = int(parts["port"]) if parts["port"] else None
    return RenderService(parts["host"], port, unquote(parts["owner"]), unquote(parts["project"]))


def is_same(one: StackStore, other: StackStore) -> bool:
    """Return whether two stores are the same place."""
    if isinstance(one, FolderStore) and isinstance(other, FolderStore):
        return one.folder.resolve() == other.folder.resolve()
    return one.place == other.place
