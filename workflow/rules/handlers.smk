# What Snakemake calls before the first job of a run and after the last one.


onstart:
    run_begins()


onsuccess:
    remember_finished_code()


onerror:
    remember_finished_code()
    merge_what_there_is()
