# The cross-modal chain, on the way out: stacks -> frozen configuration -> TrakEM2 projects; and one
# affine for a whole stack. What a person works on is no output of any rule: receipts stand for it.


include: "frozen_projects.smk"


if TRAKEM2:

    rule trakem2_freeze:
        input:
            list(DEMO_STACKS.values()) if IS_DEMO else [],
            parameters=parameters_of_projects,
        output:
            FROZEN_RECEIPT,
        log:
            log_file("trakem2", TRAKEM2["name"], "freeze.log"),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory_of_sections,
            runtime=runtime_of_sections,
        params:
            code=code("trakem2_freeze.py"),
            stacks=STACKS_OPTION,
            name=lambda wildcards: TRAKEM2["name"],
            registration=REGISTRATION,
            lost=lambda wildcards: lost(FROZEN_RECEIPT, FROZEN_FILE),
        shell:
            script("trakem2_freeze.py")
            + " --parameters {input.parameters:q} {params.stacks:q} --name {params.name:q}"
            " --registration {params.registration:q} --output {output:q} --log {log:q}"

    rule trakem2_projects:
        input:
            FROZEN_RECEIPT,
        output:
            PROJECTS_RECEIPT,
        log:
            log_file("trakem2", TRAKEM2["name"], "projects.log"),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory_of_sections,
            runtime=runtime_of_sections,
        params:
            code=code("trakem2_projects.py"),
            registration=REGISTRATION,
            lost=lost_projects,
        shell:
            script("trakem2_projects.py")
            + " --registration {params.registration:q} --output {output:q} --log {log:q}"


if GLOBAL_AFFINE:

    rule apply_global_affine:
        log:
            log_file("apply_global_affine.log"),
        conda:
            ENVIRONMENT
        resources:
            mem_mb=memory_of_sections,
            runtime=runtime_of_sections,
        params:
            code=code("apply_global_affine.py"),
            options=options_of_global_affine(),
        shell:
            script("apply_global_affine.py") + " {params.options:q} --log {log:q}"
