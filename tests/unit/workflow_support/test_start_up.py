"""A job of a cycle imports what it needs: hundreds of small cycles must not wait for libraries."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from snakemake_runs import REPOSITORY

SCRIPTS = REPOSITORY / "workflow" / "scripts"
JOBS_OF_A_CYCLE = ("register_global.py", "register_local.py", "reference_blocks.py")
MOST = 2.8
"""Times that an import of NumPy takes, that the imports of a job may take: 1.5 to 2 was seen, 4
with SciPy's filters and transforms."""
HEAVY = ("astropy", "scipy", "jsonschema", "pandas", "matplotlib", "PIL")


def cpu_seconds(compiled: Path, *command: str) -> float:
    """Return the processor time of a command of Python, which keeps its modules in a folder."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(compiled)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(*command: str) -> set[str]:
    """Return the names of the modules that a command of Python imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True
    )
    return set(re.findall(r"import time:\s+\d+ \|\s+\d+ \|\s+(\S+)", done.stderr))


@pytest.mark.parametrize("script", JOBS_OF_A_CYCLE)
def test_a_job_of_a_cycle_starts_nearly_as_fast_as_its_arithmetic(script, tmp_path):
    job, least = [], []
    # The first of them compile their modules, as those of a fresh clone do once.
    for _ in range(6):
        least.append(cpu_seconds(tmp_path, "-c", "import numpy, numpy.fft"))
        job.append(cpu_seconds(tmp_path, str(SCRIPTS / script), "--version"))
    assert min(job) < MOST * min(least)


@pytest.mark.parametrize("script", [*JOBS_OF_A_CYCLE, "reference_projection.py"])
def test_a_job_of_a_cycle_imports_no_heavy_library_that_it_has_no_use_for(script):
    found = imported(str(SCRIPTS / script), "--version")
    assert "numpy" in found
    assert not [name for name in found if name.startswith(HEAVY)]


def test_a_cycle_is_registered_without_scipy():
    code = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
import numpy as np
import crossreg
random = np.random.default_rng(0)
stack = random.integers(0, 999, (8, 128, 128), np.uint16)
moved = np.roll(stack, (3, -4), (1, 2)) + random.integers(0, 400, stack.shape, np.uint16)
found = crossreg.register(stack, moved, block_size=64)
print(found.verdict, [name for name in sys.modules if name.startswith("scipy")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "registered []"


def test_to_read_tiff_takes_no_library_but_the_one_that_reads_it():
    found = imported(
        "-c", f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import crossreg.io.images.tiff"
    )
    assert "tifffile" in found
    assert not [name for name in found if name.startswith((*HEAVY, "lxml"))]


@pytest.mark.parametrize("script", ["summarize.py", "merge_tables.py"])
def test_tables_are_merged_without_any_library_but_numpy(script):
    found = imported(str(SCRIPTS / script), "--version")
    assert not [name for name in found if name.startswith((*HEAVY, "tifffile"))]


def test_pictures_of_a_cycle_need_neither_scipy_nor_a_library_of_plots():
    found = imported(str(SCRIPTS / "picture_cycle.py"), "--version")
    assert "PIL" in found
    assert not [name for name in found if name.startswith(("scipy", "matplotlib", "astropy"))]
