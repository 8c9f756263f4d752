# The fiducial chain: reference, global shift, local shifts, merged tables.

from crossreg.fiducial.experiment.parameters import LOCAL_PARAMETERS


wildcard_constraints:
    roi="[^/]+",
    cycle="[^/]+",


rule reference_projection:
    input:
        reference=fiducial.reference_stack,
    output:
        projection=paths("projection"),
        preview=fiducial.previews("reference_preview", of_local_step=False),
    log:
        paths.log("reference_projection", "{roi}"),
    benchmark:
        paths.benchmark("reference_projection", "{roi}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(planes=10),
        runtime=fiducial.resources.runtime(),
    params:
        code=code("reference_projection.py"),
        stamps=fiducial.stamps("projection", "reference_preview"),
        image=fiducial.images,
        options=fiducial.options("mode", "zProjectOption", "zmin", "zmax"),
    message:
        "reference_projection of ROI {wildcards.roi}"
    shell:
        command("reference_projection.py")
        + " --reference {input.reference:q} {params.image:q} {params.options:q} --note-missing"
        " --output {output.projection:q} --log {log:q}"
        + fiducial.preview_option(of_local_step=False)


rule reference_blocks:
    input:
        reference=fiducial.reference_stack,
    output:
        blocks=paths("blocks"),
        preview=fiducial.previews("reference_preview", of_local_step=True),
    log:
        paths.log("reference_blocks", "{roi}"),
    benchmark:
        paths.benchmark("reference_blocks", "{roi}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(stacks=2),
        runtime=fiducial.resources.runtime(),
    params:
        code=code("reference_blocks.py"),
        stamps=fiducial.stamps("blocks", "reference_preview"),
        image=fiducial.images,
        options=fiducial.options(*LOCAL_PARAMETERS),
    message:
        "reference_blocks of ROI {wildcards.roi}"
    shell:
        command("reference_blocks.py")
        + " --reference {input.reference:q} {params.image:q} {params.options:q} --threads {threads} --note-missing"
        " --output {output.blocks:q} --preview {output.preview:q} --log {log:q}"


rule register_global:
    input:
        projection=fiducial.projection,
        reference=fiducial.reference_stack,
        cycle=fiducial.cycle_stack,
    output:
        table=paths("global_table"),
        preview=fiducial.previews("cycle_preview", of_local_step=False),
    log:
        paths.log("register_global", "{roi}", "{cycle}"),
    benchmark:
        paths.benchmark("register_global", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(planes=20),
        runtime=fiducial.resources.runtime(),
    params:
        code=code("register_global.py"),
        stamps=fiducial.stamps("global_table", "cycle_preview"),
        images=fiducial.images,
        roi=fiducial.roi_options,
        options=fiducial.options(
            "alignByBlock", "blockSize", "mode", "zProjectOption", "zmin", "zmax"
        ),
        given=fiducial.given_shift,
        sizes=fiducial.given_pixel_size,
    message:
        "register_global of ROI {wildcards.roi}, cycle {wildcards.cycle}"
    shell:
        command("register_global.py")
        + " --reference {input.reference:q} --cycle {input.cycle:q} {params.images:q} {params.given:q}"
        " {params.roi:q} --label {wildcards.cycle:q} {params.sizes:q} {params.options:q} --note-missing"
        " --threads {threads} --output {output.table:q} --log {log:q}"
        + fiducial.projection_option
        + fiducial.preview_option(of_local_step=False)


rule register_local:
    input:
        reference_stack=fiducial.reference_stack,
        reference=paths("blocks"),
        reference_preview=paths("reference_preview"),
        cycle=fiducial.cycle_stack,
        global_shift=paths("global_table"),
        motion=fiducial.frozen_motion,
    output:
        table=paths("local_table"),
        field=paths("field"),
        preview=fiducial.previews("cycle_preview", of_local_step=True),
    log:
        paths.log("register_local", "{roi}", "{cycle}"),
    benchmark:
        paths.benchmark("register_local", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    resources:
        # The reference, and three times the kept planes of the cycle.
        mem_mb=fiducial.resources.mem_mb(stacks=4),
        runtime=fiducial.resources.runtime(),
    params:
        code=code("register_local.py"),
        stamps=fiducial.stamps("local_table", "field", "cycle_preview"),
        images=fiducial.images,
        borrow=[] if CONFIGURATION["borrow"] else ["--no-borrow"],
        motion=fiducial.kind_of_motion,
        options=fiducial.options(*LOCAL_PARAMETERS),
    message:
        "register_local of ROI {wildcards.roi}, cycle {wildcards.cycle}"
    shell:
        command("register_local.py")
        + " --reference-blocks {input.reference:q} --reference {input.reference_stack:q}"
        " --cycle {input.cycle:q} {params.images:q}"
        " --global-shift {input.global_shift:q} {params.options:q} {params.borrow:q} --note-missing"
        " --threads {threads} --output {output.table:q} --field {output.field:q}"
        " --preview {output.preview:q} --reference-preview {input.reference_preview:q} --log {log:q}"
        + fiducial.motion_option


rule merge_register_global:
    input:
        fiducial.tables_of_cycles("global_table"),
        # They hold the last word on each cycle.
        verdicts=fiducial.tables_of_cycles("local_table") if fiducial.has_local_step else [],
        samples=paths("samples"),
        gaps=paths("gaps"),
    output:
        table=paths("merged_global_table"),
        json=paths("merged_global_json"),
    log:
        paths.log("merge_register_global"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("merge_tables.py"),
        again=fiducial.again("merged_global_table", "merged_global_json"),
        reference=fiducial.reference,
        tables=fiducial.folder_beside("samples", "global_table"),
        local=fiducial.option_of_local_tables("--local-tables"),
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
    message:
        "merge the global shifts of all cycles"
    shell:
        command("merge_tables.py")
        + " global --samples {input.samples:q} --gaps {input.gaps:q} {params.local:q}"
        " --reference {params.reference:q} --tables {params.tables:q} {params.options:q} --output {output.table:q}"
        " --json {output.json:q} --log {log:q}"


rule merge_register_local:
    input:
        fiducial.tables_of_cycles("local_table"),
        samples=paths("samples"),
        gaps=paths("gaps"),
    output:
        paths("merged_local_table"),
    log:
        paths.log("merge_register_local"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("merge_tables.py"),
        again=fiducial.again("merged_local_table"),
        reference=fiducial.reference,
        tables=fiducial.folder_beside("samples", "local_table"),
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
    message:
        "merge the local shifts of all cycles"
    shell:
        command("merge_tables.py") + " local --samples {input.samples:q} --gaps {input.gaps:q}"
        " --reference {params.reference:q} --tables {params.tables:q} {params.options:q}"
        " --output {output:q} --log {log:q}"


# The last rule of the chain: stacks that could not be registered end a run with an error, once all
# that can be made is made.
rule all_cycles_registered:
    input:
        tables=fiducial.tables,
        summary=paths("summary"),
        table=paths("closing_table"),
        gaps=paths("gaps"),
    output:
        paths("all_cycles_registered"),
    log:
        paths.log("all_cycles_registered"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code("all_cycles_registered.py"),
        # The handlers of a run of its own print it last; those of a module are not called.
        table=lambda wildcards, input: ["--table", input.table] if IS_IMPORTED else [],
    message:
        "say what was registered"
    shell:
        command("all_cycles_registered.py")
        + " --summary {input.summary:q} --gaps {input.gaps:q} --tables {input.tables:q}"
        " {params.table:q} --output {output:q} --log {log:q}"
