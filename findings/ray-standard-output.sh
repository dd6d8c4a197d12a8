#!/bin/sh
# Ray prints that a worker was lost on standard output, not on standard error, of a driver that asked
# for nothing: log_to_driver=False, logging_level=CRITICAL. A program whose standard output is data has
# it in the data. (listen_error_messages in ray/_private/worker.py says "is_err": False and asks for no
# setting.)
# Seen with Ray 2.60.0: "(raylet) A worker died or was killed while executing a task …" on standard output.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'ray==2.60.0'
cd "$folder"
cat > lost.py <<'PYTHON'
import os
import time

import ray

ray.init(address="local", num_cpus=1, log_to_driver=False, logging_level="CRITICAL")


@ray.remote
class Actor:
    def leave(self):
        os._exit(7)


try:
    ray.get(Actor.remote().leave.remote())
except ray.exceptions.ActorDiedError:
    time.sleep(2)
PYTHON
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" lost.py > output 2> errors
cut -c 1-200 output
grep -q 'A worker died or was killed' output
echo "as described"
