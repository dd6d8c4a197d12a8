"""segment_anything's networks come alone, and its package all the same when it is asked for."""

from __future__ import annotations

import subprocess
import sys

IN_A_PROCESS_OF_ITS_OWN = """
import sys
from eie.models.sam_modeling import Sam
assert "torchvision" not in sys.modules
import segment_anything
from segment_anything import SamPredictor
assert segment_anything.modeling.Sam is Sam
assert issubclass(segment_anything.SamPredictor, object) and SamPredictor.__module__
assert not hasattr(segment_anything, "nothing_of_that_name")
"""


def test_networks_come_without_torchvision_and_the_package_later() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_decompose_imports_no_torchvision() -> None:
    code = "import sys; import eie.models.segmenter as s; s.load_segmenter('tiny', 'cpu'); "
    code += "sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
