# What the rules of the cross-modal chain need: the places of frozen configurations and projects, and
# which of them are gone.

TRAKEM2 = CONFIGURATION.get("trakem2")
GLOBAL_AFFINE = CONFIGURATION.get("apply_global_affine")


def memory_of_sections(wildcards, attempt):
    """Return the resource mem_mb of jobs that hold one section, of up to some 10,000 tiles."""
    return 1000 * attempt


def runtime_of_sections(wildcards, attempt):
    """Return the resource runtime in minutes, for hundreds of sections over a slow network."""
    return 120 * attempt


if TRAKEM2:
    REGISTRATION = os.path.join(TRAKEM2["registered"], TRAKEM2["name"])
    FROZEN_FILE = os.path.join(REGISTRATION, "frozen", "frozen.json")
    FROZEN_RECEIPT = results("trakem2", TRAKEM2["name"], "frozen.txt")
    PROJECTS_RECEIPT = results("trakem2", TRAKEM2["name"], "projects.txt")
    STACKS_OPTION = ["--stacks", TRAKEM2["stacks"]["folder"]] if "stacks" in TRAKEM2 else []

    def parameters_of_projects(wildcards):
        """Return the JSON parameter file."""
        run_begins()
        return TRAKEM2["parameters"]

    def lost(receipt, path):
        """Return `path` if the receipt says that it was made, but it is gone: make it again."""
        return path if os.path.exists(receipt) and not os.path.exists(path) else None

    def lost_projects(wildcards):
        """Return the first of the projects in the receipt that is gone, if any."""
        try:
            stems = Path(PROJECTS_RECEIPT).read_text(encoding="utf-8").split()
        except OSError:
            stems = []
        paths = [os.path.join(REGISTRATION, stem) for stem in stems]
        return next(
            (
                path
                for path in paths
                if not any(map(os.path.exists, (f"{path}.xml", f"{path}.xml.gz")))
            ),
            None,
        )

    def tell_projects():
        """Print what this run froze, and where the projects are."""
        jobs = workflow.dag.needrun_jobs(exclude_finished=False)
        names = {job.rule.name for job in jobs}
        if "trakem2_freeze" in names and os.path.isfile(FROZEN_RECEIPT):
            lines = Path(FROZEN_RECEIPT).read_text(encoding="utf-8").splitlines()
            # Warnings are told as those of all jobs are.
            logger.info("\n".join(line for line in lines if not line.startswith("WARNING: ")))
        if "trakem2_projects" in names and os.path.isfile(PROJECTS_RECEIPT):
            logger.info(f"projects to open in TrakEM2: {REGISTRATION}")


if GLOBAL_AFFINE:

    def options_of_global_affine():
        """Return the section as the options of the script."""
        stacks = GLOBAL_AFFINE["stacks"]
        place = f"folder:{stacks['folder']}" if "folder" in stacks else stacks["service"]
        numbers = ("M00", "M10", "M01", "M11", "B0", "B1", "zmin", "zmax")
        return [
            f"--stacks={place}",
            f"--input-stack={GLOBAL_AFFINE['input_stack']}",
            f"--output-stack={GLOBAL_AFFINE['output_stack']}",
            *(
                f"--{key}={GLOBAL_AFFINE[key]!r}"
                for key in numbers
                if GLOBAL_AFFINE[key] is not None
            ),
        ]
