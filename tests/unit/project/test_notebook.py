"""The notebook of the documentation runs, and shows what it shows there."""

import contextlib
import io
import json
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[3] / "docs" / "notebook.ipynb"


def code_cells():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_cells_of_the_notebook_run_one_after_another():
    names = {}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        for cell in code_cells():
            exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)
    assert names["found"].verdict == "registered"
    assert names["rms"].max() < 0.05
    assert "a stack has three: planes, rows, columns" in told.getvalue()


def test_every_cell_shows_its_output():
    assert all(cell["execution_count"] for cell in code_cells())
    shown = [cell for cell in code_cells() if cell["outputs"]]
    assert len(shown) >= len(code_cells()) - 2
