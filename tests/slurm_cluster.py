"""A real SLURM cluster of one node on this machine, for a test, in a folder of its own."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

PROFILE = [
    *("--profile", str(Path(__file__).resolve().parents[1] / "profiles" / "slurm")),
    # This cluster keeps no accounts, and its only node sees all files.
    *("--slurm-status-command", "squeue"),
    *("--latency-wait", "5"),
]
DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol")
# The node pretends to have them, so that jobs need not wait for each other.
CPUS, MEMORY_MB = 8, 8000
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def reason_against() -> str | None:
    """Return why no cluster can be started here; None if it can."""
    if os.geteuid() != 0:
        return "SLURM's daemons need root"
    missing = [name for name in DAEMONS + COMMANDS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (slurmctld slurmd slurm-client munge)"
    return None


class Cluster:
    """Daemons of a cluster; `environment` lets SLURM's commands find it."""

    def __init__(self, folder: Path) -> None:
        """Start the daemons and wait until the node takes jobs."""
        for name in ("state", "spool", "bin"):
            (folder / name).mkdir(parents=True)
        self.folder = folder
        configuration = folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname(),
                folder=folder,
                port=free_port(),
                node_port=free_port(),
                cpus=CPUS,
                memory=MEMORY_MB,
            )
        )
        self.submissions = folder / "submissions"
        self.submissions.write_text("")
        self._wrap_commands()
        self.environment = {
            "SLURM_CONF": str(configuration),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        }
        self.daemons: list[subprocess.Popen] = []
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def run(self, *command: str) -> str:
        """Run a command of SLURM and return what it prints."""
        environment = os.environ | self.environment
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def stop(self) -> None:
        """Cancel all jobs and end the daemons."""
        if len(self.daemons) == 3:
            subprocess.run(["scancel", "--user=root"], env=os.environ | self.environment)
            wait_until(lambda: not self.run("squeue", "--noheader"), 30)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(20)

    def _start(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key": key, "seed": "munge.seed", "pid": "munge.pid", "log": "munge.log"}
        options = [f"--{name}-file={self.folder / file}" for name, file in files.items()]
        self._daemon("munged", "--foreground", "--force", *options, f"--socket={self._socket}")
        wait_until(self._socket.exists, 20)
        self._daemon("slurmctld", "-D", "-i")
        self._daemon("slurmd", "-D")
        wait_until(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"), 60)

    @property
    def _socket(self) -> Path:
        return self.folder / "munge.socket"

    def _daemon(self, *command: str) -> None:
        self.daemons.append(
            subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def _wrap_commands(self) -> None:
        """Put commands first on the path that know this cluster, and an sbatch that is counted.

        Snakemake removes SLURM's variables from the environment of its jobs.
        """
        for name in COMMANDS:
            script = self.folder / "bin" / name
            note = f'echo "$*" | cut -c 1-400 >> {self.submissions}\n' if name == "sbatch" else ""
            conf = f"export SLURM_CONF={self.folder / 'slurm.conf'}\n"
            script.write_text(f'#!/bin/sh\n{note}{conf}exec {shutil.which(name)} "$@"\n')
            script.chmod(0o755)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds: float) -> None:
    """Wait until `condition()` is true; a command that fails counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except subprocess.CalledProcessError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened within {seconds} s")
        time.sleep(0.2)
