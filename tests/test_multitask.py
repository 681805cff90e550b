"""Several tasks on one backbone: whose batches train what, and that a run may stop anywhere."""

from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from hummuss import InputError, MotionModule
from hummuss.backbones import PerFrame
from hummuss.data import MotionDataModule, MultiDataModule, SyntheticDataModule
from hummuss.heads import ActionHead, MeshHead, PoseHead

SIZES = {"train_clips": 24, "val_clips": 2, "test_clips": 2, "windows_per_epoch": 8, "duration": 1.0}


def part(**options) -> SyntheticDataModule:
    return SyntheticDataModule(**SIZES | {"frames": 5, "batch_size": 2} | options)


def parts() -> dict[str, MotionDataModule]:
    return {"pose": part(), "mesh": part(frames=7), "action": part(frames=9, test_clips=3)}


def module(**options) -> MotionModule:
    torch.manual_seed(0)
    heads = {
        "pose": PoseHead,
        "mesh": lambda dim: MeshHead(dim, hidden=8, vertex_count=20),
        "action": lambda dim: ActionHead(dim, hidden=8, dropout=0.5),
    }
    return MotionModule(
        PerFrame(dim=1, depth=0, dim_rep=4), heads, loss_weights={"mesh": 3.0, "action": 0.5}, **options
    )


def trainer(tmp_path, **options) -> L.Trainer:
    return L.Trainer(
        logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu", num_sanity_val_steps=0,
        default_root_dir=tmp_path, enable_model_summary=False, **{"max_epochs": 1} | options,
    )  # fmt: skip


def test_a_step_has_a_batch_of_every_part_as_it_alone_would_draw_it() -> None:
    steps = list(MultiDataModule(parts(), seed=3).train_dataloader())
    assert len(steps) == 4
    batches = [batch for batch, _, _ in steps]
    for name, alone in parts().items():
        alone.seed = 3
        for batch, expected in zip(batches, alone.train_dataloader(), strict=True):
            assert torch.equal(batch[name]["keypoints"], expected["keypoints"])


def test_each_batch_trains_its_own_heads_with_their_weights() -> None:
    model = module()
    data = MultiDataModule(parts())
    model.check_data(data)
    model.eval()
    logged: dict[str, float] = {}
    model.log = lambda name, value, **_: logged.update({name: float(value.detach())})
    batch, _, _ = next(iter(data.train_dataloader()))
    total = float(model.training_step(batch, 0).detach())
    expected = 0.0
    for name, weight in (("pose", 1.0), ("mesh", 3.0), ("action", 0.5)):
        head = model.heads[name]
        own = head.loss(head(model.backbone(batch[name]["keypoints"], batch[name]["dt"]), batch[name]), batch[name])
        expected += weight * float(sum(own.values()).detach())
        assert {f"train/{name}/{term}" for term in own} <= set(logged)
        assert all(
            logged[f"train/{name}/{term}"] == pytest.approx(float(value.detach())) for term, value in own.items()
        )
    assert total == pytest.approx(expected, rel=1e-5)
    assert logged["train/loss"] == pytest.approx(expected, rel=1e-5)
    # The pose head has seen its own batch alone.
    assert model.heads["pose"].mean_joints.count == 2 * 5


def test_every_task_is_validated_and_tested_on_its_own_part(tmp_path: Path) -> None:
    model, data, run = module(), MultiDataModule(parts()), trainer(tmp_path)
    run.fit(model, data)
    found = run.callback_metrics
    assert {"val/pose/mpjpe", "val/mesh/mpve", "val/action/mean_class", "val/mesh/mean_pose/mpve"} <= set(found)
    trainer_of_one = trainer(tmp_path)
    trainer_of_one.test(model, data, verbose=False)
    rows = {name: models["model"].rows for name, models in model.results.items()}
    assert {name: own[0].count for name, own in rows.items()} == {"pose": 2 * 50, "mesh": 2 * 50, "action": 3}
    # As a model of that head alone scores that part alone.
    alone = MotionModule(model.backbone, {"mesh": lambda dim: model.heads["mesh"]})
    one = trainer(tmp_path)
    one.validate(alone, part(frames=7), verbose=False)
    assert float(found["val/mesh/mpjpe"]) == pytest.approx(float(one.callback_metrics["val/mpjpe"]), rel=1e-5)
    one.test(alone, part(frames=7), verbose=False)
    assert alone.results["mesh"]["model"].rows[0].figures["mpve"] == pytest.approx(rows["mesh"][0].figures["mpve"])


def test_a_part_may_be_for_several_heads() -> None:
    data = MultiDataModule({"pose+mesh": part(), "action": part()})
    model = module()
    model.check_data(data)
    model.log = lambda *_, **__: None
    batch, _, _ = next(iter(data.train_dataloader()))
    model.training_step(batch, 0).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_resumed_within_an_epoch_goes_on_as_if_never_interrupted(tmp_path: Path, workers: int) -> None:
    class Record(L.Callback):
        def __init__(self) -> None:
            self.seen: list[dict[str, list[int]]] = []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            self.seen.append({name: own["sample"].tolist() for name, own in batch.items()})
            if len(self.seen) == 6:
                trainer.save_checkpoint(tmp_path / "within.ckpt")

    def train(**options) -> tuple[list[dict[str, list[int]]], torch.Tensor]:
        model, record = module(), Record()
        data = MultiDataModule({name: one for name, one in parts().items()})
        for one in data.parts.values():
            one.num_workers = workers
        model.check_data(data)
        trainer(tmp_path, max_epochs=3, callbacks=[record], limit_val_batches=0).fit(
            model, data, weights_only=True, **options
        )
        return record.seen, torch.cat([p.detach().flatten() for p in model.parameters()])

    whole, weights = train()
    resumed, again = train(ckpt_path=tmp_path / "within.ckpt")
    assert len(whole) == 12
    assert whole[6:] == resumed
    assert torch.equal(weights, again)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="different numbers of batches in an epoch: pose 4, mesh 8"):
        MultiDataModule({"pose": part(), "mesh": part(windows_per_epoch=16)}).train_dataloader()
    with pytest.raises(InputError, match="different test_windows"):
        MultiDataModule({"pose": part(), "mesh": part(test_windows=1)})
    for wrong in ({"pose": part(), "mesh": part()}, parts() | {"pose+mesh": part()}, parts() | {"poze": part()}):
        with pytest.raises(InputError, match=r"serve the heads .*, the model has pose, mesh, action"):
            module().check_data(MultiDataModule(wrong))
    scored = MultiDataModule(parts())
    scored.trainer = trainer(tmp_path)
    scored.trainer.state.fn = TrainerFn.TESTING
    scored.load_state_dict({"pose": {}})  # nothing goes on from there
    with pytest.raises(InputError, match=r"of a run with the parts pose, now they are pose, mesh, action"):
        MultiDataModule(parts()).load_state_dict({"pose": {}})
