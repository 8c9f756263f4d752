"""Which place for stacks a name stands for."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from crossreg.crossmodal.freeze.parameters import Parameters
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.stack_store import StackStore
from crossreg.io.errors import UserError

FOLDER = "folder:"
SERVICE = r"(?P<host>https?://[^/:]+)(:(?P<port>[0-9]+))?/(?P<owner>[^/]+)/(?P<project>[^/]+)/?"
STACKS_KEY = "trakem2.stacks.folder"
"""Key of the configuration for the stacks of the round trip, where they are in a folder."""
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
    return _service(parts["host"], port, unquote(parts["owner"]), unquote(parts["project"]))


def store_of(parameters: Parameters, folder: Path | str | None, source: str) -> StackStore:
    """Return where the stacks of `parameters` are: in `folder`, else in the Render they name.

    Raises UserError, naming the file `source`, if neither is given.
    """
    if folder is not None:
        return FolderStore(folder, parameters.owner, parameters.project)
    needed = {key: getattr(parameters, key) for key in ("host", "owner", "project")}
    missing = [f"'render.{key}'" for key, value in needed.items() if value is None]
    if missing:
        raise UserError(
            f"{source}: {', '.join(missing)} missing; name the Render web service there, or a"
            " folder of stacks in the configuration of the workflow."
        )
    return _service(needed["host"], parameters.port, needed["owner"], needed["project"])


def check_folder(store: StackStore, key: str) -> None:
    """Raise UserError, naming the key of the configuration, if stacks are in a folder not there."""
    if isinstance(store, FolderStore) and not store.folder.is_dir():
        raise UserError(f"{store.folder}: there is no such folder of stacks; correct '{key}'.")


def _service(host: str, port: int | None, owner: str, project: str) -> StackStore:
    # The client takes half a second to import, which stacks in folders need not pay.
    from crossreg.crossmodal.render.render_service import RenderService

    return RenderService(host, port, owner, project)


def is_same_stack(one: StackStore, stack: str, other: StackStore, name: str) -> bool:
    """Return whether two stacks are one, however their places are spelt.

    A service has many addresses (localhost, 127.0.0.1, aliases, a port that is the default one):
    what both sides answer of a stack tells whether they are one, never the text of the address.
    """
    if isinstance(one, FolderStore) and isinstance(other, FolderStore):
        folders = [store.folder.resolve() for store in (one, other)]
        return folders[0] == folders[1] and stack.casefold() == name.casefold()
    if isinstance(one, FolderStore) or isinstance(other, FolderStore):
        return False
    first, second = one.metadata(stack), other.metadata(name)
    if first is None or second is None:
        return False
    return all(first.get(key) == second.get(key) for key in ("stackId", "lastModifiedTimestamp"))
