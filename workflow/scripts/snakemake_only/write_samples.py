"""Write what the main process of a run found out about the stacks, for jobs and people.

In: the texts, as a parameter of the rule. Out: the sheet of samples, the cycles that are missing,
and the files that were left out. Not a command: Snakemake alone knows the texts.
"""

from pathlib import Path
from typing import Any

given: Any = globals()["snakemake"]

for path, text in zip(given.output, given.params.texts, strict=True):
    Path(path).write_text(text, encoding="utf-8")
