# Which pictures there are, and what they are made from.

CYCLE_PICTURES = (
    ("before_after", "details", "shifts", "precision", "quality", "preprocessing")
    if LOCAL_STEP
    else ("before_after",)
)
ROIS = sorted({roi for roi, _ in CYCLES})


def fiducial_pictures(wildcards):
    """Return the pictures to ask for: of each cycle one, which brings the others, and the lost ones.

    To ask for all of them takes Snakemake a tenth of its time for thousands of cycles.
    """
    return [
        *(path for roi, cycle in CYCLES for path in asked_of_cycle(roi, cycle)),
        *(results("pictures", roi, "drift.png") for roi in ROIS),
        *([results("pictures", "experiment.png")] if CYCLES else []),
    ]


def asked_of_cycle(roi, cycle):
    """Return the first picture of a cycle, and those that somebody removed beside it."""
    first, *others = (results("pictures", roi, cycle, f"{kind}.png") for kind in CYCLE_PICTURES)
    if os.path.exists(first):
        return [first, *(path for path in others if not os.path.exists(path))]
    return [first]


def caption(name):
    """Return the path of the text that says how to read a kind of picture."""
    return str(REPOSITORY / "workflow" / "report" / f"{name}.rst")


def tables_of_roi(roi):
    """Return the tables of all cycles of a ROI."""
    run_begins()
    steps = ("register_global", "register_local") if LOCAL_STEP else ("register_global",)
    cycles = [cycle for other, cycle in CYCLES if other == roi]
    return [results(step, roi, f"{cycle}.ecsv") for step in steps for cycle in cycles]


def stamps_of_sections(wildcards):
    """Return the stamps of the tables and pictures of sections there are: the report waits for none."""
    patterns = ("trakem2/*/sections.tsv", "trakem2/*/pictures/*.png")
    paths = sorted(path for pattern in patterns for path in Path(RESULTS).glob(pattern))
    return [f"{path.relative_to(RESULTS)} {stamp(path)}" for path in paths]
