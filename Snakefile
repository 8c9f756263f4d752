# crossreg: registration of microscopy images across imaging cycles and across modalities.
# Usage: snakemake --cores N [--configfile FILE] [TARGET]; see README.md and config/README.md.

import sys
from pathlib import Path

from snakemake.utils import min_version

if not Path(workflow.snakefile).with_name("workflow").is_dir():
    sys.exit(
        f"ERROR: {workflow.snakefile}: the scripts of the workflow are not beside it; clone the"
        " repository, and give the path of its workflow/Snakefile."
    )
# Parameters that depend on inputs and outputs are no part of its records since then.
min_version("9.20.0")


include: "workflow/rules/common.smk"


WITH_FIDUCIALS = has_fiducials(CONFIGURATION)
WITH_SECTIONS = "trakem2" in CONFIGURATION

if WITH_FIDUCIALS:

    include: "workflow/rules/samples.smk"
    include: "workflow/rules/fiducial.smk"
    include: "workflow/rules/pictures.smk"
    include: "workflow/rules/apply.smk"
    include: "workflow/rules/motion.smk"


if IS_DEMO:

    include: "workflow/rules/demo.smk"


if WITH_SECTIONS:

    include: "workflow/rules/crossmodal.smk"
    include: "workflow/rules/crossmodal_import.smk"
    include: "workflow/rules/section_pictures.smk"


if "apply_global_affine" in CONFIGURATION:

    include: "workflow/rules/global_affine.smk"


if "copy_stack" in CONFIGURATION:

    include: "workflow/rules/copy_stack.smk"


if WITH_FIDUCIALS or WITH_SECTIONS:

    include: "workflow/rules/report.smk"


include: "workflow/rules/handlers.smk"


if WITH_FIDUCIALS:

    rule tables:
        input:
            fiducial.tables,
            paths("all_cycles_registered"),
        message:
            "all tables are there"


rule all:
    default_target: True
    input:
        rules.tables.input if WITH_FIDUCIALS else [],
        fiducial.pictures if WITH_FIDUCIALS else [],
        paths("summary") if WITH_FIDUCIALS else [],
        paths("demo_comparison") if IS_DEMO else [],
        sections.path("projects_receipt") if WITH_SECTIONS and not WITH_FIDUCIALS else [],
    message:
        "all tables and pictures are there"
