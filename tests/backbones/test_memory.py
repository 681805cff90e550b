"""What inference keeps follows dt, lengths and parameters: every pass equals that of a model which has kept nothing."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hummuss import HumMUSS
from hummuss.backbones.ssm import DiagonalSSM


def make(seed: int = 0, **options) -> HumMUSS:
    torch.manual_seed(seed)
    return HumMUSS(dim=8, depth=1, modes=3, **options).double().eval()


def passes(model: HumMUSS) -> list[Tensor]:
    """Clips of several lengths and rates, evenly spaced or not, and frames of a stream, in an order that returns."""
    torch.manual_seed(1)
    keypoints, found = torch.rand(2, 130, 17, 3).double(), []
    for dt in (0.02, 0.05, 0.02):
        for frames in (130, 20, 19):
            found.append(model(keypoints[:, :frames], torch.full((2, frames), dt).double()))
        apart = torch.tensor([[dt], [0.01]]).double().expand(2, 20)
        found.append(model(keypoints[:, :20], apart))
        found.append(model(keypoints[:, :20], apart * torch.linspace(1, 2, 20)))
        if model.causal:
            y, state = model.step(keypoints[:, 0], torch.full((2,), dt).double(), model.init_state(2))
            for interval in (torch.tensor([dt, 0.01]), torch.full((2,), dt)):
                y, state = model.step(keypoints[:, 1], interval.double(), state)
            found.append(y)
    return found


def ssms(model: HumMUSS) -> list[DiagonalSSM]:
    return [module for module in model.modules() if isinstance(module, DiagonalSSM)]


CHANGES: dict[str, Callable[[HumMUSS], object]] = {
    "in place": lambda model: ssms(model)[0].log_step.add_(0.1),
    "through data": lambda model: ssms(model)[-1].output_pairs.data.mul_(5.0),
    "swapped through data": lambda model: [
        own.data.copy_(new)
        for own, new in zip(model.parameters(), make(3, causal=model.causal).parameters(), strict=True)
    ],
    "loaded": lambda model: model.load_state_dict(make(3, causal=model.causal).state_dict()),
    "assigned": lambda model: model.load_state_dict(make(3, causal=model.causal).state_dict(), assign=True),
    "another band limit": lambda model: [setattr(ssm, "bandlimit", 0.1) for ssm in ssms(model)],
    "another reference rate": lambda model: [
        setattr(ssm, "reference_fps", 2 * ssm.reference_fps) for ssm in ssms(model)
    ],
    "in single precision": lambda model: model.float().double(),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_every_inference_equals_that_of_a_model_which_has_kept_nothing(change: str, causal: bool) -> None:
    model = make(causal=causal)
    with torch.no_grad():
        passes(model)
        CHANGES[change](model)
        kept = passes(model)
    expected = passes(copy.deepcopy(model))  # with gradients on, nothing is kept
    for got, want in zip(kept, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_steps_of_a_fused_optimiser_are_seen() -> None:
    model = make()
    keypoints, dt = torch.rand(1, 9, 17, 3).double(), torch.full((1, 9), 0.02).double()
    with torch.no_grad():
        before = model(keypoints, dt)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model(keypoints, dt).sum().backward()
    optimiser.step()  # raises no version
    with torch.no_grad():
        got = model(keypoints, dt)
    assert not torch.allclose(got, before)
    torch.testing.assert_close(got, model(keypoints, dt).detach(), rtol=1e-12, atol=1e-12)


def test_matrices_are_made_once_in_inference_and_each_time_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = DiagonalSSM._discretise
    monkeypatch.setattr(DiagonalSSM, "_discretise", lambda self, dt: made.append(1) or original(self, dt))

    def count(run: Callable[[], object]) -> int:
        made.clear()
        run()
        return len(made)

    model = make(causal=True)
    keypoints, dt = torch.rand(2, 20, 17, 3).double(), torch.full((2, 20), 0.02).double()
    each = len(ssms(model))
    with torch.inference_mode():
        state = model.init_state(2)
        assert count(lambda: model(keypoints, dt)) == each
        assert count(lambda: model(keypoints, dt)) == 0
        assert count(lambda: model(keypoints, 2 * dt)) == 2  # the blocks over time alone
        assert count(lambda: model.step(keypoints[:, 0], 2 * dt[:, 0], state)) == 2
        assert count(lambda: model.step(keypoints[:, 0], 2 * dt[:, 0], state)) == 0
    for _ in range(2):
        assert count(lambda: model(keypoints, dt)) == each
    with torch.inference_mode():  # the room was given back
        assert count(lambda: model(keypoints, dt)) == each


def test_a_model_built_for_inference_alone_predicts() -> None:
    with torch.inference_mode():
        model = make(causal=True)
        built = passes(model)
    for got, want in zip(built, passes(make(causal=True)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_keep_nothing(duplicate: Callable[[HumMUSS], HumMUSS]) -> None:
    model = make()
    with torch.no_grad():
        passes(model)
    assert model._memory._axes
    assert not duplicate(model)._memory._axes
