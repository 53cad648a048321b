"""Runs a command and tells what it cost: wall, CPU and peak memory of the process tree's root."""

import os
import resource
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: list[str], **options) -> Cost:
    """Runs the command to its end; a failure ends the benchmark with the command's output."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{output}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def noise() -> float:
    """Seconds a fixed piece of work takes now: shows whether the machine is busy."""
    started = time.monotonic()
    total = 0
    for number in range(5_000_000):
        total += number & 7
    assert total
    return time.monotonic() - started


def alternate(rounds: int, contenders: dict, prepare=None) -> dict[str, Cost]:
    """The cheapest of several rounds, contenders taking turns so that noise hits all alike."""
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            if prepare:
                prepare(name)
            cost = contender()
            if name not in best or cost.wall_s < best[name].wall_s:
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


def own_peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
