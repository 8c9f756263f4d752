# Where results about saved projects are, and what tells that a person saved again.

import hashlib
import stat

TRAKEM2_RESULTS = results("trakem2", TRAKEM2["name"])
CHECK_REPORTS = os.path.join(TRAKEM2_RESULTS, "sections")
CHECK_TABLE = os.path.join(TRAKEM2_RESULTS, "sections.tsv")
CHECK_TEXT = os.path.join(TRAKEM2_RESULTS, "sections.txt")
SECTION_PICTURES = os.path.join(TRAKEM2_RESULTS, "pictures")
IMPORT_RECEIPT = os.path.join(TRAKEM2_RESULTS, "import.txt")


def stamp_of_projects(wildcards):
    """Return a hash of the names, sizes and time stamps of the files beside the projects.

    Folders do not count: TrakEM2 makes and fills its own when a project is merely opened.
    """
    stamps = []
    try:
        for path in sorted(Path(REGISTRATION).iterdir()):
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                stamps.append((path.name, status.st_size, status.st_mtime_ns))
    except OSError as error:
        # Not created yet, or the file is being replaced by a save: another stamp in any case.
        stamps.append(str(error))
    return hashlib.sha256(repr(stamps).encode()).hexdigest()


def lost_output_stack(wildcards):
    """Return the file of an output stack that was written to a folder, but is gone, if so."""
    try:
        name = read_json(TRAKEM2["parameters"])["outputStack"]
        path = os.path.join(TRAKEM2["stacks"]["folder"], name, "stack.json")
    except (UserError, KeyError, TypeError):
        # A service would have to be asked; faults of the file are told by the job.
        return None
    return lost(IMPORT_RECEIPT, path)


def project_policy():
    """Return the keys of the section `trakem2` that decide on saved projects, as options."""
    keys = ("common_motion", "new_transforms", "unreadable_projects", "saved_copies")
    confirmed = [str(z) for z in TRAKEM2["confirmed_sections"]]
    return trakem2_options(*keys) + (["--confirmed-sections", *confirmed] if confirmed else [])


def trakem2_options(*keys):
    """Return keys of the section `trakem2` as options of a script."""
    return [f"--{key.replace('_', '-')}={TRAKEM2[key]}" for key in keys]
