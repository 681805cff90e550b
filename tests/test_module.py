"""The training module: loss weights, optimiser groups, names of metrics."""

from itertools import pairwise
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, LambdaCallback

from hummuss import HumMUSS, Inference, InputError, MotionModule
from hummuss.backbones import PerFrame
from hummuss.backbones.ssm import DiagonalSSM
from hummuss.data import SyntheticDataModule
from hummuss.heads import ActionHead, MeshHead, PoseHead


def plain() -> PerFrame:
    """The smallest backbone: no time."""
    return PerFrame(dim=1, depth=0, dim_rep=4)


def data() -> SyntheticDataModule:
    return SyntheticDataModule(frames=5, batch_size=2, windows_per_epoch=4, val_windows=2, test_windows=2)


def mesh(dim_rep: int) -> MeshHead:
    return MeshHead(dim_rep, hidden=8, vertex_count=20)


def trainer(tmp_path, **options) -> L.Trainer:
    return L.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        default_root_dir=tmp_path, num_sanity_val_steps=0, enable_model_summary=False, **options,
    )  # fmt: skip


def test_any_backbone_any_heads(tmp_path) -> None:
    module = MotionModule(plain(), {"pose": PoseHead, "mesh": mesh})
    train = trainer(tmp_path)
    train.fit(module, data())
    shown = set(train.callback_metrics)
    # Several heads put their names before their metrics.
    assert {"val/pose/mpjpe", "val/mesh/mpve", "val/pose/mean_pose/mpjpe", "train/loss"} <= shown
    assert {"train/pose/velocity", "train/mesh/rotations"} <= shown
    # The progress bar shows what stands for each task, and nothing of the baseline.
    bar = set(train.progress_bar_metrics)
    assert bar == {"train/loss", "val/pose/mpjpe", "val/mesh/mpjpe", "val/mesh/mpve"}


def test_losses_are_summed_with_their_weights() -> None:
    module = MotionModule(plain(), {"pose": PoseHead, "mesh": mesh}, loss_weights={"mesh": 3.0})
    module.log = lambda *_, **__: None
    batch = next(iter(data().train_dataloader()))
    total = module.training_step(batch, 0)
    predictions = module(batch)
    terms = {name: sum(head.loss(predictions[name], batch).values()) for name, head in module.heads.items()}
    torch.testing.assert_close(total, terms["pose"] + 3 * terms["mesh"])


@pytest.mark.parametrize("spatial_mixing", ["ssm", "attention"])
def test_optimiser_groups_cover_every_parameter_once(spatial_mixing: str) -> None:
    backbone = HumMUSS(dim=8, depth=1, modes=2, spatial_mixing=spatial_mixing)
    module = MotionModule(backbone, {"pose": PoseHead}, weight_decay=0.1, ssm_learning_rate=1e-4)
    groups = module._parameter_groups()
    counted = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(counted) == sorted(id(parameter) for parameter in module.parameters())
    state_space = {id(p) for m in module.modules() if isinstance(m, DiagonalSSM) for p in m.parameters()}
    for group in groups:
        if group.get("lr") == module.ssm_learning_rate:
            assert {id(parameter) for parameter in group["params"]} == state_space
            assert group["weight_decay"] == 0
        elif group["weight_decay"]:
            assert all(parameter.ndim > 1 for parameter in group["params"])


def test_learning_rate_warms_up_and_falls_to_nothing(tmp_path) -> None:
    module = MotionModule(plain(), {"pose": PoseHead}, learning_rate=1.0, warmup=0.5)
    rates: list[float] = []

    class Record(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    module_data = SyntheticDataModule(frames=5, batch_size=2, windows_per_epoch=20, val_windows=2)
    trainer(tmp_path, callbacks=[Record()]).fit(module, module_data)
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1.0)
    assert rates[-1] < 0.11
    assert all(later <= earlier for earlier, later in pairwise(rates[5:]))


def test_a_seed_gives_the_same_training_twice(tmp_path) -> None:
    weights = []
    for _ in range(2):
        L.seed_everything(3)
        module = MotionModule(HumMUSS(dim=8, depth=1, modes=2, dropout=0.1), {"pose": PoseHead})
        trainer(tmp_path).fit(module, data())
        weights.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    assert torch.equal(*weights)


def test_data_of_another_body_is_refused(tmp_path) -> None:
    module, other = MotionModule(plain(), {"mesh": mesh}), data()
    other.body.name = "SMPL_NEUTRAL"
    with pytest.raises(InputError, match="the data poses the body 'SMPL_NEUTRAL', the mesh head 'free'"):
        trainer(tmp_path).fit(module, other)


def test_whole_test_clips_are_scored_frame_by_frame_once_and_it_is_said_how(tmp_path) -> None:
    limited = plain()
    limited.max_frames = 243
    for backbone, windows, said in (
        (plain(), "auto", "whole clips"),
        (limited, "auto", "windows of 5 frames, one every 2, averaged"),
        (plain(), 8, "windows of 8 frames, one every 4, averaged"),
    ):
        module = MotionModule(backbone, {"pose": PoseHead}, inference=Inference(windows=windows))
        for _ in range(2):
            trainer(tmp_path).test(module, data(), verbose=False)
        assert module.inference.describe() == said
        assert sum(module.inference.used.values()) == 2, "of the last test alone"
        # Two clips of 6 s at 50 fps.
        assert module.results["pose"]["model"].rows[0].count == 2 * 300


def test_an_order_of_lightnings_own_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"trainer\.overfit_batches .*: give --trainer\.limit_train_batches"):
        trainer(tmp_path, overfit_batches=1).fit(MotionModule(plain(), {"pose": PoseHead}), data())
    with pytest.raises(InputError, match="batch_size is 0, expected 1 or more"):
        SyntheticDataModule(frames=5, batch_size=0)


def test_only_a_run_that_goes_on_begins_within_an_epoch(tmp_path) -> None:
    """One data module for all, as in a notebook: what it was told of earlier runs is not of this one."""
    own, half = data(), tmp_path / "half.ckpt"
    save = LambdaCallback(on_train_batch_end=lambda train, *_: None if half.exists() else train.save_checkpoint(half))
    trainer(tmp_path, callbacks=[save]).fit(MotionModule(plain(), {"pose": PoseHead}), data())
    trainer(tmp_path).validate(MotionModule(plain(), {"pose": PoseHead}), own, ckpt_path=half, verbose=False)
    drawn = []
    for checkpoint in (None, half, None):
        train = trainer(tmp_path)
        train.fit(MotionModule(plain(), {"pose": PoseHead}), own, ckpt_path=checkpoint)
        assert train.global_step == 2
        drawn.append(list(train.train_dataloader.sampler))
    assert drawn == [[0, 1, 2, 3], [2, 3], [0, 1, 2, 3]]


def test_weights_of_heads_that_learn_their_classes_are_averaged(tmp_path) -> None:
    """Callbacks copy the model before it is set up."""
    module = MotionModule(plain(), {"action": ActionHead, "pose": PoseHead})
    trainer(tmp_path, callbacks=[EMAWeightAveraging(decay=0.5)]).fit(module, data())
    assert module.heads["action"].classes == data().classes


def test_processes_drop_what_one_that_accumulates_their_batches_would(tmp_path) -> None:
    module = MotionModule(plain(), {"pose": PoseHead})
    module._seed = 3

    def seeds(processes: int, rank: int, batches: int) -> list[int]:
        module.trainer = SimpleNamespace(world_size=processes, global_rank=rank, current_epoch=4)
        found = []
        for batch in range(batches):
            module.on_train_batch_start({}, batch)
            found.append(torch.initial_seed())
        return found

    one, two = seeds(1, 0, 6), [seeds(2, rank, 3) for rank in (0, 1)]
    assert one == [seed for pair in zip(*two, strict=True) for seed in pair]
    assert len(set(one)) == 6


def test_a_warmup_of_more_than_all_steps_is_refused() -> None:
    with pytest.raises(InputError, match=r"warmup is 5.0, expected a share of the training steps"):
        MotionModule(plain(), {"pose": PoseHead}, warmup=5.0)


def test_a_weight_of_no_head_is_refused() -> None:
    with pytest.raises(InputError, match="loss_weights names psoe, but the heads are pose"):
        MotionModule(plain(), {"pose": PoseHead}, loss_weights={"psoe": 2.0})


def test_mixed_precision_ends_at_the_backbone(tmp_path) -> None:
    found = []

    class Observed(PoseHead):
        def forward(self, representation, batch):
            found.append((representation.dtype, torch.is_autocast_enabled("cpu")))
            return super().forward(representation, batch)

    module = MotionModule(HumMUSS(dim=8, depth=1, modes=2), {"pose": Observed})
    module.backbone.register_forward_hook(lambda _module, _inputs, output: found.append(output.dtype))
    mixed = trainer(tmp_path, precision="bf16-mixed")
    mixed.fit(module, data())
    mixed.test(module, data(), verbose=False)
    assert set(found) == {torch.bfloat16, (torch.float32, False), torch.float32}
    assert mixed.callback_metrics["test/mpjpe"].dtype == torch.float32
