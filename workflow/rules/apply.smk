# What applies the fields of the cycles: to tables of spots and to stacks.

from crossreg.workflow_support.for_rules.applied_fields import AppliedFields

applied = AppliedFields(CONFIGURATION, fiducial, paths)
with in_one_sentence():
    REGISTERED_TABLES = applied.registered_tables
    REGISTERED_STACKS = applied.registered_stacks


rule registered_spots:
    input:
        fiducial.tables_of_cycles("field"),
        table=applied.table,
        samples=paths("samples"),
    output:
        table=paths("registered_spots"),
        receipt=paths("spots_receipt"),
    log:
        paths.log("registered_spots", "{table}"),
    wildcard_constraints:
        table="[^/]+",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("register_localizations.py"),
        stamp=applied.table_stamp,
        reference=fiducial.reference,
        fields=fiducial.folder_beside("samples", "field"),
        options=applied.spot_options,
    message:
        "register the spots of {wildcards.table}"
    shell:
        command("register_localizations.py")
        + " --table {input.table:q} --samples {input.samples:q} --reference {params.reference:q}"
        " --fields {params.fields:q} {params.options:q} --output {output.table:q}"
        " --receipt {output.receipt:q} --log {log:q}"


rule registered_stack:
    input:
        reference=fiducial.reference_stack,
        cycle=fiducial.cycle_stack,
        others=applied.other_stacks,
        field=applied.field_of,
    output:
        receipt=paths("registered_stack"),
    log:
        paths.log("registered_stack", "{roi}", "{cycle}"),
    benchmark:
        paths.benchmark("registered_stack", "{roi}", "{cycle}")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(planes=120),
        runtime=fiducial.resources.runtime(),
    params:
        code=code("register_stacks.py"),
        stamps=applied.stamps_of_stack,
        images=fiducial.images,
        options=applied.stack_options,
        made_again=applied.made_again,
        field=lambda wildcards, input: ["--field", *input.field] if input.field else [],
        others=applied.other_channels,
        image=applied.stack_output,
    message:
        "write the registered stacks of ROI {wildcards.roi}, cycle {wildcards.cycle}"
    shell:
        command("register_stacks.py")
        + " --reference {input.reference:q} --cycle {input.cycle:q} {params.images:q} {params.others:q} {params.field:q}"
        " --name 'ROI {wildcards.roi}, cycle {wildcards.cycle}' {params.options:q} --threads {threads}"
        " --note-missing {params.made_again:q} --output {params.image:q} --receipt {output.receipt:q} --log {log:q}"


rule pyhim_export:
    input:
        fiducial.tables_of_roi,
        others=applied.other_stacks,
        spots=applied.tables_for_pyhim,
        samples=paths("samples"),
        gaps=paths("gaps"),
        parameters=CONFIGURATION.get("parameters") or [],
    output:
        paths("pyhim_export"),
    log:
        paths.log("pyhim_export", "{roi}"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(planes=10),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("export_pyhim.py"),
        stamps=applied.stamps_of_roi,
        reference=fiducial.reference,
        global_tables=fiducial.folder_beside("samples", "global_table"),
        local_tables=fiducial.folder_beside("samples", "local_table"),
        others=applied.other_channels,
        options=applied.export_options,
    message:
        "export ROI {wildcards.roi} to pyHiM"
    shell:
        command("export_pyhim.py")
        + " --roi {wildcards.roi:q} --samples {input.samples:q} --gaps {input.gaps:q}"
        " --reference {params.reference:q}"
        " --parameters {input.parameters:q} --global-tables {params.global_tables:q}"
        " --local-tables {params.local_tables:q} --spots {input.spots:q} {params.others:q} {params.options:q}"
        " --output {output:q} --log {log:q}"


rule register_localizations:
    input:
        REGISTERED_TABLES,
        paths("demo_spots") if IS_DEMO else [],
        applied.refusal("hindrance_of_spots"),
        receipts=applied.spots_receipts,
    log:
        paths.log("register_localizations"),
    localrule: True
    conda:
        ENVIRONMENT
    message:
        "all tables of spots are registered"
    shell:
        "cat {input.receipts:q} >&2"


# Stacks that could not be written end a run with an error, once all that can be written is there.
rule register_stacks:
    input:
        paths("all_cycles_registered") if REGISTERED_STACKS else [],
        applied.refusal("hindrance"),
        receipts=REGISTERED_STACKS,
        summary=paths("summary") if REGISTERED_STACKS else [],
    log:
        paths.log("register_stacks"),
    localrule: True
    conda:
        ENVIRONMENT
    message:
        "all stacks are registered"
    script:
        "../scripts/snakemake_only/check_registered_stacks.py"


rule export_pyhim:
    input:
        applied.exports,
        applied.refusal("hindrance_of_export"),
    message:
        "all ROIs are exported to pyHiM"
