# Summaries and pictures of the fiducial chain, from small images and tables; no table waits for
# them.


include: "picture_files.smk"


rule picture_cycle:
    input:
        reference_preview=reference_preview("{roi}"),
        cycle_preview=cycle_preview("{roi}", "{cycle}"),
        global_shift=results("register_global", "{roi}", "{cycle}.ecsv"),
        local_shifts=results("register_local", "{roi}", "{cycle}.ecsv") if LOCAL_STEP else [],
    output:
        [
            report(
                results("pictures", "{roi}", "{cycle}", f"{kind}.png"),
                caption=caption(kind),
                category="Cycles",
                subcategory="ROI {roi}",
                labels={"cycle": "{cycle}", "picture": kind.replace("_", " ")},
            )
            for kind in CYCLE_PICTURES
        ],
    log:
        log_file("picture_cycle", "{roi}", "{cycle}.log"),
    benchmark:
        benchmark_file("picture_cycle", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    params:
        code=code("picture_cycle.py"),
        reference=REFERENCE,
        options=options("pixelSizeXY", "pixelSizeZ", "zBinning"),
        local=lambda wildcards: (
            ["--local-shifts", results("register_local", wildcards.roi, f"{wildcards.cycle}.ecsv")]
            if LOCAL_STEP
            else []
        ),
        folder=lambda wildcards: results("pictures", wildcards.roi, wildcards.cycle),
    shell:
        script("picture_cycle.py")
        + " --reference-preview {input.reference_preview:q} --cycle-preview {input.cycle_preview:q}"
        " --global-shift {input.global_shift:q} {params.local:q} --reference {params.reference:q}"
        " --roi {wildcards.roi:q} --label {wildcards.cycle:q} {params.options:q}"
        " --folder {params.folder:q} --log {log:q}"


rule summary_of_roi:
    input:
        lambda wildcards: tables_of_roi(wildcards.roi),
    output:
        results("summary", "{roi}.tsv"),
    log:
        log_file("summary_of_roi", "{roi}.log"),
    conda:
        ENVIRONMENT
    params:
        code=code("summarize.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        options=options("fileNameRegExp"),
        global_shifts=results("register_global"),
        local_shifts=["--local-shifts", results("register_local")] if LOCAL_STEP else [],
    shell:
        script("summarize.py")
        + " --samples {params.samples:q} --reference {params.reference:q} --roi {wildcards.roi:q}"
        " --global-shifts {params.global_shifts:q} {params.local_shifts:q} {params.options:q}"
        " --output {output:q} --log {log:q}"


rule summary:
    input:
        [results("summary", f"{roi}.tsv") for roi in ROIS],
    output:
        results("summary.tsv"),
    log:
        log_file("summary.log"),
    conda:
        ENVIRONMENT
    params:
        code=code("merge_summaries.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        summaries=lambda wildcards: results("summary"),
    shell:
        script("merge_summaries.py")
        + " --samples {params.samples:q} --reference {params.reference:q}"
        " --summaries {params.summaries:q} --output {output:q} --log {log:q}"


rule picture_drift:
    input:
        results("summary", "{roi}.tsv"),
    output:
        report(
            results("pictures", "{roi}", "drift.png"),
            caption=caption("drift"),
            category="ROIs",
            labels={"ROI": "{roi}", "picture": "drift"},
        ),
    log:
        log_file("picture_drift", "{roi}.log"),
    conda:
        ENVIRONMENT
    params:
        code=code("picture_drift.py"),
        reference=REFERENCE,
        options=options("pixelSizeXY", "pixelSizeZ", "zBinning"),
    shell:
        script("picture_drift.py")
        + " --summary {input:q} --reference {params.reference:q} {params.options:q}"
        " --output {output:q} --log {log:q}"


rule picture_experiment:
    input:
        results("summary.tsv"),
    output:
        report(
            results("pictures", "experiment.png"),
            caption=caption("experiment"),
            category="Experiment",
            labels={"picture": "all ROIs and cycles"},
        ),
    log:
        log_file("picture_experiment.log"),
    conda:
        ENVIRONMENT
    params:
        code=code("picture_experiment.py"),
        options=options("pixelSizeXY"),
    shell:
        script("picture_experiment.py")
        + " --summary {input:q} {params.options:q} --output {output:q} --log {log:q}"
