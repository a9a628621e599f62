"""Values that are a function of their place: normal, independent, the same for every division into shards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer import draws  # noqa: E402
from llama_data.train_handoff.trainer.config import ModelConfig  # noqa: E402
from llama_data.train_handoff.trainer.draws import bits, first_row, key_of, normal  # noqa: E402
from llama_data.train_handoff.trainer.model import Llama  # noqa: E402

CPU = torch.device("cpu")
MANY = 1 << 20


@pytest.fixture(scope="module")
def values() -> Any:
    return normal(key_of(3, 1), 0, MANY, CPU).double().numpy()


def test_bits_are_splitmix64s() -> None:
    # The first outputs of the generator's published code, from state 0 and from state 1234567.
    zero = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    other = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    index = torch.arange(1, 5)
    assert [int(x) & (1 << 64) - 1 for x in bits(0, index)] == zero
    assert [int(x) & (1 << 64) - 1 for x in bits(1234567, index)] == other


def test_values_are_normal_in_the_middle_and_in_the_tails(values: Any) -> None:
    assert abs(values.mean()) < 4 / math.sqrt(MANY)
    assert abs(values.std() - 1) < 4 / math.sqrt(2 * MANY)
    assert abs((values**4).mean() - 3) < 4 * math.sqrt(96 / MANY)
    below = torch.special.ndtr(torch.from_numpy(np.sort(values))).numpy()
    assert np.abs(below - np.arange(0.5, MANY) / MANY).max() < 1.95 / math.sqrt(MANY)  # Kolmogorov-Smirnov, 0.1 %
    for limit in (2.0, 3.0, 4.0):
        expected = math.erfc(limit / math.sqrt(2)) * MANY
        assert abs((np.abs(values) > limit).sum() - expected) < 4 * math.sqrt(expected)


def test_neighbours_and_keys_know_nothing_of_each_other(values: Any) -> None:
    allowed = 4 / math.sqrt(MANY)
    squares = (values**2 - 1) / math.sqrt(2)  # the two values of a pair share a radius: it must not show
    for distance in (1, 2, 3, 64, 4096):
        assert abs((values[distance:] * values[:-distance]).mean()) < allowed
        assert abs((squares[distance:] * squares[:-distance]).mean()) < allowed
    for other in (key_of(3, 2), key_of(4, 1), key_of(1, 3)):
        assert abs((values * normal(other, 0, MANY, CPU).double().numpy()).mean()) < allowed


def test_a_part_is_a_part_of_the_whole() -> None:
    whole = normal(9, 0, 100, CPU)
    for begin, count in ((0, 1), (1, 1), (1, 2), (7, 50), (99, 1), (50, 50), (13, 0)):
        assert torch.equal(normal(9, begin, count, CPU), whole[begin : begin + count])
    far = normal(9, 10**12 + 1, 4, CPU)
    assert torch.equal(normal(9, 10**12 + 3, 2, CPU), far[2:])


def test_the_parameters_do_not_depend_on_how_they_are_sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(
        dim=32, n_heads=4, n_layers=2, vocab_size=64, seq_len=8, multiple_of=32, init_std=0.5, embedding_norm=True
    )
    models = []
    for size in (1 << 16, 37):
        monkeypatch.setattr(draws, "SLICE", size)
        models.append(Llama(config))
        models[-1].init_weights(1)
    for (name, one), two in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        assert torch.equal(one, two)
        if one.dim() == 1:
            assert (one == (0 if name.endswith("bias") else 1)).all()
        else:
            std = 0.5 / 2 if name.endswith(("wo.weight", "w2.weight")) else 0.5
            assert float(one.detach().std()) == pytest.approx(std, rel=5 / math.sqrt(2 * one.numel()))


@pytest.mark.parametrize(("rows", "processes"), [(10, 4), (3, 4), (8, 4), (1, 2)])
def test_shards_are_where_torch_puts_them(rows: int, processes: int) -> None:
    from torch.distributed.tensor import Shard

    class Mesh:
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def size(self, dim: int) -> int:
            return processes

        def get_local_rank(self, dim: int) -> int:
            return self.rank

    whole = torch.arange(rows)
    for rank in range(processes):
        parameter: Any = type("Parameter", (), {})()
        parameter.shape, parameter.placements, parameter.device_mesh = whole.shape, (Shard(0),), Mesh(rank)
        pieces = whole.chunk(processes)
        first = first_row(parameter)
        expected = pieces[rank] if rank < len(pieces) else whole[:0]
        assert first == (int(expected[0]) if len(expected) else rows)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_draws_what_the_cpu_does() -> None:
    ours, theirs = normal(5, 3, MANY, CPU), normal(5, 3, MANY, torch.device("cuda")).cpu()
    torch.testing.assert_close(ours, theirs, rtol=2e-7, atol=1e-9)
    assert int((ours != theirs).sum()) <= 8
