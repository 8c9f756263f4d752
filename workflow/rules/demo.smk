# The demo: synthetic stacks with planted shifts, and how far the registration is from them.

# Relative to the scripts of the workflow.
DEMO = "../../demo"
DEMO_DATA = REPOSITORY / "demo" / "data"
DEMO_ROIS = ("001", "002")
DEMO_CYCLES = ("RT27", "RT1", "RT2", "DAPI")
DEMO_IMAGES = [
    str(DEMO_DATA / f"images/scan_001_{cycle}_{{roi}}_ROI_converted_decon_{channel}.tif")
    for cycle in DEMO_CYCLES
    for channel in ("ch00", "ch01")
]
# They are not there at first.
fiducial.experiment.find_others(
    image.replace("{roi}", roi) for roi in DEMO_ROIS for image in DEMO_IMAGES
)


rule demo_images:
    output:
        images=DEMO_IMAGES,
        spots=str(DEMO_DATA / "spots_{roi}.csv"),
        planted=str(DEMO_DATA / "planted_{roi}.tsv"),
    log:
        paths.log("demo_images", "{roi}"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/make_demo.py"),
        images=lambda wildcards, output: os.path.dirname(output.images[0]),
        options=fiducial.options("zBinning"),
    message:
        "make the demo's stacks of ROI {wildcards.roi}"
    shell:
        command(f"{DEMO}/make_demo.py")
        + " --roi {wildcards.roi} --images {params.images:q} --planted {output.planted:q}"
        " --spots {output.spots:q} {params.options:q} --log {log:q}"


rule compare_with_planted:
    input:
        table=paths("merged_local_table"),
        planted=[str(DEMO_DATA / f"planted_{roi}.tsv") for roi in DEMO_ROIS],
    output:
        paths("demo_comparison"),
    log:
        paths.log("compare_with_planted"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/compare_with_planted.py"),
        options=fiducial.options("zBinning", "pixelSizeZ", "pixelSizeXY"),
    message:
        "compare with the planted shifts"
    shell:
        command(f"{DEMO}/compare_with_planted.py")
        + " --table {input.table:q} --planted {input.planted:q} {params.options:q}"
        " --output {output:q} --log {log:q}"


rule compare_spots_with_planted:
    input:
        tables=[paths("registered_spots", table=f"spots_{roi}.csv") for roi in DEMO_ROIS],
    output:
        paths("demo_spots"),
    log:
        paths.log("compare_spots_with_planted"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/compare_spots_with_planted.py"),
        options=fiducial.options("zBinning", "pixelSizeZ", "pixelSizeXY"),
    message:
        "compare spots with their planted positions"
    shell:
        command(f"{DEMO}/compare_spots_with_planted.py")
        + " --tables {input.tables:q} {params.options:q} --output {output:q} --log {log:q}"
        " && cat {output:q} >&2"


DEMO_STACKS = {
    "planted": str(DEMO_DATA / "crossmodal/planted.json"),
    "images": str(DEMO_DATA / "crossmodal/images"),
    "em": str(DEMO_DATA / "crossmodal/stacks/EM"),
    "lm": str(DEMO_DATA / "crossmodal/stacks/LM"),
}


rule crossmodal_demo:
    output:
        images=directory(DEMO_STACKS["images"]),
        em=directory(DEMO_STACKS["em"]),
        lm=directory(DEMO_STACKS["lm"]),
        planted=DEMO_STACKS["planted"],
    log:
        paths.log("crossmodal_demo"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/make_crossmodal_demo.py"),
        stacks=lambda wildcards, output: os.path.dirname(output.em),
    message:
        "make the demo's stacks of sections"
    shell:
        command(f"{DEMO}/make_crossmodal_demo.py")
        + " --images {output.images:q} --stacks {params.stacks:q} --planted {output.planted:q}"
        " --log {log:q}"


rule compare_stack_with_planted:
    input:
        receipt=paths("import_receipt", name="demo"),
        planted=DEMO_STACKS["planted"],
    output:
        paths("crossmodal_comparison"),
    log:
        paths.log("compare_stack_with_planted"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/compare_stack_with_planted.py"),
        parameters=lambda wildcards: CONFIGURATION["trakem2"]["parameters"],
        stacks=lambda wildcards: CONFIGURATION["trakem2"]["stacks"]["folder"],
    message:
        "compare with the planted positions of tiles"
    shell:
        command(f"{DEMO}/compare_stack_with_planted.py")
        + " --parameters {params.parameters:q} --stacks {params.stacks:q}"
        " --planted {input.planted:q} --output {output:q} --log {log:q}"
