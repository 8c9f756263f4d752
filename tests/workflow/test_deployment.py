"""The workflow is taken over as Snakemake users do: as a module, by snakedeploy, by its catalog."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiment import REPOSITORY, Experiment, make_experiment
from snakemake_runs import snakemake

IMPORTER = """
{configfile}

module registration:
    snakefile: {snakefile!r}
    config: config{section}
    {more}

use rule * from registration as reg_*

rule mine:
    input: rules.reg_tables.input
    output: "mine.txt"
    shell: "wc -l {{input}} > {{output}}"
"""


@pytest.fixture
def importer(tmp_path) -> Path:
    """Return a folder with the data of one ROI and one cycle, without a local step."""
    data = make_experiment(tmp_path / "data", rois=("001",), cycles=("RT1",))
    data.change_parameter("alignImages", "localAlignment", "None")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "config").mkdir()
    return tmp_path


KEYS = {"images": "data/images", "parameters": "data/parameters.json", "results": "registered"}


def write_importer(folder: Path, configfile: str = "", section: str = "", more: str = "") -> None:
    """Write a Snakefile that imports the workflow, and its configuration."""
    text = IMPORTER.format(
        configfile=f'configfile: "{configfile}"' if configfile else "",
        snakefile=str(REPOSITORY / "workflow" / "Snakefile"),
        section=section,
        more=more,
    )
    (folder / "workflow" / "Snakefile").write_text(text)


def run(folder: Path, *arguments: object) -> str:
    """Run the importing workflow, which must succeed; return what it printed."""
    done = snakemake(*arguments, folder=folder, snakefile=folder / "workflow" / "Snakefile")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_module_registers_below_the_importer_and_ends_with_the_closing_table(importer):
    write_importer(importer, "config/config.yaml", '["cycles of Hi-M"]')
    (importer / "config" / "config.yaml").write_text(yaml.safe_dump({"cycles of Hi-M": KEYS}))
    printed = run(importer, "mine")
    assert "registered/register_global.ecsv" in (importer / "mine.txt").read_text()
    assert (importer / "registered" / "samples.tsv").is_file()
    assert re.search(r"^ROI +cycles +missing", printed, re.MULTILINE)
    assert re.search("^001 +1 +0 ", printed, re.MULTILINE)
    assert not (importer / "registered" / ".snakemake").exists()
    assert "Nothing to be done" in run(importer, "mine")


def test_a_module_is_the_users_configuration_also_from_the_command_line(importer):
    write_importer(importer)
    (importer / "my.yaml").write_text(yaml.safe_dump(KEYS))
    printed = run(importer, "reg_all", "--dry-run", "--configfile", "my.yaml")
    assert re.search("^reg_register_global +1$", printed, re.MULTILINE)
    assert "demo" not in printed


def test_a_module_takes_a_prefix(importer):
    write_importer(importer, "config/config.yaml", more='prefix: "first"')
    (importer / "config" / "config.yaml").write_text(yaml.safe_dump(KEYS))
    run(importer, "reg_tables")
    table = importer / "first" / "registered" / "register_global" / "001" / "RT1.ecsv"
    assert table.is_file()
    assert not (importer / "registered" / "register_global.ecsv").exists()
    # What jobs ask for is found there, too.
    table.with_name(".again-RT1.ecsv").write_text("2026-11-29 it is damaged\n")
    assert re.search("^reg_register_global +1$", run(importer, "reg_tables", "-n"), re.MULTILINE)


def test_a_module_without_a_local_copy_is_refused_in_one_sentence(importer):
    write_importer(importer)
    repository = importer / "hosted"
    (repository / "workflow").mkdir(parents=True)
    for name in ("Snakefile", "workflow/Snakefile"):
        shutil.copy2(REPOSITORY / name, repository / name)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.c", "-C", str(repository)]
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "All")):
        subprocess.run([*git, *words], check=True)
    snakefile = importer / "workflow" / "Snakefile"
    hosted = f"git+file://{repository}/workflow/Snakefile@main"
    snakefile.write_text(
        snakefile.read_text().replace(str(REPOSITORY / "workflow" / "Snakefile"), hosted)
    )
    done = snakemake("--dry-run", folder=importer, snakefile=snakefile)
    assert done.returncode != 0
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("ERROR: ")]
    assert "clone the repository, and give the path of its workflow/Snakefile." in told
    assert "Traceback" not in done.stdout


def test_snakedeploy_deploys_a_local_copy(importer):
    pytest.importorskip("snakedeploy")
    deployed = importer / "deployed"
    program = Path(sys.executable).with_name("snakedeploy")
    command = [program, "deploy-workflow", REPOSITORY, deployed, "--branch", "main"]
    subprocess.run(command, check=True, capture_output=True)
    # Of a local source it writes the path inside it, which only a person can complete.
    snakefile = deployed / "workflow" / "Snakefile"
    inside = '"workflow/Snakefile"'
    assert snakefile.read_text().count(inside) == 1
    text = snakefile.read_text().replace(inside, repr(str(REPOSITORY / "workflow" / "Snakefile")))
    snakefile.write_text(text)
    keys = KEYS | {key: str(importer / KEYS[key]) for key in ("images", "parameters")}
    (deployed / "config" / "config.yaml").write_text(yaml.safe_dump(keys))
    printed = run(deployed, "--dry-run")
    assert re.search("^register_global +1$", printed, re.MULTILINE)
    assert (deployed / "profiles" / "slurm" / "config.yaml").is_file()


def test_the_snakefile_of_the_catalog_is_the_workflow(importer):
    (importer / "my.yaml").write_text(yaml.safe_dump(KEYS))
    snakefile = REPOSITORY / "workflow" / "Snakefile"
    done = snakemake("--dry-run", "--configfile", "my.yaml", folder=importer, snakefile=snakefile)
    assert re.search("^register_global +1$", done.stdout, re.MULTILINE), done.stdout
    assert re.search("^picture_experiment +1$", done.stdout, re.MULTILINE)


def test_snakemakes_own_report_is_made(finished, tmp_path):
    page = tmp_path / "snakemake.html"
    finished.succeed("--report", str(page))
    assert "before after" in page.read_text()


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {libraries}:
            raise ModuleNotFoundError(f"no module named {{name!r}}")
sys.meta_path.insert(0, Blocked())
"""


def test_snakemake_alone_can_plan_a_run(importer):
    """As where jobs get their libraries from conda."""
    # Not numpy, which the plugin for SLURM imports itself.
    libraries = ("scipy", "astropy", "tifffile", "matplotlib", "PIL", "lxml", "zarr")
    (importer / "sitecustomize.py").write_text(BLOCKED.format(libraries=libraries))
    (importer / "given.json").write_text('{"ROI:001": {"RT1": [1.5, 2]}}')
    keys = KEYS | {"register_global": "given.json"}
    (importer / "config.yaml").write_text(yaml.safe_dump(keys))
    done = Experiment(importer).snakemake("--dry-run", env={"PYTHONPATH": str(importer)})
    assert done.returncode == 0, done.stderr
    assert "register_global of ROI 001, cycle RT1" in done.stdout + done.stderr


IMPORT = r"^from crossreg\S* import (?:\([^)]*\)|.*)$"


def test_what_the_rules_import_needs_no_numpy():
    rules = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow" / "rules").glob("*.smk")]
    lines = [line for path in rules for line in re.findall(IMPORT, path.read_text(), re.M)]
    assert len(lines) > 10
    check = "\n".join([*lines, "import sys", "assert 'numpy' not in sys.modules"])
    scripts = REPOSITORY / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", check], cwd=scripts, check=True)


# What Snakemake calls of conda. Its environments have one program: a Python that notes its use.
STAND_IN = {
    "conda": """#!/bin/sh
echo "$*" >> {folder}/calls
case "$1" in
    --version) echo conda 25.9.1;;
    info) echo '{{"conda_prefix": "{folder}", "platform": "linux-64"}}';;
    config) echo '{{"get": {{"channel_priority": "strict"}}}}';;
    env)
        while [ "$1" != --file ]; do shift; done
        cp "$2" {folder}/given.yaml
        mkdir -p "$4/bin"
        printf '#!/bin/sh\\necho "$*" >> {folder}/used\\nexec {python} "$@"\\n' > "$4/bin/python3"
        cp "$4/bin/python3" "$4/bin/python"
        chmod +x "$4/bin/python3" "$4/bin/python";;
esac
""",
    "activate": 'export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"\n',
}


def test_jobs_run_in_the_environment_that_conda_makes(tmp_path):
    conda = tmp_path / "conda" / "bin"
    conda.mkdir(parents=True)
    for name, text in STAND_IN.items():
        (conda / name).write_text(text.format(folder=conda.parent, python=sys.executable))
        (conda / name).chmod(0o755)
    experiment = make_experiment(tmp_path / "mine", rois=("001",), cycles=("RT1",))
    path = {"PATH": f"{conda}:{os.environ['PATH']}"}
    done = experiment.snakemake("--sdm", "conda", env=path)
    assert done.returncode == 0, done.stdout + done.stderr
    # One environment for all rules, from our file.
    calls = (conda.parent / "calls").read_text().splitlines()
    assert sum(call.startswith("env create") for call in calls) == 1
    environment = (REPOSITORY / "envs" / "crossreg.yaml").read_text()
    assert (conda.parent / "given.yaml").read_text() == environment
    scripts = set(re.findall(r"/scripts/(\w+)\.py ", (conda.parent / "used").read_text()))
    assert {"register_global", "register_local", "merge_tables", "picture_cycle"} <= scripts
