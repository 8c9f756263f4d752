# The fiducial chain: reference, global shift, local shifts, merged tables.


from crossreg.fiducial.experiment.parameters import LOCAL_PARAMETERS


include: "samples.smk"
include: "resources.smk"


wildcard_constraints:
    roi="[^/]+",
    cycle="[^/]+",


rule reference_projection:
    input:
        reference=reference_stack,
    output:
        projection=projection("{roi}"),
        preview=[] if LOCAL_STEP else reference_preview("{roi}"),
    log:
        log_file("reference_projection", "{roi}.log"),
    benchmark:
        benchmark_file("reference_projection", "{roi}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(planes=10),
        runtime=runtime(),
    params:
        code=code("reference_projection.py"),
        stamps=stamps,
        options=options("mode", "zProjectOption", "zmin", "zmax"),
        preview=[] if LOCAL_STEP else preview_option,
    shell:
        script("reference_projection.py")
        + " --reference {input.reference:q} {params.options:q} {params.preview:q}"
        " --output {output.projection:q} --log {log:q}"


rule reference_blocks:
    input:
        reference=reference_stack,
    output:
        blocks=results("reference", "{roi}", "blocks.npz"),
        preview=reference_preview("{roi}") if LOCAL_STEP else [],
    log:
        log_file("reference_blocks", "{roi}.log"),
    benchmark:
        benchmark_file("reference_blocks", "{roi}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(stacks=2),
        runtime=runtime(),
    params:
        code=code("reference_blocks.py"),
        stamps=stamps,
        options=options(*LOCAL_PARAMETERS),
    shell:
        script("reference_blocks.py")
        + " --reference {input.reference:q} {params.options:q} --threads {threads}"
        " --output {output.blocks:q} --preview {output.preview:q} --log {log:q}"


rule register_global:
    input:
        projection_needed,
        reference=reference_stack,
        cycle=cycle_stack,
    output:
        table=results("register_global", "{roi}", "{cycle}.ecsv"),
        preview=[] if LOCAL_STEP else cycle_preview("{roi}", "{cycle}"),
    log:
        log_file("register_global", "{roi}", "{cycle}.log"),
    benchmark:
        benchmark_file("register_global", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(planes=20),
        runtime=runtime(),
    params:
        code=code("register_global.py"),
        stamps=stamps,
        options=options("alignByBlock", "blockSize", "mode", "zProjectOption", "zmin", "zmax"),
        source=global_source,
        preview=[] if LOCAL_STEP else preview_option,
    shell:
        script("register_global.py")
        + " --reference {input.reference:q} --cycle {input.cycle:q} {params.source:q}"
        " --roi {wildcards.roi:q} --label {wildcards.cycle:q} {params.options:q}"
        " --threads {threads} --output {output.table:q} {params.preview:q} --log {log:q}"


rule register_local:
    input:
        reference=results("reference", "{roi}", "blocks.npz"),
        reference_preview=reference_preview("{roi}"),
        cycle=cycle_stack,
        global_shift=results("register_global", "{roi}", "{cycle}.ecsv"),
    output:
        table=results("register_local", "{roi}", "{cycle}.ecsv"),
        field=results("fields", "{roi}", "{cycle}.npz"),
        preview=cycle_preview("{roi}", "{cycle}") if LOCAL_STEP else [],
    log:
        log_file("register_local", "{roi}", "{cycle}.log"),
    benchmark:
        benchmark_file("register_local", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    resources:
        # The reference, and three times the kept planes of the cycle.
        mem_mb=mem_mb(stacks=4),
        runtime=runtime(),
    params:
        code=code("register_local.py"),
        stamps=stamps,
        borrow=[] if CONFIGURATION["borrow"] else ["--no-borrow"],
        options=options(*LOCAL_PARAMETERS),
    shell:
        script("register_local.py")
        + " --reference-blocks {input.reference:q} --cycle {input.cycle:q}"
        " --global-shift {input.global_shift:q} {params.options:q} {params.borrow:q}"
        " --threads {threads} --output {output.table:q} --field {output.field:q}"
        " --preview {output.preview:q} --reference-preview {input.reference_preview:q} --log {log:q}"


rule merge_register_global:
    input:
        tables_of_cycles("register_global"),
        verdicts=tables_of_cycles("register_local") if LOCAL_STEP else [],
    output:
        table=results("register_global.ecsv"),
        json=results("register_global.json"),
    log:
        log_file("merge_register_global.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(tables=len(CYCLES)),
        runtime=runtime(tables=len(CYCLES)),
    params:
        code=code("merge_tables.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        tables=lambda wildcards: results("register_global"),
        local=["--local-tables", results("register_local")] if LOCAL_STEP else [],
    shell:
        script("merge_tables.py")
        + " global {params.local:q} --samples {params.samples:q} --reference {params.reference:q}"
        " --tables {params.tables:q} --output {output.table:q} --json {output.json:q} --log {log:q}"


rule merge_register_local:
    input:
        tables_of_cycles("register_local"),
    output:
        results("register_local_block3D.ecsv"),
    log:
        log_file("merge_register_local.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(tables=len(CYCLES)),
        runtime=runtime(tables=len(CYCLES)),
    params:
        code=code("merge_tables.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        tables=lambda wildcards: results("register_local"),
    shell:
        script("merge_tables.py")
        + " local --samples {params.samples:q} --reference {params.reference:q}"
        " --tables {params.tables:q} --output {output:q} --log {log:q}"


rule check_images:
    input:
        all_stacks,
    log:
        log_file("check_images.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(tables=len(CYCLES)),
        runtime=runtime(tables=len(CYCLES)),
    params:
        code=code("check_images.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        options=options("blockSize", "blockSizeXY", "alignByBlock"),
    shell:
        script("check_images.py")
        + " --samples {params.samples:q} --reference {params.reference:q}"
        " {params.options:q} --log {log:q}"


rule prune:
    input:
        nothing_but_the_run,
    log:
        log_file("prune.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=mem_mb(),
        runtime=runtime(),
    params:
        code=code("prune.py"),
        samples=SAMPLES_FILE,
        reference=REFERENCE,
        results=RESULTS,
    shell:
        script("prune.py") + " --samples {params.samples:q} --reference {params.reference:q}"
        " --results {params.results:q} --log {log:q}"
