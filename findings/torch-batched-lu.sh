#!/bin/sh
# torch 2.14.1 on x86_64 CPUs with two threads or more: torch.linalg.inv and solve of a batch of two
# or more well-conditioned matrices of about 151 rows or more fail: sometimes by an error ("Pivots
# given to lu_solve must all be greater or equal to 1"), after calls with smaller ones by wrong values
# and no error, only lines "Parameter 6 was incorrect on entry to SLASWP" on stdout. One thread, one
# matrix or 64 rows are right, and so are cholesky and qr of the same batch: code that fits many
# linear models at once goes by these. (solve is known since 2.5: pytorch issue 142815.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.14.1' numpy
cat > "$folder/try.py" <<'END'
import torch

torch.manual_seed(0)


def wrong(by, rows, batch=2, threads=2):
    torch.set_num_threads(threads)
    matrix = torch.randn(batch, rows, rows)
    matrix = matrix.mT @ matrix / rows + torch.eye(rows)  # condition number at most 6
    eye = torch.eye(rows).expand_as(matrix)
    try:
        inverse = by(matrix, eye)
    except RuntimeError as error:
        assert "Pivots" in str(error)
        return True
    return bool((matrix @ inverse - eye).abs().max() > 0.1)


def inv(matrix, eye):
    return torch.linalg.inv(matrix)


def cholesky(matrix, eye):
    return torch.cholesky_solve(eye, torch.linalg.cholesky(matrix))


def qr(matrix, eye):
    q, r = torch.linalg.qr(matrix)
    return torch.linalg.solve_triangular(r, q.mT, upper=True)


assert wrong(inv, 160), "inverses of a batch are right now"
assert wrong(inv, 512, batch=16)
assert not wrong(inv, 160, threads=1) and not wrong(inv, 160, batch=1) and not wrong(inv, 64)
assert not wrong(cholesky, 160) and not wrong(qr, 160)
print("inverses of two matrices of 160 rows by two threads: none or wrong; by Cholesky or QR: right")
END
"$folder/venv/bin/python" "$folder/try.py" > "$folder/said"
grep -q SLASWP "$folder/said"
grep "^inverses" "$folder/said"
echo "as described"
