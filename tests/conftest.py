"""Fixtures that all tests share."""

from pathlib import Path

import hypothesis
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# On a busy machine a good example takes longer than the 200 ms that are allowed otherwise.
hypothesis.settings.register_profile("crossreg", deadline=None)
hypothesis.settings.load_profile("crossreg")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets; skip the test where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not in {folder}")
    return folder
