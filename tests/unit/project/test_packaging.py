"""The library installs as a package, and what it needs is named once and pinned."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from snakemake_runs import REPOSITORY, copy_of_the_repository

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

USE_EVERYTHING = """
import importlib, json, pkgutil
from importlib.resources import files
import crossreg
names = [m.name for m in pkgutil.walk_packages(crossreg.__path__, "crossreg.")]
for name in names:
    importlib.import_module(name)
schemas = {f.name: json.loads(f.read_text()) for f in files("crossreg.schemas").iterdir()
           if f.name.endswith(".json")}
print(crossreg.__file__, crossreg.__version__, len(names), *sorted(schemas))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """Return the folder to which pip installed the library, without its dependencies."""
    root = tmp_path_factory.mktemp("package")
    source = copy_of_the_repository(root / "source")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--target", root / "site", source], check=True)
    return root / "site"


def test_an_installed_library_imports_and_has_its_schemas(installed, tmp_path):
    """Every module imports away from the repository, and all schemas are there."""
    modules = list((installed / "crossreg").rglob("*.py"))
    printed = subprocess.run(
        [sys.executable, "-c", USE_EVERYTHING],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert Path(printed[0]).is_relative_to(installed)
    assert int(printed[2]) == len(modules) - 1  # all but crossreg/__init__.py itself
    schemas = REPOSITORY / "workflow" / "scripts" / "crossreg" / "schemas"
    assert printed[3:] == sorted(path.name for path in schemas.glob("*.json"))


def test_nothing_but_the_library_is_installed(installed):
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {
        "crossreg"
    }


def pins(text: str) -> dict[str, str]:
    """Return name -> version of the lines `name==version`."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", text, re.MULTILINE))


def needed(group: str | None = None) -> set[str]:
    """Return the names of the packages that pyproject.toml asks for, also in one of its extras."""
    listed = PROJECT["optional-dependencies"][group] if group else PROJECT["dependencies"]
    return {re.split(r"[ <>=!~;\[]", name)[0].lower() for name in listed}


def test_all_that_library_and_workflow_need_is_pinned():
    pinned = pins((REPOSITORY / "envs" / "requirements.txt").read_text())
    assert {name.lower() for name in pinned} >= needed() | needed("workflow")


def test_conda_installs_the_versions_that_pip_installs():
    pinned = pins((REPOSITORY / "envs" / "requirements.txt").read_text())
    text = (REPOSITORY / "envs" / "crossreg.yaml").read_text()
    listed = (line.split("=") for line in yaml.safe_load(text)["dependencies"])
    conda = {name.replace("matplotlib-base", "matplotlib"): version for name, version in listed}
    assert conda.pop("python") == "3.11"
    assert conda == pinned
