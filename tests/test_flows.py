"""One contract for every flow: inverse, log-determinant, gradients, modes; FrEIA's block as oracle."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.flows import MSFlow, negative_log_likelihood
from models.fusion import FusionCoupling, FusionFlow, Permutation
from models.parallel import CouplingBlock, ParallelFlow, position_condition

CLAMP = 1.9
SIZES = [(4, 4), (2, 2), (1, 1)]


class Flat(nn.Module):
    """A flow as a map of vectors: what its Jacobian is taken of."""

    def __init__(self, flow: nn.Module, shapes: list[tuple[int, ...]], extra: tuple[Tensor, ...] = ()) -> None:
        super().__init__()
        self.flow, self.shapes, self.extra = flow, shapes, extra

    def _levels(self, vector: Tensor):
        parts = vector.split([torch.Size(shape).numel() for shape in self.shapes])
        levels = [part.reshape(1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return levels if self.levelled else levels[0]

    @property
    def levelled(self) -> bool:
        return not isinstance(self.flow, (CouplingBlock, ParallelFlow, Permutation))

    def _vector(self, x) -> Tensor:
        return torch.cat([level.flatten() for level in (x if self.levelled else [x])])

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        result = self.flow(self._levels(vector), *self.extra)
        z, log_det = result if isinstance(result, tuple) else (result, vector.new_zeros(1))
        return self._vector(z), log_det

    def inverse(self, vector: Tensor) -> Tensor:
        return self._vector(self.flow.inverse(self._levels(vector), *self.extra))


def flows() -> dict[str, Flat]:
    condition = torch.randn(1, 4, 3, 2, dtype=torch.float64)

    def shapes(features: list[int]) -> list[tuple[int, ...]]:
        return [(f, *size) for f, size in zip(features, SIZES, strict=True)]

    return {
        "coupling block": Flat(CouplingBlock(6, 4, CLAMP), [(6, 3, 2)], (condition,)),
        "coupling block, odd": Flat(CouplingBlock(5, 4, CLAMP), [(5, 3, 2)], (condition,)),
        "parallel flow": Flat(ParallelFlow(6, 4, 3, CLAMP), [(6, 3, 2)]),
        "permutation": Flat(Permutation(6), [(6, 3, 2)]),
        "fusion coupling": Flat(FusionCoupling([4, 6, 8], CLAMP), shapes([4, 6, 8])),
        "fusion coupling, odd": Flat(FusionCoupling([5, 9, 7], CLAMP), shapes([5, 9, 7])),
        "fusion flow": Flat(FusionFlow([4, 6, 8], CLAMP), shapes([4, 6, 8])),
        "msflow": Flat(MSFlow([4, 6, 8], [4, 4, 8], [1, 2, 1], CLAMP, "none"), shapes([4, 6, 8])),
    }


@pytest.fixture(params=list(flows()))
def flow(request) -> Flat:
    torch.manual_seed(0)
    flow = flows()[request.param].double()
    for parameter in flow.parameters():  # away from the start, where offsets are 0 and scales 1
        nn.init.normal_(parameter, std=0.3)
    return flow


def vector_for(flow: Flat) -> Tensor:
    return torch.randn(sum(torch.Size(shape).numel() for shape in flow.shapes), dtype=torch.float64)


def test_inverse_of_forward_is_the_input(flow: Flat) -> None:
    x = vector_for(flow)
    z, _ = flow(x)
    torch.testing.assert_close(flow.inverse(z), x, rtol=1e-9, atol=1e-9)


def test_log_det_is_that_of_autograds_jacobian(flow: Flat) -> None:
    x = vector_for(flow)
    jacobian = torch.autograd.functional.jacobian(lambda v: flow(v)[0], x)
    torch.testing.assert_close(flow(x)[1].squeeze(), torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-9, atol=1e-9)


def test_gradient_reaches_every_parameter(flow: Flat) -> None:
    parameters = dict(flow.named_parameters())
    if not parameters:
        pytest.skip("a permutation has nothing to train")
    for _ in range(20):  # a unit of a ReLU may be off for one input
        z, log_det = flow(vector_for(flow))
        (0.5 * z.square().sum() - log_det.sum()).backward()
    assert not [name for name, p in parameters.items() if p.grad is None or not p.grad.abs().sum() > 0]


def test_train_and_eval_mode_and_a_copy_give_the_same(flow: Flat) -> None:
    x = vector_for(flow)
    copied = copy.deepcopy(flow)
    for tensor in (*copied.parameters(), *copied.buffers()):
        tensor.data.zero_()
    copied.load_state_dict(flow.state_dict())
    expected = flow.train()(x)
    for other in (flow.eval(), copied):
        torch.testing.assert_close(other(x), expected, rtol=0, atol=0)


def test_every_sample_has_its_own_log_det() -> None:
    flow = MSFlow([4, 6, 8], [4, 4, 4], [1, 1, 1], CLAMP, "avg")
    pyramid = [torch.randn(3, f, 2 * s, 2 * s) for f, (s, _) in zip([4, 6, 8], [(8, 8), (4, 4), (2, 2)], strict=True)]
    _, together = flow(pyramid)
    alone = torch.cat([flow([level[i : i + 1] for level in pyramid])[1] for i in range(3)])
    assert together.shape == (3,)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-3)


class _LayerNormOverPlanes(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _of_one_input(in_planes: int, out_planes: int) -> nn.Sequential:
    """The subnet as the paper has it, of maps and condition as one input."""
    convs = nn.Conv2d(in_planes, in_planes, 3, padding=1), nn.Conv2d(in_planes, out_planes, 3, padding=1)
    return nn.Sequential(convs[0], _LayerNormOverPlanes(in_planes), nn.ReLU(), convs[1])


@pytest.mark.parametrize("num_features", [6, 7])
def test_coupling_block_agrees_with_freia(num_features: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FrEIA 0.2 imports what newer SciPy and Python deprecate
        from FrEIA.modules import AllInOneBlock

        oracle = AllInOneBlock(
            [(num_features, 3, 4)], dims_c=[(4, 3, 4)], subnet_constructor=_of_one_input, affine_clamping=CLAMP
        )
    torch.manual_seed(1)
    block = CouplingBlock(num_features, 4, CLAMP)
    torch.testing.assert_close(block.global_scale, oracle.global_scale)  # both start at g = 1
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    subnet = block.subnet
    for module, ours in zip(oracle.subnet, (subnet.conv1, subnet.ln, None, subnet.conv2), strict=True):
        module.load_state_dict({} if ours is None else ours.state_dict())
    oracle.global_scale.data = block.global_scale.data
    oracle.global_offset.data = block.global_offset.data
    block.perm = oracle.w_perm[:, :, 0, 0].argmax(dim=1)
    x, condition = torch.randn(2, num_features, 3, 4), torch.randn(2, 4, 3, 4)
    (expected,), expected_log_det = oracle((x,), c=[condition])
    z, log_det = block(x, condition)
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(log_det, expected_log_det)


def _step(flow: ParallelFlow, x: Tensor, block_by_block: bool, rows_alike: bool = False) -> tuple[list[Tensor], int]:
    """z, log-determinant and the gradients of a training step, and the operations of its convolutions."""
    flow.zero_grad()
    with FlopCounterMode(display=False) as counter:
        if block_by_block:
            z, log_det, condition = x, torch.zeros(len(x), dtype=x.dtype), flow.condition(x, None, None)
            for block in flow.module_list:
                z, block_log_det = block(z, condition)
                log_det = log_det + block_log_det
        else:
            z, log_det = flow(x, rows_alike=rows_alike)
        negative_log_likelihood([z], log_det).backward()
    return [z, log_det, *(parameter.grad for parameter in flow.parameters())], counter.get_total_flops()


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recompute"])
@pytest.mark.parametrize("height", [4, 5, 16])
def test_rows_alike_save_work_and_change_nothing(height: int, recompute: bool) -> None:
    torch.manual_seed(0)
    flow = ParallelFlow(6, 4, 2, CLAMP, recompute=recompute).double()
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 6, 1, 5, dtype=torch.float64).repeat(1, 1, height, 1)
    x[:, :, 0] *= 2 / 3
    found, flops = _step(flow, x, block_by_block=False, rows_alike=True)
    expected, most = _step(flow, x, block_by_block=True)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    if not recompute:
        assert (flops < most) == (height > 4)


@pytest.mark.parametrize("row", [1, 3, -1])
def test_one_row_that_differs_is_seen_unless_all_are_said_to_be_alike(row: int) -> None:
    torch.manual_seed(0)
    flow = ParallelFlow(6, 4, 1, CLAMP)
    x = torch.randn(1, 6, 1, 5).repeat(1, 1, 8, 1)
    x[:, :, row, 2] += 1
    found, flops = _step(flow, x, block_by_block=False)
    expected, most = _step(flow, x, block_by_block=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert flops == most


def test_position_condition_follows_its_formula() -> None:
    planes, height, width = 8, 3, 5
    condition = position_condition(planes, height, width)
    half = planes // 2
    for plane in range(half):
        w = 10000 ** (-2 * (plane // 2) / half)
        wave = torch.sin if plane % 2 == 0 else torch.cos
        for row in range(height):
            for column in range(width):
                assert condition[plane, row, column] == pytest.approx(float(wave(torch.tensor(column * w))), abs=1e-6)
                assert condition[half + plane, row, column] == pytest.approx(
                    float(wave(torch.tensor(row * w))), abs=1e-6
                )


def test_loss_is_the_gaussian_energy_minus_log_det() -> None:
    z = [torch.ones(2, 3, 2, 2), 2 * torch.ones(2, 1, 1, 1)]
    loss = negative_log_likelihood(z, torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx(0.5 * 12 + 0.5 * 4 - 2)


@pytest.mark.parametrize(("pool_type", "size"), [("avg", 2), ("max", 2), ("none", 4)])
def test_pooling_of_the_pyramid(pool_type: str, size: int) -> None:
    flow = MSFlow([4, 4, 4], [4, 4, 4], [1, 1, 1], CLAMP, pool_type)
    z, _ = flow([torch.randn(1, 4, 4, 4) for _ in range(3)])
    assert [level.shape[-1] for level in z] == [size] * 3


def test_amp_rounds_but_does_not_change_the_result() -> None:
    """z stays float32, and loss and gradients are those of float32 to bfloat16's precision."""
    torch.manual_seed(0)
    flow = MSFlow([8, 16, 32], [8, 8, 8], [2, 2, 2], CLAMP, "avg")
    for parameter in flow.parameters():
        nn.init.normal_(parameter, std=0.1)
    levels = [torch.randn(3, f, s, s) for f, s in ((8, 16), (16, 8), (32, 4))]
    results = []
    for amp in (False, True):
        flow.amp = amp
        flow.zero_grad()
        z, log_det = flow.transform(levels)
        loss = negative_log_likelihood(z, log_det)
        loss.backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in flow.parameters()])
        assert all(level.dtype == torch.float32 for level in z) and log_det.dtype == torch.float32
        results.append((loss.detach(), gradient))
    (exact, exact_gradient), (rounded, gradient) = results
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(rounded, exact, rtol=2e-3, atol=0)
    assert torch.cosine_similarity(gradient, exact_gradient, dim=0) > 0.99


@pytest.mark.parametrize("amp", [False, True], ids=["float32", "amp"])
def test_recomputing_saves_memory_and_changes_no_gradient(amp: bool) -> None:
    torch.manual_seed(0)
    flow = MSFlow([8, 16, 32], [8, 8, 8], [2, 5, 8], CLAMP, "avg", amp=amp)
    levels = [torch.randn(3, f, s, s) for f, s in ((8, 16), (16, 8), (32, 4))]
    gradients, kept = [], []
    for recompute in (False, True):
        for parallel in flow.parallel_flows:
            parallel.recompute = recompute
        flow.zero_grad()
        saved: dict[int, int] = {}

        def pack(tensor: torch.Tensor, saved: dict[int, int] = saved) -> torch.Tensor:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = negative_log_likelihood(*flow.transform(levels))
        kept.append(sum(saved.values()))
        loss.backward()
        gradients.append([parameter.grad for parameter in flow.parameters()])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)
    assert kept[1] < kept[0] / 2
