from __future__ import annotations

import pytest
import torch
from torch import nn

from eie.errors import MissingModelError
from eie.models.finite import check_complete, check_weights, finite, watched


def test_finite_numbers_pass() -> None:
    for values in (torch.ones(3), torch.arange(3)):
        assert finite(values, "the net") is values


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_others_stop_the_work_with_what_to_try(bad: float) -> None:
    values = torch.ones(2, 3)
    values[1, 2] = bad
    with pytest.raises(MissingModelError, match=r"^the net: .*finite.*--device cpu"):
        finite(values, "the net")


def test_weights_are_looked_at() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    check_weights(net, "folder")
    net[1].running_var[0] = float("nan")
    with pytest.raises(MissingModelError, match=r"folder: .*1\.running_var"):
        check_weights(net, "folder")


def test_a_watched_network_gives_finite_numbers_or_none() -> None:
    class Several(nn.Module):
        def forward(self, values: torch.Tensor) -> object:
            return {"first": (values, [values.log()])}

    net = watched(Several(), "the net")
    net(torch.ones(2))
    with pytest.raises(MissingModelError, match="the net"):
        net(torch.zeros(2))


def test_weights_that_were_never_read_are_told() -> None:
    with torch.device("meta"):
        unread = nn.Linear(2, 2)
    with pytest.raises(MissingModelError, match="folder: its weights lack weight"):
        check_weights(unread, "folder")


def test_a_file_that_lacks_weights_is_told_and_an_older_one_is_not() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    stored = set(net.state_dict())
    check_complete(net, stored | {"position_ids"}, "unet in m")
    check_complete(net, stored - {"1.num_batches_tracked"}, "unet in m")
    check_complete(net, {"query.weight" if name == "0.weight" else name for name in stored}, "m")
    with pytest.raises(MissingModelError, match=r"unet in m: its weights lack 0\.weight"):
        check_complete(net, stored - {"0.weight"}, "unet in m")
