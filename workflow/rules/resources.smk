# Memory and run time of jobs on a cluster, from the size of the largest stack; a job that is
# repeated gets more. They are the same for all jobs of a rule, since SLURM takes those of the first
# job for a whole array. A local run ignores them, unless `--resources mem_mb=...` limits it.

from functools import cache

# Python with its libraries, beside the Snakemake that SLURM starts for each job: a job over tiny
# stacks was ended at 250 MB and finished with 500 MB.
BASE_MB, BASE_MINUTES = 600, 10
# Several times faster on a slow core and a slow network file system.
MB_A_MINUTE = 20


@cache
def sizes_mb():
    """Return the MB of a plane and of all kept planes of the largest stack; (0, 0) in a job.

    Planes count in the type in which they are kept.
    """
    if not workflow.is_main_process:
        return 0, 0
    # Not in jobs, each of which would import the library of images once more.
    from crossreg.io.stacks import kept_dtype, read_header

    try:
        largest = max((sample.path for sample in SAMPLES.values()), key=os.path.getsize)
        header = read_header(largest)
    except (OSError, UserError):
        # Not made yet (the demo), or not readable, which its own job says.
        return 0, 0
    planes, rows, columns = header.shape_zyx
    plane = rows * columns * kept_dtype(header).itemsize / 1e6
    return plane, plane * -(-planes // PARAMETERS["zBinning"])


def mem_mb(planes=0, stacks=0, tables=0):
    """Return the resource mem_mb for so many planes, stacks of kept planes and tables in memory."""

    def megabytes(wildcards, attempt):
        plane, stack = sizes_mb()
        return round((BASE_MB + planes * plane + stacks * stack + tables) * attempt)

    return megabytes


def runtime(tables=0):
    """Return the resource runtime, in minutes, for a stack or for so many tables."""

    def minutes(wildcards, attempt):
        return round((BASE_MINUTES + sizes_mb()[1] / MB_A_MINUTE + tables / 100) * attempt)

    return minutes
