#!/bin/sh
# Once a program has called ray.init() on a machine, a cluster that `ray start --head` starts there asks
# for a token, and a driver on that same machine that is told the cluster's address is refused for want of
# it, though the token lies in its home folder: only a cluster that Ray finds by itself is shown the token.
# RAY_AUTH_MODE=token lets it in.
# Seen with Ray 2.60.0: "InvalidAuthToken" for twenty seconds, then "Failed to connect to Ray cluster".
set -eu
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'ray==2.60.0'
export HOME="$folder" RAY_TMPDIR="$folder/ray" RAY_USAGE_STATS_ENABLED=0
unset RAY_ADDRESS RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH || true
cd "$folder"
"$folder/venv/bin/python" -c 'import ray; ray.init("local", num_cpus=1, logging_level="ERROR")'
test -s "$folder/.ray/auth_token"
"$folder/venv/bin/ray" start --head --port 6411 --num-cpus 1 --include-dashboard=false --block > head.log 2>&1 &
head=$!
trap 'kill $head; wait $head 2>/dev/null || true; rm -rf "$folder"' EXIT
sleep 15
grep -q 'Token authentication is enabled' head.log
connect='import ray; ray.init("127.0.0.1:6411", logging_level="ERROR"); print(ray.cluster_resources()["CPU"])'
if "$folder/venv/bin/python" -c "$connect" > refused.log 2>&1; then
    echo "not refused"
    exit 1
fi
grep -o 'InvalidAuthToken: .*' refused.log | head -n 1
RAY_AUTH_MODE=token "$folder/venv/bin/python" -c "$connect"
echo "as described"
