#!/bin/sh
# typer 0.29 converts every parameter by pydantic, also one that nobody typed and that is None, and
# one of text: a command whose only option is left out imports pydantic, and by way of its plugins'
# loader importlib.metadata and email, before it does anything. Reading words alone is what
# command lines mostly do.
# Seen: a command of one unset option of text imports pydantic; a callback without options does not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'typer==0.29.2'
cat > "$folder/command.py" <<'PYTHON'
import sys
import time
from typing import Optional

import typer

app = typer.Typer(add_completion=False)


@app.command()
def command(name: Optional[str] = None) -> None:
    late = sorted({"pydantic", "email", "importlib.metadata"} & set(sys.modules))
    print(f"name={name} {' '.join(late)} {time.process_time() - start:.3f} s")


assert "pydantic" not in sys.modules
start = time.process_time()
app()
PYTHON
said=$("$folder/venv/bin/python" "$folder/command.py")
echo "$said"
case "$said" in
"name=None email importlib.metadata pydantic "*) echo "as described" ;;
*) exit 1 ;;
esac
