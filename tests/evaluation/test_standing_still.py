"""What a pose that never moves misses: the people's own mean speed, by hand from their clips."""

import numpy as np
import pytest

from hummuss.data import SyntheticDataModule
from hummuss.evaluation.moments import choose_moments
from hummuss.evaluation.rates import STRIDES, Rate
from hummuss.evaluation.standing_still import velocity_of_standing_still


def test_it_misses_how_fast_joints_move_against_the_pelvis() -> None:
    data = SyntheticDataModule(frames=9, test_clips=3, duration=1.0)
    chosen = choose_moments(data, "test", 5)
    ((dataset, found),) = velocity_of_standing_still(data, chosen).items()
    ((same, sources, moments),) = chosen
    assert dataset == same
    for stride in STRIDES:
        speeds = []
        for moment in moments:
            source = sources[moment.source]
            own = source.times[moment.centre] - np.array([stride * moment.stride / source.fps, 0.0])
            joints = source.at(own).joints3d
            assert joints is not None
            before, now = joints - joints[:, :1]
            speeds.append(1000 * np.linalg.norm(now - before, axis=-1).mean() / (own[1] - own[0]))
        if Rate("stride", stride) in found:
            assert found[Rate("stride", stride)] == pytest.approx(np.mean(speeds), rel=1e-4)
    assert set(STRIDES) - {rate.rate for rate in found} == {6.0, 8.0}  # nothing before the moment within 4 base frames
