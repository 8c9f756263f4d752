# Pictures of the fiducial chain, drawn from small images and tables; no table waits for them.

CYCLE_PICTURES = (
    ("before_after", "details", "shifts", "quality", "preprocessing")
    if LOCAL_STEP
    else ("before_after",)
)
FIDUCIAL_PICTURES = [
    results("pictures", roi, cycle, f"{kind}.png")
    for roi, cycle in CYCLES
    for kind in CYCLE_PICTURES
]


def caption(name):
    """Return the path of the text that says how to read a kind of picture."""
    return str(REPOSITORY / "workflow" / "report" / f"{name}.rst")


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
