"""What the documentation says is what the schemas and the scripts say."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crossreg.io.schema import described_keys

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPTS = sorted((REPOSITORY / "workflow" / "scripts").glob("*.py"))
DEMO_COMMANDS = sorted(
    path for path in (REPOSITORY / "demo").glob("*.py") if "new_parser(" in path.read_text()
)
SCHEMAS = sorted((REPOSITORY / "workflow" / "scripts" / "crossreg" / "schemas").glob("*.json"))


def schema(path):
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_key_is_explained_in_the_configuration_readme(path):
    text = (REPOSITORY / "config" / "README.md").read_text().replace("\\|", "|")
    for key, part in described_keys(schema(path)):
        assert f"| `{key}` |" in text, key
        assert part["description"] in text, key


def test_the_parameters_are_explained_in_the_help_of_the_scripts():
    described = dict(
        described_keys(schema(REPOSITORY / "workflow/scripts/crossreg/schemas/parameters.json"))
    )
    helped = subprocess.run(
        [sys.executable, REPOSITORY / "workflow/scripts/register_local.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    words = " ".join(helped.split())
    for key in ("zBinning", "blockSizeXY", "background_sigma"):
        section = "acquisition" if key == "zBinning" else "alignImages"
        assert " ".join(described[f"{section}.{key}"]["description"].split()) in words


@pytest.mark.parametrize("script", SCRIPTS + DEMO_COMMANDS, ids=lambda path: path.name)
def test_every_script_is_a_command_that_explains_itself(script, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(script)])
    helped = importlib.import_module(script.stem).parser().format_help()
    assert helped.startswith(f"usage: {script.name}")
    # Every option is followed by an explanation: on its line, or on the next.
    for option in re.findall(r"^  (--?\w[^\n]*(?:\n {10,}[^\n]*)*)", helped, re.MULTILINE):
        assert re.search(r"\s{2,}\S", option), option


def test_the_demo_configuration_names_every_key_of_the_fiducial_chain():
    text = (REPOSITORY / "config" / "config.yaml").read_text()
    for key in schema(REPOSITORY / "workflow/scripts/crossreg/schemas/config.json")["properties"]:
        if key not in {"apply_global_affine", "copy_stack", "trakem2"}:
            assert re.search(rf"^(# )?{key}:", text, re.MULTILINE), key


def test_the_readme_sets_up_and_runs_the_tests_as_continuous_integration_does():
    command = (REPOSITORY / ".ci" / "test_command").read_text().strip()
    assert f"    {command}\n" in (REPOSITORY / "README.md").read_text()
    assert "bash -euo pipefail .ci/test_command" in (REPOSITORY / ".ci" / "run").read_text()
