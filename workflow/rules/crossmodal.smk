# The cross-modal chain, on the way out: stacks -> frozen configuration -> TrakEM2 projects. What a
# person works on is no output of any rule: receipts stand for it.

from crossreg.workflow_support.for_rules.crossmodal_chain import CrossmodalChain

sections = CrossmodalChain(CONFIGURATION["trakem2"], paths)


rule trakem2_freeze:
    input:
        list(DEMO_STACKS.values()) if IS_DEMO else [],
        parameters=sections.parameters,
    output:
        sections.path("frozen_receipt"),
    log:
        sections.log("freeze"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_freeze.py"),
        # With `output` as an argument nothing is recorded: folders may be moved.
        stacks=lambda wildcards, output: sections.stacks,
        start=sections.starting,
        name=sections.name,
        registration=lambda wildcards, output: sections.registration,
        lost=sections.lost_frozen,
    message:
        "freeze what shapes the projects"
    shell:
        command("trakem2_freeze.py")
        + " --parameters {input.parameters:q} {params.stacks:q} {params.start:q} --name {params.name:q}"
        " --registration {params.registration:q} --output {output:q} --log {log:q}"


rule trakem2_projects:
    input:
        sections.path("frozen_receipt"),
    output:
        sections.path("projects_receipt"),
    log:
        sections.log("projects"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("trakem2_projects.py"),
        registration=lambda wildcards, output: sections.registration,
        lost=sections.lost_projects,
    message:
        "create the projects that are not there"
    shell:
        command("trakem2_projects.py")
        + " --registration {params.registration:q} --output {output:q} --log {log:q}"
