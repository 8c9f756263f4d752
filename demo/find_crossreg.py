"""Let the commands of this folder import the library where it is not installed.

Imported for its effect, before anything of crossreg.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
