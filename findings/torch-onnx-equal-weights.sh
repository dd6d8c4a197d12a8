#!/bin/sh
# torch 2.14.1, torch.onnx.export(dynamo=False, do_constant_folding=False): weights that happen to be
# equal when a network is exported become one initializer, under the name of the first. A freshly made
# network has many such: of two LayerNorms (ones and zeros) only one keeps its names. Whoever exports the arithmetic once and puts trained weights in by name, as ONNX
# Runtime's add_external_initializers invites to, gets a graph that runs and is wrong: one layer's
# weights are used in both. Different values keep all names, and so does
# keep_initializers_as_inputs=True.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'torch==2.14.1' 'onnx==1.23.2' numpy
cat > "$folder/try.py" <<'END'
import logging
import sys
import warnings

import onnx
import torch
from torch import nn

warnings.simplefilter("ignore")
logging.disable()


def names(network, **options):
    path = f"{sys.argv[1]}/network.onnx"
    torch.onnx.export(
        network, (torch.zeros(1, 4),), path, dynamo=False, do_constant_folding=False, **options
    )
    return sorted(tensor.name for tensor in onnx.load(path).graph.initializer)


network = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4, bias=False), nn.LayerNorm(4)).eval()
every = sorted(network.state_dict())
assert len(every) == 5
fresh = names(network)
assert fresh == ["0.bias", "0.weight", "1.weight"], fresh
assert names(network, keep_initializers_as_inputs=True) == every
for tensor in network.state_dict().values():
    tensor.uniform_(0.1, 1)
assert names(network) == every
print(f"of {len(every)} weights, a fresh network's graph has {len(fresh)}: {', '.join(fresh)}")
END
"$folder/venv/bin/python" "$folder/try.py" "$folder"
echo "as described"
