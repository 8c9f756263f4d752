# Pictures of what a person registered: of every section, and of the stack. The output stack waits
# for none of them.

from crossreg.report import TEMPLATES


rule trakem2_pictures:
    input:
        reports=sections.path("section_reports"),
    output:
        report(
            directory(sections.path("section_pictures")),
            patterns=["{name}.png"],
            caption=str(TEMPLATES / "sections.rst"),
            category="Sections",
            labels={"picture": "{name}"},
        ),
    log:
        sections.log("pictures"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("picture_sections.py"),
        registration=lambda wildcards, output: sections.registration,
        projects=sections.stamp_of_projects,
        policy=sections.policy,
    message:
        "draw the saved sections"
    shell:
        command("picture_sections.py")
        + " --registration {params.registration:q} {params.policy:q}"
        " --reports {input.reports:q} --pictures {output:q} --log {log:q}"
