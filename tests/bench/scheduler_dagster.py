"""Steps that do nothing in Dagster, in the process of the run, with its own durable event log.

usage: scheduler_dagster.py chained|parallel STEPS FOLDER
"""

import os
import sys
import time

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"

from dagster import DagsterInstance, In, Nothing, in_process_executor, job, op

shape, steps, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]


@op
def first():
    pass


@op(ins={"before": In(Nothing)})
def later():
    pass


@job(executor_def=in_process_executor)
def bench():
    last = first.alias("s0")()
    for number in range(1, steps):
        name = f"s{number}"
        last = later.alias(name)(before=last) if shape == "chained" else first.alias(name)()


with DagsterInstance.local_temp(folder) as instance:
    started = time.monotonic()
    result = bench.execute_in_process(instance=instance)
    elapsed = time.monotonic() - started
    assert result.success
    assert len(result.get_step_success_events()) == steps
    print(f"seconds {elapsed}")
