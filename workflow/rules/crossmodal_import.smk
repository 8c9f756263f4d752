# The cross-modal chain, on the way back: saved TrakEM2 projects -> reports -> output stack. One job
# reads all sections: a job of its own would cost each of them more than its check. The projects are
# no inputs in Snakemake's sense, which would want to make them; their stamps in params tell of a save.


rule trakem2_check_sections:
    input:
        sections.path("projects_receipt"),
        parameters=sections.parameters,
    output:
        reports=directory(sections.path("section_reports")),
        table=sections.path("section_table"),
        text=sections.path("section_text"),
        motions=sections.path("section_motions"),
    log:
        sections.log("check"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_check.py"),
        stacks=lambda wildcards, output: sections.stacks,
        registration=lambda wildcards, output: sections.registration,
        projects=sections.stamp_of_projects,
        policy=sections.policy,
    message:
        "check the saved projects"
    shell:
        command("trakem2_check.py") + " --parameters {input.parameters:q} {params.stacks:q}"
        " --registration {params.registration:q} {params.policy:q} --reports {output.reports:q}"
        " --table {output.table:q} --text {output.text:q} --motions {output.motions:q} --log {log:q}"


# Without outputs, so that errors in projects give a failed run and yet leave their reports.
rule trakem2_check:
    input:
        reports=sections.path("section_reports"),
        text=sections.path("section_text"),
    log:
        sections.log("verdict"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code("trakem2_verdict.py"),
    message:
        "say what was found in the saved projects"
    shell:
        command("trakem2_verdict.py")
        + " --text {input.text:q} --reports {input.reports:q} --log {log:q}"


rule trakem2_write_stack:
    input:
        # They are there when errors stop the import, and spare it to read the projects again.
        reports=sections.path("section_reports"),
        parameters=sections.parameters,
    output:
        sections.path("import_receipt"),
    log:
        sections.log("write_stack"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_import.py"),
        stacks=lambda wildcards, output: sections.stacks,
        registration=lambda wildcards, output: sections.registration,
        projects=sections.stamp_of_projects,
        lost=sections.lost_output_stack,
        policy=sections.policy,
        stack=sections.options(
            "missing_sections", "faulty_sections", "outside_bounds", "overwrite", "allow_loading"
        ),
        sisters=sections.sisters,
    message:
        "write the output stack"
    shell:
        command("trakem2_import.py") + " --parameters {input.parameters:q} {params.stacks:q}"
        " --registration {params.registration:q} {params.policy:q} {params.stack:q}"
        " {params.sisters:q} --reports {input.reports:q} --output {output:q} --log {log:q}"


rule trakem2_import:
    input:
        sections.path("import_receipt"),
        paths("crossmodal_comparison") if IS_DEMO else [],
    log:
        sections.log("import"),
    localrule: True
    conda:
        ENVIRONMENT
    message:
        "print the outcome of the import"
    shell:
        # Also a run with nothing to do says how many sections are saved.
        "cat {input:q} | tee {log:q}"
