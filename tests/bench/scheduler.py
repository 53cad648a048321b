"""What a scheduler costs: durable steps that do nothing, against Airflow (local executor) and Dagster.

usage: scheduler.py --goyong BINARY --no-op-steps EXAMPLE --work FOLDER

Each tool keeps its runs in a SQLite file of its own on the same disk, each step's end is durable before the next one
begins, and the time is from the start of the run to its end. Ours and Dagster's steps run in the process of the run,
Airflow's in those of its executor, as it has no other way. The peers run fewer steps, because they are told per step.
"""

import argparse
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SHAPES = ("chained", "parallel")


def ours(example: str, work: Path, shape: str, steps: int) -> float:
    """Seconds of a run."""
    ledger = work / "ours" / f"{shape}.db"
    shutil.rmtree(ledger.parent, ignore_errors=True)
    ledger.parent.mkdir(parents=True)
    said = subprocess.run([example, shape, str(steps), str(ledger)], check=True, capture_output=True, text=True).stdout
    _, begun, _, seconds = said.splitlines()[-1].split()
    assert int(begun) == steps, said
    states = dict(sqlite3.connect(ledger).execute("select state, count(*) from scheduler_step_runs group by state"))
    assert states == {"success": steps}, states
    return float(seconds)


def dagster(work: Path, shape: str, steps: int) -> float:
    home = work / "dagster"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    command = [sys.executable, str(HERE / "scheduler_dagster.py"), shape, str(steps), str(home)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(said.split()[-1])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


DAG = """
from airflow.sdk import DAG, chain, task

for shape in ("chained", "parallel"):
    with DAG(shape, schedule=None, max_active_tasks={places}) as dag:
        steps = [task(task_id=f"s{{number}}")(lambda: None)() for number in range({steps})]
        if shape == "chained":
            chain(*steps)
    globals()[shape] = dag
"""


class Airflow:
    """Scheduler, API server and DAG processor in a folder of their own; stopped at the end."""

    def __init__(self, work: Path, steps: int):
        self.home = work / "airflow"
        shutil.rmtree(self.home, ignore_errors=True)
        (self.home / "dags").mkdir(parents=True)
        (self.home / "dags" / "bench.py").write_text(DAG.format(steps=steps, places=16))
        port = free_port()
        self.database = self.home / "airflow.db"
        self.environment = os.environ | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "16",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": "of a benchmark on loopback, no secret",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
        }
        self.airflow = str(Path(sys.executable).parent / "airflow")
        self.processes: list[subprocess.Popen] = []

    def run(self, *arguments: str) -> None:
        subprocess.run([self.airflow, *arguments], check=True, capture_output=True, env=self.environment)

    def __enter__(self) -> "Airflow":
        self.run("db", "migrate")
        for part in (["api-server", "--workers", "1"], ["scheduler"], ["dag-processor"]):
            log = open(self.home / f"{part[0]}.log", "w")
            self.processes.append(
                subprocess.Popen(
                    [self.airflow, *part], stdout=log, stderr=log, env=self.environment, start_new_session=True
                )
            )
        self.until("select count(*) = 2 from serialized_dag", 180)
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def until(self, question: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
                if connection.execute(question).fetchone()[0]:
                    return
            except sqlite3.OperationalError:
                pass
            finally:
                connection.close()
            time.sleep(0.2)
        raise SystemExit(f"Airflow did not get there in {seconds} s: {question}; its logs are in {self.home}")

    def seconds(self, shape: str, steps: int) -> float:
        """From the start of the run to its end, as Airflow itself wrote them down."""
        self.run("dags", "unpause", shape)
        self.run("dags", "trigger", shape)
        self.until(f"select count(*) > 0 from dag_run where dag_id = '{shape}' and state in ('success', 'failed')", 3600)
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        state, seconds = connection.execute(
            f"select state, (julianday(end_date) - julianday(start_date)) * 86400 from dag_run where dag_id = '{shape}'"
        ).fetchone()
        done = connection.execute(
            f"select count(*) from task_instance where dag_id = '{shape}' and state = 'success'"
        ).fetchone()[0]
        assert (state, done) == ("success", steps), (state, done)
        return seconds


def resume_after_kill(example: str, work: Path, steps: int) -> None:
    """Kills the run's process half way; another goes on."""
    folder = work / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ledger = folder / "ledger.db"
    command = [example, "chained", str(steps), str(ledger)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first.stdout.readline()
    done = 0
    while done < steps // 2:
        assert first.poll() is None, "the run ended before it was killed"
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
            question = "select count(*) from scheduler_step_runs where state = 'success'"
            done = connection.execute(question).fetchone()[0]
    first.kill()
    first.wait()
    with sqlite3.connect(ledger) as connection:
        done = connection.execute("select count(*) from scheduler_step_runs where state = 'success'").fetchone()[0]
    killed_at = time.monotonic()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    elapsed = time.monotonic() - killed_at
    _, begun, _, seconds = said.splitlines()[-1].split()
    assert int(begun) == steps - done, f"{done} were done, {begun} were run again of {steps}"
    print(
        f"\nkilled after {done} of {steps} chained steps: another process ran the other {begun} in {float(seconds):.2f} s, "
        f"{elapsed:.1f} s after the kill (the lease of 3 s runs out first); no step that was done ran again"
    )


def idle(goyong: str, work: Path, seconds: int) -> None:
    """Memory and CPU of a scheduler that has nothing to do."""
    project = work / "idle"
    shutil.rmtree(project, ignore_errors=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([goyong, "--dir", str(project), "init", "--built-in-sql"], check=True, **quiet)
    process = subprocess.Popen([goyong, "--dir", str(project), "schedule", "start"], **quiet)

    def cpu() -> float:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(kind: str) -> float:
        status = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(kind + ":")) / 1024

    time.sleep(5)
    before = cpu()
    time.sleep(seconds)
    used = cpu() - before
    print(
        f"\nidle scheduler: {memory('Rss'):.1f} MiB resident, {memory('Anonymous'):.1f} MiB of them not the program's "
        f"own file; {used * 1000 / seconds:.2f} ms of CPU a second over {seconds} s"
    )
    process.terminate()
    process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--goyong", required=True)
    parser.add_argument("--no-op-steps", required=True, help="the example of that name, built")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--peer-steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-seconds", type=int, default=30)
    arguments = parser.parse_args()
    work, steps, peer_steps = arguments.work / "scheduler", arguments.steps, arguments.peer_steps
    each: dict[tuple[str, str], float] = {}
    for _ in range(arguments.rounds):
        for shape in SHAPES:
            for name, seconds, count in (
                ("goyong", lambda: ours(arguments.no_op_steps, work, shape, steps), steps),
                ("Dagster", lambda: dagster(work, shape, peer_steps), peer_steps),
            ):
                step = seconds() * 1000 / count
                each[name, shape] = min(step, each.get((name, shape), step))
    with Airflow(work, peer_steps) as airflow:
        for shape in SHAPES:
            each["Airflow", shape] = airflow.seconds(shape, peer_steps) * 1000 / peer_steps
    print(f"\ndurable steps that do nothing, ms each: {steps} of ours, {peer_steps} of the others")
    print(f"  {'':<10}{'goyong':>10}{'Dagster':>10}{'Airflow':>10}{'Dagster to ours':>18}{'Airflow to ours':>18}")
    for shape in SHAPES:
        mine, one, other = (each[name, shape] for name in ("goyong", "Dagster", "Airflow"))
        print(f"  {shape:<10}{mine:>10.3f}{one:>10.1f}{other:>10.1f}{one / mine:>18.0f}{other / mine:>18.0f}")
    resume_after_kill(arguments.no_op_steps, work, steps)
    idle(arguments.goyong, work, arguments.idle_seconds)


if __name__ == "__main__":
    main()
