# What Snakemake calls before the first job of a run and after the last one.


onstart:
    run_begins()
    tell_start()


onsuccess:
    with os_errors_told():
        remember_finished_code()
        keep_records(RESULTS, Path.cwd())
    tell_end()


onerror:
    with os_errors_told():
        remember_finished_code()
    with os_errors_told():
        make_what_there_is()
    tell_end()
