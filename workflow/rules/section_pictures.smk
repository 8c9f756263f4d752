# Pictures of what a person registered: of every section, and of the stack. The output stack waits
# for none of them.


rule trakem2_pictures:
    input:
        PROJECTS_RECEIPT,
    output:
        report(
            directory(SECTION_PICTURES),
            patterns=["{name}.png"],
            caption=str(REPOSITORY / "workflow" / "report" / "sections.rst"),
            category="Sections",
            labels={"picture": "{name}"},
        ),
    log:
        log_file("trakem2", TRAKEM2["name"], "pictures.log"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("picture_sections.py"),
        registration=REGISTRATION,
        projects=stamp_of_projects,
        policy=project_policy(),
    shell:
        script("picture_sections.py") + " --registration {params.registration:q} {params.policy:q}"
        " --pictures {output:q} --log {log:q}"
