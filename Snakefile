# crossreg: registration of microscopy images across imaging cycles and across modalities.
# Usage: snakemake --cores N [--configfile FILE] [TARGET]; see README.md and config/README.md.

if not workflow.overwrite_configfiles:

    # The default is the demo; a user's own file is complete in itself.
    configfile: os.path.join(workflow.basedir, "config/config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/run.smk"


if WITH_FIDUCIALS:

    include: "workflow/rules/fiducial.smk"
    include: "workflow/rules/pictures.smk"


if IS_DEMO:

    include: "workflow/rules/demo.smk"


if WITH_CROSSMODAL:

    include: "workflow/rules/crossmodal.smk"


if "trakem2" in CONFIGURATION:

    include: "workflow/rules/crossmodal_import.smk"
    include: "workflow/rules/section_pictures.smk"


if WITH_FIDUCIALS or "trakem2" in CONFIGURATION:

    include: "workflow/rules/report.smk"


include: "workflow/rules/progress.smk"
include: "workflow/rules/handlers.smk"


rule all:
    default_target: True
    input:
        FIDUCIAL_TABLES if WITH_FIDUCIALS else [],
        fiducial_pictures if WITH_FIDUCIALS else [],
        results("summary.tsv") if WITH_FIDUCIALS else [],
        results("demo_comparison.txt") if IS_DEMO else [],
        PROJECTS_RECEIPT if not WITH_FIDUCIALS and "trakem2" in CONFIGURATION else [],
