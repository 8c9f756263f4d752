"""Write what the main process of a run found out about the stacks, for jobs and people.

In: the texts, as a parameter of the rule. Out: the sheet of samples, and the cycles that are
missing. The log says what was written, by which a later run sees if it was changed since. Not a
command: Snakemake alone knows the texts.
"""

import hashlib
from pathlib import Path
from typing import Any

given: Any = globals()["snakemake"]

written = []
for path, text in zip(given.output, given.params.texts, strict=True):
    Path(path).write_text(text, encoding="utf-8")
    written.append(f"{hashlib.sha256(text.encode()).hexdigest()} {Path(path).name}\n")
Path(given.log[0]).write_text("".join(written), encoding="utf-8")
