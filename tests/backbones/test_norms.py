"""The two norms, against their formulas, and where the backbone has them."""

import pytest
import torch
from torch import nn

from hummuss import HumMUSS
from hummuss.backbones.norms import make_norm


def test_norms_are_their_formulas() -> None:
    torch.manual_seed(0)
    x, scale, shift = 3 * torch.randn(2, 5, 8).double() + 1, torch.rand(8).double(), torch.rand(8).double()
    rms, layer = make_norm("rms", 8).double(), make_norm("layer", 8).double()
    rms.load_state_dict({"weight": scale})
    layer.load_state_dict({"weight": scale, "bias": shift})
    square = x.square().mean(-1, keepdim=True)
    torch.testing.assert_close(rms(x), scale * x / (square + 1e-5).sqrt())
    away = x - x.mean(-1, keepdim=True)
    square = away.square().mean(-1, keepdim=True)
    torch.testing.assert_close(layer(x), scale * away / (square + 1e-5).sqrt() + shift)


@pytest.mark.parametrize("spatial_mixing", ["ssm", "attention"])
@pytest.mark.parametrize(("norm", "kind"), [("layer", nn.LayerNorm), ("rms", nn.RMSNorm)])
def test_every_norm_of_a_backbone_is_of_its_kind(norm: str, kind: type[nn.Module], spatial_mixing: str) -> None:
    backbone = HumMUSS(dim=8, depth=2, modes=2, norm=norm, spatial_mixing=spatial_mixing)
    found = [module for module in backbone.modules() if "Norm" in type(module).__name__]
    assert {type(module) for module in found} == {kind}
    # In front of each of eight blocks, and of the MLPs of the four along the joints, and the last one.
    assert len(found) == 8 + (4 if spatial_mixing == "attention" else 0) + 1
