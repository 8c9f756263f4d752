# One stack from a Render web service to a folder, or back.

from crossreg.workflow_support.for_rules.crossmodal_chain import options_of_copy


rule copy_stack:
    log:
        paths.log("copy_stack"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("copy_stack.py"),
        options=options_of_copy(CONFIGURATION["copy_stack"]),
    message:
        "copy a stack"
    shell:
        command("copy_stack.py") + " {params.options:q} --log {log:q}"
