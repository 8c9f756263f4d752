# The demo: synthetic stacks with planted shifts, and how far the registration is from them.

# Relative to the scripts of the workflow.
DEMO = "../../demo"
DEMO_ROIS = ("001", "002")
DEMO_CYCLES = {"RT27": "ch00", "RT1": "ch00", "RT2": "ch00", "DAPI": "ch01"}


rule demo_images:
    output:
        images=[
            located(f"demo/data/images/scan_001_{cycle}_{{roi}}_ROI_converted_decon_{channel}.tif")
            for cycle, channel in DEMO_CYCLES.items()
        ],
        planted=located("demo/data/planted_{roi}.tsv"),
    log:
        log_file("demo_images", "{roi}.log"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/make_demo.py"),
        images=lambda wildcards, output: os.path.dirname(output.images[0]),
        options=options("zBinning"),
    shell:
        script(f"{DEMO}/make_demo.py")
        + " --roi {wildcards.roi} --images {params.images:q} --planted {output.planted:q}"
        " {params.options:q} --log {log:q}"


rule compare_with_planted:
    input:
        table=results("register_local_block3D.ecsv"),
        planted=[located(f"demo/data/planted_{roi}.tsv") for roi in DEMO_ROIS],
    output:
        results("demo_comparison.txt"),
    log:
        log_file("compare_with_planted.log"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/compare_with_planted.py"),
    shell:
        script(f"{DEMO}/compare_with_planted.py")
        + " --table {input.table:q} --planted {input.planted:q} --output {output:q} --log {log:q}"


DEMO_STACKS = {
    "planted": located("demo/data/crossmodal/planted.json"),
    "images": located("demo/data/crossmodal/images"),
    "em": located("demo/data/crossmodal/stacks/EM"),
    "lm": located("demo/data/crossmodal/stacks/LM"),
}


rule crossmodal_demo:
    output:
        images=directory(DEMO_STACKS["images"]),
        em=directory(DEMO_STACKS["em"]),
        lm=directory(DEMO_STACKS["lm"]),
        planted=DEMO_STACKS["planted"],
    log:
        log_file("crossmodal_demo.log"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/make_crossmodal_demo.py"),
        stacks=lambda wildcards, output: os.path.dirname(output.em),
    shell:
        script(f"{DEMO}/make_crossmodal_demo.py")
        + " --images {output.images:q} --stacks {params.stacks:q} --planted {output.planted:q}"
        " --log {log:q}"


# How far the registered stack is from where the tiles were planted.
CROSSMODAL_COMPARISON = results("crossmodal_comparison.txt")


rule compare_stack_with_planted:
    input:
        receipt=results("trakem2", "demo", "import.txt"),
        planted=DEMO_STACKS["planted"],
    output:
        CROSSMODAL_COMPARISON,
    log:
        log_file("compare_stack_with_planted.log"),
    conda:
        ENVIRONMENT
    params:
        code=code(f"{DEMO}/compare_stack_with_planted.py"),
        parameters=lambda wildcards: CONFIGURATION["trakem2"]["parameters"],
        stacks=lambda wildcards: CONFIGURATION["trakem2"]["stacks"]["folder"],
    shell:
        script(f"{DEMO}/compare_stack_with_planted.py")
        + " --parameters {params.parameters:q} --stacks {params.stacks:q}"
        " --planted {input.planted:q} --output {output:q} --log {log:q}"
