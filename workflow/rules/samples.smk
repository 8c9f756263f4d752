# Which stacks there are: found once, by the main process; jobs on other nodes read what it wrote.

from crossreg.workflow_support.inputs.experiment import experiment_of_run
from crossreg.workflow_support.for_rules.fiducial_chain import FiducialChain

with in_one_sentence():
    fiducial = FiducialChain(
        experiment_of_run(CONFIGURATION, paths("known_stacks"), IS_JOB, IS_DEMO),
        paths,
        is_job=IS_JOB,
        given_shifts=bool(CONFIGURATION["register_global"]),
        motion=CONFIGURATION["motion"],
        is_demo=IS_DEMO,
    )


rule samples:
    output:
        samples=paths("samples"),
        gaps=paths("gaps"),
    log:
        paths.log("samples"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        content=fiducial.content,
        # With `output` as an argument nothing is recorded: so the folder of the images does not count.
        texts=lambda wildcards, output: fiducial.texts,
    message:
        "list the stacks"
    script:
        "../scripts/snakemake_only/write_samples.py"


fiducial.on_disk = ResultPaths(os.path.dirname(rules.samples.output.samples))


rule check_images:
    input:
        fiducial.all_stacks,
        samples=paths("samples"),
        gaps=paths("gaps"),
    log:
        paths.log("check_images"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("check_images.py"),
        reference=fiducial.reference,
        options=fiducial.options("blockSizeXY"),
        given=fiducial.given_pixel_size,
        # Not an output: this rule runs whenever it is asked for.
        table=lambda wildcards, input: input.samples.replace("samples.tsv", "check_images.tsv"),
    message:
        "check the headers of all stacks"
    shell:
        command("check_images.py")
        + " --samples {input.samples:q} --gaps {input.gaps:q} --reference {params.reference:q}"
        " {params.options:q} {params.given:q} --output {params.table:q} --log {log:q}"


rule prune:
    input:
        samples=paths("samples"),
    log:
        paths.log("prune"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        code=code("prune.py"),
        reference=fiducial.reference,
        results=lambda wildcards, input: os.path.dirname(input.samples) or ".",
    message:
        "remove the results of cycles that are no longer registered"
    shell:
        command("prune.py") + " --samples {input.samples:q} --reference {params.reference:q}"
        " --results {params.results:q} --log {log:q}"
