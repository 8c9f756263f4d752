"""Registration of microscopy images across imaging cycles and across modalities.

The library behind the scripts of the workflow: pure functions on arrays, tables and
specifications. It knows nothing of Snakemake and reads no configuration.

From a notebook:

    import crossreg
    found = crossreg.register(reference, cycle, block_size=128)   # arrays (Z, Y, X)
    found.to_reference(spots_zyx); found.warp(cycle); found.table()
    crossreg.load_registration("results", roi="001", cycle="RT2")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crossreg.io.errors import UserError

if TYPE_CHECKING:
    from crossreg.from_arrays import register
    from crossreg.from_results import load_registration, read_stack
    from crossreg.registration import Registration

__version__ = "0.4.0"
_MODULES = {
    "Registration": "registration",
    "load_registration": "from_results",
    "read_stack": "from_results",
    "register": "from_arrays",
}
__all__ = ["Registration", "UserError", "load_registration", "read_stack", "register"]


def __getattr__(name: str) -> Any:
    """Return a name of the public API; its libraries are imported when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"crossreg.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__, "__version__"]
