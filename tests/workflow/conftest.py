"""Fixtures of the tests that run the real Snakemake."""

import contextlib
import fcntl
import os
from pathlib import Path

import pytest

from browsers import headless_chromium
from experiment import Experiment, make_experiment
from snakemake_runs import copy_of_the_repository, snakemake


def pytest_collection_modifyitems(items):
    """Run the tests of this folder first, the longest of them at the very beginning."""
    items.sort(key=lambda item: (item.path.stem != "test_slurm", "workflow" not in item.path.parts))


def root_of_all_workers(tmp_path_factory):
    """Return a folder for files that all workers of pytest share."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


@contextlib.contextmanager
def alone(path):
    """Let one worker at a time into the block."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """Return the folder and the output of one run of the demo, made once for all workers."""
    root = root_of_all_workers(tmp_path_factory)
    folder, printed = root / "repository with space", root / "demo.txt"
    with alone(root / "demo.lock"):
        if not printed.is_file():
            copy_of_the_repository(folder)
            run = snakemake(folder=folder, snakefile=folder / "Snakefile")
            assert run.returncode == 0, run.stdout
            printed.write_text(run.stdout)
    return folder, printed.read_text()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Experiment:
    """Return an experiment with its results, made once for all workers; copy it to change it."""
    root = root_of_all_workers(tmp_path_factory)
    folder = root / "finished"
    with alone(root / "finished.lock"):
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


@pytest.fixture(scope="module")
def browser():
    """Return headless Chromium that records console messages and requests."""
    browser = headless_chromium()
    yield browser
    browser.quit()
