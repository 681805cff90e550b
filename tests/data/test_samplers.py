"""Windows over processes and epochs: none lost, none twice."""

from hypothesis import given
from hypothesis import strategies as st

from hummuss.data.samplers import EpochSampler, EvaluationSampler

counts = st.integers(1, 5)


@given(st.integers(1, 40), counts, counts, st.integers(0, 3))
def test_processes_share_an_epoch_in_whole_batches(windows: int, batch_size: int, processes: int, first: int) -> None:
    windows = max(windows, batch_size * processes)
    samplers = [EpochSampler(windows, batch_size, rank, processes) for rank in range(processes)]
    seen = []
    for epoch in range(first, first + 2):
        for sampler in samplers:
            sampler.set_epoch(epoch)
            own = list(sampler)
            assert len(own) == len(sampler)
            batches = [own[i : i + batch_size] for i in range(0, len(own), batch_size)]
            # A window's rhythm is that of its number divided by the batch size.
            assert all(len({window // batch_size for window in batch}) == 1 for batch in batches)
            seen += own
    size = windows // (batch_size * processes) * batch_size * processes
    assert sorted(seen) == list(range(first * size, (first + 2) * size))


def test_a_process_takes_the_batches_that_one_process_would_accumulate() -> None:
    one = list(EpochSampler(8, 2))
    other = [list(EpochSampler(8, 2, rank, 2)) for rank in range(2)]
    assert other[0][:2] + other[1][:2] == one[:4]
    assert other[0][2:] + other[1][2:] == one[4:]


@given(st.integers(1, 40), counts)
def test_every_evaluation_window_is_taken_once(windows: int, processes: int) -> None:
    samplers = [EvaluationSampler(windows, rank, processes) for rank in range(processes)]
    assert sorted(window for sampler in samplers for window in sampler) == list(range(windows))
    assert sum(map(len, samplers)) == windows
    assert list(samplers[0]) == list(range(0, windows, processes))


def test_a_resumed_epoch_goes_on_and_the_next_is_whole() -> None:
    whole, resumed = EpochSampler(8, 2), EpochSampler(8, 2, epoch=3, batches=1)
    for epoch in (3, 4):
        whole.set_epoch(epoch)
        expected = list(whole)[2 if epoch == 3 else 0 :]
        resumed.set_epoch(epoch)
        for _ in range(2):
            assert list(resumed) == expected
    assert len(resumed) == 8, "Lightning counts the batches of the whole epoch"
