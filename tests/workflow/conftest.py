"""Fixtures of the tests that run the real Snakemake."""

import fcntl
import os

import pytest

from experiment import Experiment, make_experiment


def pytest_collection_modifyitems(items):
    """Run the tests of this folder first: they are the long ones."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Experiment:
    """Return an experiment with its results, made once for all workers; copy it to change it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = root / "finished"
    with (root / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            making = make_experiment(root / "making")
            making.succeed()
            making.folder.rename(folder)
    return Experiment(folder)


@pytest.fixture
def again(finished, tmp_path) -> Experiment:
    """Return a copy of the finished experiment, to change something and look what reruns."""
    return finished.copy(tmp_path / "again")


@pytest.fixture
def fresh(tmp_path) -> Experiment:
    """Return an experiment with one ROI and two cycles, not registered yet."""
    return make_experiment(tmp_path / "fresh", rois=("001",))
