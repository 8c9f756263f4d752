# Summaries and pictures of the fiducial chain, from small images and tables; no table waits for
# them.

from crossreg.report import TEMPLATES
from crossreg.workflow_support.inputs.configuration import tolerance_words

TOLERANCE = tolerance_words(CONFIGURATION)


rule picture_cycle:
    input:
        reference_preview=paths("reference_preview"),
        cycle_preview=paths("cycle_preview"),
        global_shift=paths("global_table"),
        local_shifts=paths("local_table") if fiducial.has_local_step else [],
    output:
        [
            report(
                paths("cycle_picture", kind=kind),
                caption=caption(kind),
                category="Cycles",
                subcategory="ROI {roi}",
                labels={"cycle": "{cycle}", "picture": kind.replace("_", " ")},
            )
            for kind in fiducial.kinds_of_pictures
        ],
    log:
        paths.log("picture_cycle", "{roi}", "{cycle}"),
    benchmark:
        paths.benchmark("picture_cycle", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    params:
        code=code("picture_cycle.py"),
        reference=fiducial.reference,
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
        tolerance=TOLERANCE,
        folder=fiducial.folder_of_pictures,
    message:
        "picture_cycle of ROI {wildcards.roi}, cycle {wildcards.cycle}"
    shell:
        command("picture_cycle.py")
        + " --reference-preview {input.reference_preview:q} --cycle-preview {input.cycle_preview:q}"
        " --global-shift {input.global_shift:q} --reference {params.reference:q}"
        " --roi {wildcards.roi:q} --label {wildcards.cycle:q} {params.options:q}"
        " {params.tolerance:q} --folder {params.folder:q} --log {log:q}"
        + (" --local-shifts {input.local_shifts:q}" if fiducial.has_local_step else "")


rule summary:
    input:
        *[fiducial.tables_of_cycles(name) for name in fiducial.steps],
        samples=paths("samples"),
        gaps=paths("gaps"),
    output:
        table=paths("summary"),
        text=paths("closing_table"),
    log:
        paths.log("summary"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("summarize.py"),
        again=fiducial.again("summary"),
        reference=fiducial.reference,
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
        tolerance=TOLERANCE,
        global_shifts=fiducial.folder_beside("samples", "global_table"),
        local_shifts=fiducial.option_of_local_tables("--local-shifts"),
    message:
        "summarize all cycles"
    shell:
        command("summarize.py")
        + " --samples {input.samples:q} --gaps {input.gaps:q} --reference {params.reference:q}"
        " --global-shifts {params.global_shifts:q} {params.local_shifts:q}"
        " {params.options:q} {params.tolerance:q} --output {output.table:q} --text {output.text:q} --log {log:q}"


# One job for all ROIs: to start one takes longer than to draw some ROIs.
rule picture_experiment:
    input:
        paths("summary"),
    output:
        *[
            report(
                paths("drift_picture", roi=roi),
                caption=caption("drift"),
                category="ROIs",
                labels={"ROI": roi, "picture": "drift"},
            )
            for roi in fiducial.rois
        ],
        experiment=report(
            paths("experiment_picture"),
            caption=caption("experiment"),
            category="Experiment",
            labels={"picture": "all ROIs and cycles"},
        ),
    log:
        paths.log("picture_experiment"),
    conda:
        ENVIRONMENT
    params:
        code=code("picture_experiment.py"),
        reference=fiducial.reference,
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
        folder=lambda wildcards, output: os.path.dirname(output.experiment),
    message:
        "draw the heat maps of the experiment, and the drift of each ROI"
    shell:
        command("picture_experiment.py")
        + " --summary {input:q} --reference {params.reference:q} {params.options:q}"
        " --folder {params.folder:q} --log {log:q}"
