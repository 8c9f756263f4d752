# What a run says itself: before its first job and after its last one. In a `module` these are
# called by the importer: crossreg.onstart(), crossreg.onsuccess(), crossreg.onerror().

from crossreg.workflow_support import versions
from crossreg.workflow_support.messages import STOPPED, begin, kept_in

EXPERIMENT = fiducial if WITH_FIDUCIALS else None


onstart:
    with in_one_sentence():
        begin(HELD, RESULTS, commands.hashes, EXPERIMENT)


onsuccess:
    with in_one_sentence():
        versions.remember_code(Places(RESULTS)("code_hashes"), commands.hashes)
        print(kept_in(RESULTS), file=sys.stderr)


onerror:
    print(STOPPED, file=sys.stderr)
