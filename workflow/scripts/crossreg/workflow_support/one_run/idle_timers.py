"""No timers of Snakemake's scheduler that only make it look at all waiting jobs once more.

Whenever it has looked at the jobs that are ready, Snakemake (9.20 to 9.27) starts a thread that
waits for the time span of `max-jobs-per-timespan` and then makes it look again, which starts the
next such thread. With its default of a second a run that has finished 400 jobs looks 400 times a
second, and a run ends only when the last of these threads do. The profile gives a time span so long
that they do not wake before they are ended here, and a number of jobs that is never reached.
"""

import threading

TIMESPAN_S = 30.0
"""The time span in `profiles/default`, by which these timers are known. Should a later Snakemake
wait in another way, nothing is ended here, and a run ends so much later at worst."""
PERIOD_S = 10.0
"""How often they are ended during a run: so there are never more than a few."""


def end_idle_timers() -> None:
    """Start to end them, until the main thread of this process is done."""
    threading.Thread(target=_end_until_done, daemon=True).start()


def _end_until_done() -> None:
    main = threading.main_thread()
    while main.is_alive():
        main.join(PERIOD_S)
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and thread.interval == TIMESPAN_S:
                thread.cancel()
