# How far the cycles deform, learned on request. That takes effect where a person has copied the file
# and named the copy: so a new cycle changes no other one's result.


rule learn_motion:
    input:
        applied.refusal("hindrance"),
        fiducial.tables_of_cycles("field"),
        table=paths("merged_global_table"),
    output:
        paths("learned_motion"),
    log:
        paths.log("learn_motion"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=fiducial.resources.mem_mb(tables=len(fiducial.cycles)),
        runtime=fiducial.resources.runtime(tables=len(fiducial.cycles)),
    params:
        code=code("learn_motion.py"),
        fields=fiducial.folder_beside("table", "field"),
        options=fiducial.options("pixelSizeXY", "pixelSizeZ", "zBinning"),
    message:
        "learn how far the cycles deform"
    shell:
        command("learn_motion.py")
        + " --global-table {input.table:q} --fields {params.fields:q} {params.options:q}"
        " --output {output:q} --log {log:q}"
