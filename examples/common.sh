# Sourced by the examples: $photos holds the photos, $out is where pictures go, eie is the command.
set -eu -o pipefail
photos=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$photos")
out=${1:-$root/build/examples}
mkdir -p "$out"
if [ -x "$root/.venv/bin/eie" ]; then PATH="$PATH:$root/.venv/bin"; fi
