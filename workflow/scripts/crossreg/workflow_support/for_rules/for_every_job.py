"""Functions that Snakemake calls for every job of a rule, as cheap to call as they can be."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def for_every_job(function: Function) -> Function:
    """Return the function, which from now on says its signature by itself.

    Snakemake asks for it several times per job and function. To work it out each time anew takes a
    sixth of a dry run over thousands of jobs.
    """
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function
