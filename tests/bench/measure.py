"""Runs a command and tells what it cost: wall, CPU and peak memory.

A forked process starts with the peak of the one it was forked from, so commands are started by a
small process of their own: this file, run as a script.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass
class Cost:
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: list[str]) -> Cost:
    """Runs the command to its end; a failure ends the benchmark with the command's output."""
    launched = subprocess.run(
        [sys.executable, "-S", __file__, *command], capture_output=True, text=True
    )
    if launched.returncode != 0:
        raise SystemExit(
            f"{' '.join(command)} ended with {launched.returncode}:\n{launched.stdout}{launched.stderr}"
        )
    return Cost(**json.loads(launched.stdout.splitlines()[-1]))


def run_within_memory(command: list[str]) -> Cost | None:
    """The same, and nothing when the command says that its memory was too small."""
    try:
        return run(command)
    except SystemExit as failed:
        if "Out of Memory" in str(failed):
            return None
        raise


def launch(command: list[str]) -> int:
    """Runs the command and prints its cost as the last line."""
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    cost = Cost(
        time.monotonic() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )
    print(json.dumps(cost.__dict__))
    return os.waitstatus_to_exitcode(status)


def noise() -> float:
    """Seconds a fixed piece of work takes now: shows whether the machine is busy."""
    started = time.monotonic()
    total = 0
    for number in range(5_000_000):
        total += number & 7
    assert total
    return time.monotonic() - started


def alternate(rounds: int, contenders: dict, prepare=None) -> dict[str, Cost]:
    """The cheapest of several rounds, contenders taking turns so that noise hits all alike.

    A contender that answers nothing did not finish, and has no cost.
    """
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            if prepare:
                prepare(name)
            cost = contender()
            if cost and (name not in best or cost.wall_s < best[name].wall_s):
                best[name] = cost
    return best


def report(title: str, best: dict[str, Cost], ours: str = "goyong") -> None:
    """Prints the costs and our ratio to every peer; below 1 means we need less."""
    print(f"\n{title}")
    print(f"  {'':<18}{'wall s':>10}{'CPU s':>10}{'peak MiB':>10}")
    for name, cost in best.items():
        print(f"  {name:<18}{cost.wall_s:>10.2f}{cost.cpu_s:>10.2f}{cost.peak_mib:>10.0f}")
    mine = best[ours]
    for name, cost in best.items():
        if name != ours:
            print(
                f"  ratio to {name:<9}{mine.wall_s / cost.wall_s:>10.2f}"
                f"{mine.cpu_s / cost.cpu_s:>10.2f}{mine.peak_mib / cost.peak_mib:>10.2f}"
            )


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
