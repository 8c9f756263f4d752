# What Snakemake calls before the first job of a run and after the last one.


onstart:
    run_begins()
    tell_start()


onsuccess:
    remember_finished_code()
    tell_end()


onerror:
    remember_finished_code()
    make_what_there_is()
    tell_end()
