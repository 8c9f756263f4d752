# The page that shows a whole run. With the fiducial chain it waits for that chain alone, and shows
# besides what there is of the cross-modal one: that waits for a person.

import json

REPORT_FILES = REPOSITORY / "workflow" / "report"

if WITH_FIDUCIALS:
    REPORTED = [*FIDUCIAL_TABLES, fiducial_pictures, results("summary.tsv")]
    REPORT_OPTIONS = [
        f"--reference={REFERENCE}",
        f"--parameters={CONFIGURATION['parameters']}",
    ]
else:
    REPORTED = [CHECK_TABLE, CHECK_REPORTS, SECTION_PICTURES]
    REPORT_OPTIONS = [
        f"--registration={TRAKEM2['name']}",
        f"--parameters={TRAKEM2['parameters']}",
    ]


rule report:
    input:
        REPORTED,
        template=sorted(
            str(path) for kind in ("j2", "rst") for path in REPORT_FILES.glob(f"*.{kind}")
        ),
    output:
        results("report.html"),
    log:
        log_file("report.log"),
    conda:
        ENVIRONMENT
    params:
        code=code("make_report.py"),
        results=lambda wildcards: RESULTS,
        options=REPORT_OPTIONS,
        configuration=json.dumps(CONFIGURATION),
        # In a chain of its own these are inputs, whose stamps Snakemake itself compares.
        sections=stamps_of_sections if WITH_FIDUCIALS else [],
        template=lambda wildcards: str(REPORT_FILES),
    shell:
        script("make_report.py") + " --results {params.results:q} {params.options:q}"
        " --configuration {params.configuration:q} --template {params.template:q}"
        " --output {output:q} --log {log:q}"
