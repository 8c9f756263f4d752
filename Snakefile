# crossreg: registration of microscopy images across imaging cycles and across modalities.
# Usage: snakemake --cores N [--configfile FILE] [TARGET]; see README.md and config/README.md.


if not workflow.overwrite_configfiles:

    # The default is the demo; a user's own file is complete in itself.
    configfile: workflow.source_path("config/config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/fiducial.smk"


rule all:
    default_target: True
    input:
        FIDUCIAL_TABLES,
        DEMO_COMPARISON,
