"""Runs of the real workflow: in a copy of the repository, or over a small experiment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]


def copied_files() -> list[str]:
    """Return the names of the files that git knows of, or would know."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [name for name in listed if (REPOSITORY / name).is_file()]


def copy_of_the_repository(folder: Path) -> Path:
    """Return `folder` with a copy of what git knows of the repository, or would know."""
    for name in copied_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    return folder


def snakemake(
    *arguments: object, folder: Path, snakefile: Path = REPOSITORY / "Snakefile"
) -> subprocess.CompletedProcess[str]:
    """Run snakemake on 2 cores in `folder`; return its status and all that it printed."""
    process = start_snakemake(*arguments, folder=folder, snakefile=snakefile)
    try:
        printed = process.communicate(timeout=600)[0]
    except BaseException:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, printed)


def start_snakemake(
    *arguments: object,
    folder: Path,
    snakefile: Path = REPOSITORY / "Snakefile",
    env: dict[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start snakemake on 2 cores in `folder`; return its process, all it prints in one pipe."""
    program = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", snakefile]
    # A run started by pytest must not think that it is a test of Snakemake itself.
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.Popen(
        [str(word) for word in (*program, *arguments)],
        cwd=folder,
        env=environment | (env or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def write_configuration(folder: Path, parameters: dict | None = None, **keys: object) -> Path:
    """Write a parameters.json and a configuration with these keys; return the latter's path.

    `parameters` are keys of the section alignImages, over a default for stacks as `small_stack`
    makes them.
    """
    sections = {
        "acquisition": {"zBinning": 1},
        "alignImages": {"referenceFiducial": "RT27", "blockSize": 64, "blockSizeXY": 32}
        | (parameters or {}),
    }
    (folder / "parameters.json").write_text(json.dumps({"common": sections}))
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump({"parameters": "parameters.json", "results": "out"} | keys))
    return path
