# Which stacks there are (found once, in the main process; jobs read what it wrote), and what of
# them each rule needs.

import dataclasses
from decimal import Decimal

from crossreg.io.errors import one_line
from crossreg.workflow_support import discovery
from crossreg.fiducial.experiment import parameters
from crossreg.io import sheet
from crossreg.workflow_support.old_files import old_files
from crossreg.io.words import counted

SAMPLES_FILE = results("samples.tsv")
OLD_FILES = log_file("old_files.txt")


def found_in_sheet():
    """Return the samples of the user's sheet; raise UserError if files are missing."""
    found = [
        dataclasses.replace(sample, path=located(sample.path))
        for sample in sheet.read_sheet(CONFIGURATION["samples"])
    ]
    missing = [sample for sample in found if not os.path.isfile(sample.path)]
    if missing and not IS_DEMO:
        raise UserError(
            f"{missing[0].place}: there is no such file ({len(missing)} of {len(found)} in the sheet"
            " are not there); correct the path."
        )
    return found


def found_in_folder():
    """Return the fiducial stacks below the folder `images`; list what is passed over."""
    folder = CONFIGURATION["images"]
    found = discovery.select_fiducials(discovery.find_files(folder, without=[RESULTS]), PARAMETERS)
    discovery.check_found(found, folder)
    ignored = {
        "of another channel": found.other_channels,
        "not matched by fileNameRegExp": found.unmatched,
        "not TIFF": found.no_images,
    }
    counts = ", ".join(f"{len(paths)} {kind}" for kind, paths in ignored.items() if paths)
    logger.info(
        f"{counted(len(found.samples), 'fiducial stack')} in {folder}; ignored: {counts or 'none'}."
    )
    lines = [f"{kind}: {one_line(path)}\n" for kind, paths in ignored.items() for path in paths]
    TEXTS[log_file("discovery.log")] = "".join(lines)
    tell_cycles_of_unknown_kind(found.samples)
    return found.samples


def tell_cycles_of_unknown_kind(samples):
    """Log once which cycles are neither RT, mask nor DAPI: they use fiducialBarcode_channel."""
    names = sorted({sample.cycle for sample in samples})
    others = [name for name in names if parameters.channel_key(name) is None]
    if others:
        channel = PARAMETERS["fiducialBarcode_channel"]
        logger.info(f"Fiducial of {', '.join(others[:20])}: {channel}, as for RT cycles.")


def decimals(number):
    """Return a number without exponent: a command takes -1e-05 for one of its options."""
    return format(Decimal(repr(number)), "f")


def with_given_shifts(samples):
    """Return the samples with the user's global shifts; warn about entries that match none."""
    from crossreg.io.tables import GivenShifts

    given = GivenShifts(CONFIGURATION["register_global"])
    references = {sample.roi: sample.path for sample in samples if sample.cycle == REFERENCE}
    result = []
    for sample in samples:
        if sample.cycle != REFERENCE:
            shift = given.shift(sample.roi, sample.cycle, sample.path, references[sample.roi])
            if shift is not None:
                sample = dataclasses.replace(
                    sample, given_x=decimals(shift[0]), given_y=decimals(shift[1])
                )
            else:
                logger.info(
                    f"ROI {sample.roi}, cycle {sample.cycle} is not in {given.path}: its global"
                    " shift comes from the z-projections."
                )
        result.append(sample)
    unused = given.unused()
    if unused:
        logger.warning(
            f"{given.path}: entries that match no stack: {len(unused)}, such as '{unused[0]}'."
        )
    return result


def discovered():
    """Return the samples to register, complete and checked, and write them for the jobs."""
    for warning in PARAMETERS.warnings:
        logger.warning(warning)
    samples = found_in_sheet() if "samples" in CONFIGURATION else found_in_folder()
    samples = discovery.restrict(
        samples, REFERENCE, listed(CONFIGURATION["rois"]), listed(CONFIGURATION["cycles"])
    )
    discovery.check_samples(samples, REFERENCE)
    if CONFIGURATION["register_global"]:
        samples = with_given_shifts(samples)
    TEXTS[SAMPLES_FILE] = sheet.sheet_text(samples)
    return samples


try:
    PARAMETERS = parameters.read_parameters(CONFIGURATION["parameters"])
    REFERENCE = PARAMETERS["referenceFiducial"]
    found = (
        discovered()
        if workflow.is_main_process
        else sheet.read_sheet(SAMPLES_FILE, sheet.ALL_COLUMNS)
    )
    SAMPLES = {(sample.roi, sample.cycle): sample for sample in found}
except UserError as error:
    raise SystemExit(f"ERROR: {error}") from None
CYCLES = [key for key in SAMPLES if key[1] != REFERENCE]
LOCAL_STEP = PARAMETERS["localAlignment"] == "block3D"
# The rule after which a cycle is registered.
LAST_STEP = "register_local" if LOCAL_STEP else "register_global"
FIDUCIAL_TABLES = [
    results("register_global.ecsv"),
    results("register_global.json"),
    *([results("register_local_block3D.ecsv")] if LOCAL_STEP else []),
]


def tables_of_cycles(step):
    """Return the input function of a merge: a step's tables of all cycles."""

    def paths(wildcards):
        run_begins()
        return [results(step, roi, f"{cycle}.ecsv") for roi, cycle in CYCLES]

    return paths


def all_stacks(wildcards):
    """Return all stacks."""
    run_begins()
    return [sample.path for sample in SAMPLES.values()]


def nothing_but_the_run(wildcards):
    """Return no file: for a rule that looks at the results folder itself."""
    run_begins()
    return []


def tell_old_files():
    """Say once a run which files belong to no cycle any more; only `prune` removes them."""
    old = old_files(RESULTS, SAMPLES.values(), REFERENCE)
    if old:
        logger.info(
            f"In {RESULTS} there are {counted(len(old), 'file')} of cycles no longer there, such as"
            f" {old[0]}; {OLD_FILES} lists them all, and the target 'prune' removes them."
        )
        write_text_if_new(OLD_FILES, "".join(f"{path}\n" for path in old))


BEFORE_FIRST_JOB.append(tell_old_files)


def reference_stack(wildcards):
    """Return the TIFF stack of the ROI's reference."""
    run_begins()
    return SAMPLES[wildcards.roi, REFERENCE].path


def cycle_stack(wildcards):
    """Return the TIFF stack of the cycle."""
    run_begins()
    return SAMPLES[wildcards.roi, wildcards.cycle].path


def stamps(wildcards):
    """Return the stamps of the stacks that a job depends on."""
    cycle = [stamp(cycle_stack(wildcards))] if "cycle" in wildcards.keys() else []
    return [stamp(reference_stack(wildcards)), *cycle]


def options(*keys):
    """Return parameters as the options of a script."""
    return parameters.as_options(PARAMETERS, keys)


def global_source(wildcards):
    """Return the option that says where the cycle's global shift comes from."""
    sample = SAMPLES[wildcards.roi, wildcards.cycle]
    if sample.given_x:
        return ["--given", sample.given_x, sample.given_y]
    if CONFIGURATION["register_global"]:
        return ["--z-projections"]
    return [f"--reference-projection={projection(wildcards.roi)}"]


def projection(roi):
    """Return the path of the reference's projection."""
    return results("reference", roi, "projection.npy")


def reference_preview(roi):
    """Return the path of the small images of a ROI's reference."""
    return results("previews", roi, "reference.npz")


def cycle_preview(roi, cycle):
    """Return the path of the small images of a cycle."""
    return results("previews", roi, "cycles", f"{cycle}.npz")


def preview_option(wildcards):
    """Return the option that makes a step of the global registration leave small images."""
    if "cycle" in wildcards.keys():
        return ["--preview", cycle_preview(wildcards.roi, wildcards.cycle)]
    return ["--preview", reference_preview(wildcards.roi)]


def projection_needed(wildcards):
    """Return the reference's projection, unless the user gave the global shifts."""
    return [] if CONFIGURATION["register_global"] else projection(wildcards.roi)
