# The page that shows a whole run. With the fiducial chain it waits for that chain alone, and shows
# besides what there is of the cross-modal one: that waits for a person.

from crossreg.workflow_support.for_rules.report_inputs import (
    configuration_text,
    stamps_of_receipts,
    stamps_of_sections,
    templates,
)


rule report:
    input:
        *([*fiducial.tables, fiducial.pictures, paths("summary")] if WITH_FIDUCIALS else []),
        *(
            [
                sections.path(name)
                for name in ("section_table", "section_reports", "section_pictures")
            ]
            if not WITH_FIDUCIALS
            else []
        ),
        parameters=CONFIGURATION.get("parameters", []) if WITH_FIDUCIALS else sections.parameters,
        template=templates(),
    output:
        paths("report"),
    log:
        paths.log("report"),
    conda:
        ENVIRONMENT
    params:
        code=code("make_report.py"),
        results=lambda wildcards, output: os.path.dirname(output[0]) or ".",
        chain=(
            [f"--reference={fiducial.reference}"]
            if WITH_FIDUCIALS
            else [f"--registration={sections.name}"]
        ),
        parameters=lambda wildcards, input: (
            ["--parameters", input.parameters] if input.parameters else []
        ),
        # As a function: the braces of file_names are no wildcards.
        configuration=lambda wildcards: configuration_text(CONFIGURATION),
        # In a chain of its own these are inputs, whose stamps Snakemake itself compares.
        sections=(lambda wildcards: stamps_of_sections(RESULTS)) if WITH_FIDUCIALS else [],
        receipts=(lambda wildcards: stamps_of_receipts(RESULTS)) if WITH_FIDUCIALS else [],
    message:
        "make the page that shows the run"
    shell:
        command("make_report.py") + " --results {params.results:q} {params.chain:q}"
        " {params.parameters:q} --configuration {params.configuration:q}"
        " --output {output:q} --log {log:q}"
