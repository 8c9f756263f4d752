"""Places of stacks for the tests beside this file: a folder, and a small Render web service."""

import pytest

from crossmodal.small_render_service import SmallRenderService
from crossreg.crossmodal.render.folder_store import FolderStore
from crossreg.crossmodal.render.render_service import RenderService


@pytest.fixture
def service():
    with SmallRenderService() as service:
        yield service


@pytest.fixture(params=["folder", "service"])
def store(request, tmp_path):
    if request.param == "folder":
        return FolderStore(tmp_path, "me", "mine")
    service = request.getfixturevalue("service")
    return RenderService("127.0.0.1", service.port, "me", "mine", backoff_s=0.0)
