# What a run says itself: before its first job and after its last one. In a `module` these are
# called by the importer: crossreg.onstart(), crossreg.onsuccess(), crossreg.onerror().

from crossreg.workflow_support.one_run.messages import begin, end_well, end_with_error

EXPERIMENT = fiducial if WITH_FIDUCIALS else None


onstart:
    with in_one_sentence():
        begin(HELD, RESULTS, FOLDER, commands.hashes, EXPERIMENT)


onsuccess:
    with in_one_sentence():
        end_well(RESULTS, commands.hashes)


onerror:
    with in_one_sentence():
        end_with_error(RESULTS)
