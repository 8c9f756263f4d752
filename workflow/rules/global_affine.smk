# One affine for all tiles of a stack, into a new stack.

from crossreg.workflow_support.for_rules.crossmodal_chain import options_of_global_affine


rule apply_global_affine:
    log:
        paths.log("apply_global_affine"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory_of_sections,
        runtime=runtime_of_sections,
    params:
        code=code("apply_global_affine.py"),
        options=options_of_global_affine(CONFIGURATION["apply_global_affine"]),
    message:
        "apply one affine to a whole stack"
    shell:
        command("apply_global_affine.py") + " {params.options:q} --log {log:q}"
