"""Memory and run time of jobs on a cluster, from the size of the largest stack.

A job that is repeated gets more. They are the same for all jobs of a rule, since SLURM takes those
of the first job for a whole array. A local run ignores them, unless `--resources mem_mb=...` limits
it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from crossreg.io.errors import UserError
from crossreg.workflow_support.for_rules.for_every_job import for_every_job

Resource = Callable[[Any, int], int]
"""Returns a resource for (wildcards, attempt)."""
BASE_MB, BASE_MINUTES = 600, 10
"""Python with its libraries, beside the Snakemake that SLURM starts for each job: a job over tiny
stacks was ended at 250 MB and finished with 500 MB."""
MB_A_MINUTE = 20
"""Several times faster on a slow core and a slow network file system."""
COMPRESSION, PLANES = 2.5, 20
"""How a stack is guessed from the size of its file, where no library reads its header: images of
fluorescence shrink by 1.5 to 2.5, and a stack worth registering has at least so many planes."""


@dataclass(frozen=True)
class Resources:
    """Resources of jobs over these stacks, of which every `z_binning`-th plane is kept."""

    stacks: tuple[str, ...]
    z_binning: int

    @cached_property
    def sizes_mb(self) -> tuple[float, float]:
        """Return the MB of a plane and of all kept planes of the largest stack; (0, 0) if unknown.

        Planes count in the type in which they are kept.
        """
        largest = max(self.stacks, key=_bytes, default="")
        return _sizes_mb(largest, self.z_binning) if _bytes(largest) else (0.0, 0.0)

    def mem_mb(self, planes: int = 0, stacks: int = 0, tables: int = 0) -> Resource:
        """Return the resource mem_mb for so many planes, stacks of kept planes, tables."""

        @for_every_job
        def megabytes(wildcards: Any, attempt: int) -> int:
            plane, stack = self.sizes_mb
            return round((BASE_MB + planes * plane + stacks * stack + tables) * attempt)

        return megabytes

    def runtime(self, tables: int = 0) -> Resource:
        """Return the resource runtime, in minutes, for a stack or for so many tables."""

        @for_every_job
        def minutes(wildcards: Any, attempt: int) -> int:
            stack = self.sizes_mb[1]
            return round((BASE_MINUTES + stack / MB_A_MINUTE + tables / 100) * attempt)

        return minutes


def memory_of_sections(wildcards: Any, attempt: int) -> int:
    """Return the resource mem_mb of jobs that hold one section, of up to some 10,000 tiles."""
    return 1000 * attempt


def runtime_of_sections(wildcards: Any, attempt: int) -> int:
    """Return the resource runtime in minutes, for hundreds of sections over a slow network."""
    return 120 * attempt


def _bytes(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        # Not made yet (the demo), or gone, which its own job says.
        return 0


def _sizes_mb(path: str, z_binning: int) -> tuple[float, float]:
    try:
        # Only here: a dry run of a large experiment needs no library of images.
        from crossreg.io.read_stacks import kept_dtype, read_header

        header = read_header(path)
    except (OSError, UserError):
        return 0.0, 0.0
    except ImportError:
        # Snakemake may stand in an environment of its own.
        stack = COMPRESSION * _bytes(path) / 1e6
        return stack / PLANES, stack / z_binning
    planes, rows, columns = header.shape_zyx
    plane = rows * columns * kept_dtype(header).itemsize / 1e6
    return plane, plane * -(-planes // z_binning)
