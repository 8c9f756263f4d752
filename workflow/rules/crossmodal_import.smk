# The cross-modal chain, on the way back: saved TrakEM2 projects -> reports -> output stack. One job
# reads all sections: a job of its own would cost each of them more than its check. The projects are
# no inputs in Snakemake's sense, which would want to make them; their stamps in params tell of a save.


include: "saved_projects.smk"


rule trakem2_check_sections:
    input:
        PROJECTS_RECEIPT,
        parameters=parameters_of_projects,
    output:
        reports=directory(CHECK_REPORTS),
        table=CHECK_TABLE,
        text=CHECK_TEXT,
    log:
        log_file("trakem2", TRAKEM2["name"], "check.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_check.py"),
        stacks=STACKS_OPTION,
        registration=REGISTRATION,
        projects=stamp_of_projects,
        policy=project_policy(),
    shell:
        script("trakem2_check.py") + " --parameters {input.parameters:q} {params.stacks:q}"
        " --registration {params.registration:q} {params.policy:q} --reports {output.reports:q}"
        " --table {output.table:q} --text {output.text:q} --log {log:q}"


# Without outputs, so that errors in projects give a failed run and yet leave their reports.
rule trakem2_check:
    input:
        reports=CHECK_REPORTS,
        table=CHECK_TABLE,
        text=CHECK_TEXT,
    log:
        log_file("trakem2", TRAKEM2["name"], "verdict.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_verdict.py"),
    shell:
        script("trakem2_verdict.py")
        + " --table {input.table:q} --text {input.text:q} --reports {input.reports:q} --log {log:q}"


rule trakem2_write_stack:
    input:
        # The reports are there when errors stop the import.
        CHECK_TABLE,
        parameters=parameters_of_projects,
    output:
        IMPORT_RECEIPT,
    log:
        log_file("trakem2", TRAKEM2["name"], "write_stack.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_import.py"),
        stacks=STACKS_OPTION,
        registration=REGISTRATION,
        projects=stamp_of_projects,
        lost=lost_output_stack,
        policy=project_policy()
        + trakem2_options("missing_sections", "faulty_sections", "outside_bounds")
        + (["--overwrite"] if TRAKEM2["overwrite"] else []),
    shell:
        script("trakem2_import.py") + " --parameters {input.parameters:q} {params.stacks:q}"
        " --registration {params.registration:q} {params.policy:q} --output {output:q} --log {log:q}"


rule trakem2_import:
    input:
        IMPORT_RECEIPT,
        CROSSMODAL_COMPARISON if IS_DEMO else [],
    log:
        log_file("trakem2", TRAKEM2["name"], "import.log"),
    conda:
        ENVIRONMENT
    shell:
        # Also a run with nothing to do says how many sections are saved.
        "cat {input:q} | tee {log:q}"
