# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch itself, instrumented."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import subprocess
import sys
import threading
import weakref
from collections import UserDict
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from opentelemetry import trace
from otelkit_instrumentation.inference.torch import TorchInstrumentor
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import otelkit
from otelkit import semconv
from otelkit.testing import Telemetry, strict_guard, telemetry  # noqa: F401 - fixtures

pytestmark = [pytest.mark.engines, pytest.mark.usefixtures("strict_guard")]


JIT = pytest.mark.filterwarnings("ignore:`torch.jit.*:FutureWarning", "ignore:`torch.jit.*:DeprecationWarning")
"""TorchScript is on its way out, and in use."""


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    """Instrument PyTorch for the test, and put everything back after it."""
    original = nn.Module.__call__
    instrumentor = TorchInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()
    assert nn.Module.__call__ is original


def model(name: str, *inside: nn.Module) -> nn.Module:
    """Return a model of a class of its own, in inference mode."""
    return type(name, (nn.Sequential,), {"__module__": __name__})(*(inside or (nn.Linear(4, 2),))).eval()


def requests(telemetry: Telemetry, name: str, **labels: str) -> float:  # noqa: F811
    """Return how many steps of a model were started."""
    return telemetry.value("inference.requests", labelled(name, **labels))


def labelled(name: str, **labels: str) -> dict[str, str]:
    """Return the labels of a model's series; keywords without the prefix."""
    return {"inference.model": name} | {f"inference.{key}": value for key, value in labels.items()}


# -- modules ------------------------------------------------------------------


def test_top_level_call_is_one_step(telemetry: Telemetry) -> None:  # noqa: F811
    """A call is counted and timed once, whatever is inside, with its rows as batch size; the first one is warm-up."""
    net = model("Deep", nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 2))
    with torch.inference_mode():
        for _ in range(5):
            assert net(torch.zeros(3, 4)).shape == (3, 2)
    assert requests(telemetry, "Deep", engine="torch", operation="forward", warmup="true") == 1
    assert requests(telemetry, "Deep", engine="torch", operation="forward", warmup="false") == 4
    assert telemetry.value("inference.duration", labelled("Deep")) == 5
    assert telemetry.value("inference.active_requests", labelled("Deep")) == 0
    assert telemetry.value("inference.items", labelled("Deep", warmup="false")) == 12
    models = {point.attributes["inference.model"] for point in telemetry.points("inference.requests")}
    assert models == {"Deep"}, "modules inside were recorded"


def test_training_is_told_from_inference(telemetry: Telemetry) -> None:  # noqa: F811
    """Training mode with gradients is `train`; without gradients, or in evaluation mode, it is `forward`."""
    net = model("Learning")
    net(torch.zeros(1, 4))
    net.train()(torch.zeros(1, 4))
    with torch.no_grad():
        net(torch.zeros(1, 4))
    assert requests(telemetry, "Learning", operation="train") == 1
    assert requests(telemetry, "Learning", operation="forward") == 2


class Named(nn.Linear):
    otelkit_model_name = "ranker"


def test_class_may_name_its_model(telemetry: Telemetry) -> None:  # noqa: F811
    """A class attribute gives the model its name."""
    Named(4, 2).eval()(torch.zeros(1, 4))
    assert requests(telemetry, "ranker") == 1


class Anything(nn.Module):
    def forward(self, *args: Any, **kwargs: Any) -> int:
        return len(args) + len(kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "size"),
    [
        ((torch.zeros(7, 4),), {}, 7),
        ((), {"x": torch.zeros(6, 4)}, 6),
        (({"ids": torch.zeros(5, 9), "mask": torch.zeros(5, 9)},), {}, 5),
        ((UserDict(ids=torch.zeros(4, 9)),), {}, 4),
        (([torch.zeros(3, 8, 8), torch.zeros(3, 9, 9)],), {}, 2),
        (((torch.zeros(9, 2), torch.zeros(1)),), {}, 9),
        ((nn.Parameter(torch.zeros(8, 2)),), {}, 8),
        ((None, torch.zeros(3, 2)), {}, 3),
        (("text", 5), {}, None),
        ((torch.tensor(1.0),), {}, None),
        ((torch.zeros(0, 4),), {}, 0),
        ((), {}, None),
    ],
)
def test_batch_size(telemetry: Telemetry, args: tuple, kwargs: dict, size: int | None) -> None:  # noqa: F811
    """The leading dimension of the first tensor is the batch size, wherever it is; of a list of tensors, its length."""
    net = Anything()
    net.eval()
    assert net(*args, **kwargs) == len(args) + len(kwargs)
    sizes = telemetry.points("inference.batch_size", labelled("Anything"))
    assert [point.sum for point in sizes] == ([] if size is None else [size])
    assert requests(telemetry, "Anything") == 1


class Failing(nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: torch.Tensor) -> None:
        raise self.error


def test_errors_pass_untouched(telemetry: Telemetry) -> None:  # noqa: F811
    """The program gets its own exception, which is counted by type, once."""
    error = KeyError("weights")
    net = Failing(error).eval()
    with pytest.raises(KeyError) as caught:
        nn.Sequential(net).eval()(torch.zeros(1))
    assert caught.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    (found,) = telemetry.points("inference.errors")
    assert (found.attributes["inference.model"], found.attributes["error.type"]) == ("Sequential", "KeyError")
    assert found.value == 1


def test_module_without_init_fails_as_ever() -> None:
    """A class that forgot super().__init__() gets PyTorch's own error."""

    class Forgetful(nn.Module):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match="has no attribute"):
        Forgetful()(torch.zeros(1))


def test_inside_a_step_by_hand(telemetry: Telemetry) -> None:  # noqa: F811
    """A module that is called inside of `otelkit.inference` belongs to that step."""
    net = model("Inner")
    with otelkit.inference("pipeline", batch_size=2):
        net(torch.zeros(2, 4))
    assert requests(telemetry, "pipeline") == 1
    assert requests(telemetry, "Inner") == 0


def test_many_threads(telemetry: Telemetry) -> None:  # noqa: F811
    """Calls from several threads are all counted, each as top level."""
    net = model("Threaded")

    def work() -> None:
        with torch.inference_mode():
            for _ in range(500):
                net(torch.zeros(2, 4))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert requests(telemetry, "Threaded") == 2_000
    assert telemetry.value("inference.items", labelled("Threaded")) == 4_000
    assert telemetry.value("inference.active_requests", labelled("Threaded")) == 0


@JIT
def test_script_modules(telemetry: Telemetry) -> None:  # noqa: F811
    """Scripted modules, which refuse hooks, are recorded under the name of what was scripted."""
    scripted = torch.jit.script(model("Scripted", nn.Linear(4, 2)))
    for _ in range(3):
        scripted(torch.zeros(2, 4))
    assert requests(telemetry, "Scripted") == 3
    assert telemetry.value("inference.items", labelled("Scripted")) == 6


@JIT
def test_making_graphs_is_no_inference(telemetry: Telemetry) -> None:  # noqa: F811
    """Tracing and exporting record nothing, and give the graphs that they give without otelkit."""
    net = model("Graph", nn.Linear(4, 2), nn.ReLU())

    def graphs() -> list[str]:
        traced = torch.jit.trace(net, torch.zeros(3, 4), check_trace=False)  # a check would run it, too
        exported = [torch.export.export(net, (torch.zeros(3, 4),), strict=strict) for strict in (False, True)]
        symbolic = torch.fx.symbolic_trace(net)
        nodes = [node.kind() for node in traced.inlined_graph.nodes()]
        return [*nodes, *(str(each.graph) for each in exported), str(symbolic.graph)]

    instrumented = graphs()
    assert telemetry.value("inference.requests") == 0
    TorchInstrumentor().uninstrument()
    plain = graphs()
    TorchInstrumentor().instrument(skip_dep_check=True)
    assert instrumented == plain


def test_module_that_is_exported_in_python(telemetry: Telemetry) -> None:  # noqa: F811
    """Where an exporter calls modules from Python, with tensors that only pretend, nothing is recorded."""
    from torch._export.utils import _compiling_state_context
    from torch._subclasses.fake_tensor import FakeTensorMode

    net = model("Exported")
    with FakeTensorMode(allow_non_fake_inputs=True), _compiling_state_context():
        assert net(torch.zeros(2, 4)).shape == (2, 2)
    assert telemetry.value("inference.requests") == 0


def test_checkpoints_recompute_unseen(telemetry: Telemetry) -> None:  # noqa: F811
    """What a checkpoint runs again in the backward pass is not counted again."""
    from torch.utils.checkpoint import checkpoint

    inner = nn.Linear(4, 4)

    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return checkpoint(self.inner, x, use_reentrant=False)

    Saving()(torch.ones(2, 4)).sum().backward()
    assert inner.weight.grad is not None
    assert requests(telemetry, "Saving", operation="train") == 1
    assert telemetry.value("inference.requests") == 1


def test_autocast_and_inference_mode() -> None:
    """Autocast and inference mode reach the module as ever."""
    net = model("Cast")
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(torch.zeros(2, 4))
    assert out.dtype is torch.bfloat16
    assert out.is_inference()
    assert net(torch.zeros(2, 4)).requires_grad


def test_spans_only_inside_of_a_trace(telemetry: Telemetry) -> None:  # noqa: F811
    """A call inside of a span gets a child span; one outside gets none, and no root span either."""
    net = model("Traced")
    net(torch.zeros(2, 4))
    assert telemetry.spans == ()
    with trace.get_tracer("test").start_as_current_span("request") as request:
        net(torch.zeros(2, 4))
    child, parent = telemetry.spans
    assert (child.name, parent.name) == ("forward Traced", "request")
    assert child.parent.span_id == request.get_span_context().span_id
    assert child.attributes[semconv.INFERENCE_BATCH_SIZE_ATTRIBUTE] == 2
    assert requests(telemetry, "Traced") == 2
    assert requests(telemetry, "Traced", warmup="true") == 1


def test_classes_made_at_run_time_are_let_go() -> None:
    """A class that only one model had is not kept alive, nor is its recorder's place given to another class."""
    kinds = []
    for number in range(20):
        net = model(f"Temporary{number}")
        net(torch.zeros(1, 4))
        kinds.append(weakref.ref(type(net)))
    del net
    gc.collect()
    assert [kind() for kind in kinds] == [None] * 20


# -- torch.compile --------------------------------------------------------------


@pytest.fixture
def _fresh_dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("_fresh_dynamo")
def test_compiled_models(telemetry: Telemetry) -> None:  # noqa: F811
    """Compiled models are one graph each, never compiled twice, and recorded under the names of what they are."""
    from torch._dynamo.testing import CompileCounter

    for number in range(12):  # more than the versions of one code object that dynamo allows
        namespace: dict[str, Any] = {"nn": nn}
        exec(f"class Net{number}(nn.Sequential):\n def forward(self, x): return super().forward(x) + 1", namespace)
        net = namespace[f"Net{number}"](nn.Linear(4, 4), nn.Linear(4, number + 1)).eval()
        graphs = CompileCounter()
        compiled = torch.compile(net, backend=graphs, fullgraph=True)
        for _ in range(3):
            compiled(torch.zeros(2, 4))
        assert graphs.frame_count == 1
        assert requests(telemetry, f"Net{number}", operation="forward") == 3
    assert telemetry.value("inference.requests") == 36


@pytest.mark.usefixtures("_fresh_dynamo")
def test_compiled_in_place_and_inside(telemetry: Telemetry) -> None:  # noqa: F811
    """`module.compile()` is recorded; a module inside a compiled function is part of that function's one graph."""
    from torch._dynamo.testing import CompileCounter

    graphs = CompileCounter()
    net = model("InPlace")
    net.compile(backend=graphs, fullgraph=True)
    for _ in range(3):
        net(torch.zeros(2, 4))
    assert graphs.frame_count == 1
    assert requests(telemetry, "InPlace") == 3

    inner = model("InFunction")
    graphs.clear()
    function = torch.compile(lambda x: inner(x) * 2, backend=graphs, fullgraph=True)
    for _ in range(3):
        function(torch.zeros(2, 4))
    assert graphs.frame_count == 1
    assert requests(telemetry, "InFunction") == 0


@pytest.mark.usefixtures("_fresh_dynamo")
def test_bound_call_compiled(telemetry: Telemetry) -> None:  # noqa: F811
    """`torch.compile(model.__call__)`, as transformers has it, is one graph; the compiled code is the program's own."""
    from torch._dynamo.testing import CompileCounter

    for name in ("One", "Another"):
        graphs = CompileCounter()
        namespace: dict[str, Any] = {"nn": nn}
        exec(f"class {name}(nn.Linear):\n def forward(self, x): return super().forward(x) + 1", namespace)
        compiled = torch.compile(namespace[name](4, 4).eval().__call__, backend=graphs, fullgraph=True)
        for _ in range(3):
            compiled(torch.zeros(2, 4))
        assert graphs.frame_count == 1
    assert telemetry.value("inference.requests") == 0


def test_broken_graphs_have_no_part_of_otelkit() -> None:
    """Where a compiled function breaks and goes on uncompiled, dynamo gets the program's frames only."""
    from torch._dynamo.testing import CompileCounter

    def graphs() -> int:
        torch._dynamo.reset()
        counter = CompileCounter()
        net = model("Broken", nn.Linear(4, 4))

        def function(x: torch.Tensor) -> torch.Tensor:
            torch._dynamo.graph_break()
            y = net(x + 1)
            torch._dynamo.graph_break()
            return net(y) * 2

        compiled = torch.compile(function, backend=counter)
        with torch.inference_mode():
            compiled(torch.zeros(2, 4))
            compiled(torch.zeros(2, 4))
        return counter.frame_count

    instrumented = graphs()
    TorchInstrumentor().uninstrument()
    plain = graphs()
    TorchInstrumentor().instrument(skip_dep_check=True)
    assert instrumented == plain


def test_compiled_by_inductor(telemetry: Telemetry) -> None:  # noqa: F811
    """The real compiler, which calls gcc, gives what the model gives."""
    net = model("Inducted", nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x = torch.randn(5, 4)
    with torch.inference_mode():
        expected = net(x)
        compiled = torch.compile(net)
        torch.testing.assert_close(compiled(x), expected)
        torch.testing.assert_close(compiled(x), expected)
    assert requests(telemetry, "Inducted") == 3


def test_compiled_when_dynamo_was_there_first(tmp_path: Any) -> None:
    """Compiling is left alone, too, where torch._dynamo was imported before PyTorch was instrumented."""
    program = tmp_path / "program.py"
    program.write_text(
        "import torch, torch._dynamo\n"
        "from torch._dynamo.testing import CompileCounter\n"
        "from otelkit_instrumentation.inference.torch import TorchInstrumentor\n"
        "TorchInstrumentor().instrument()\n"
        "torch._dynamo.config.error_on_recompile = True\n"
        "for kind in (torch.nn.Linear, torch.nn.Bilinear, torch.nn.GRUCell):\n"
        "    class Net(torch.nn.Module):\n"
        "        def __init__(self):\n"
        "            super().__init__()\n"
        "            self.inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())\n"
        "        exec(f'def forward(self, x): return self.inner(x)  # {kind}')\n"
        "    net, graphs = Net().eval(), CompileCounter()\n"
        "    compiled = torch.compile(net, backend=graphs, fullgraph=True)\n"
        "    compiled(torch.zeros(2, 4)), compiled(torch.zeros(2, 4))\n"
        "    assert graphs.frame_count == 1\n"
    )
    subprocess.run([sys.executable, str(program)], check=True, timeout=100)


# -- what must stay as it is ------------------------------------------------------


def test_models_are_saved_and_copied_as_ever() -> None:
    """Pickles, copies and checkpoints are byte for byte those of a model that nobody observes."""
    net = nn.Sequential(nn.Linear(4, 2), nn.ReLU()).eval()
    before = pickle.dumps(net), set(vars(net))
    net(torch.zeros(1, 4))
    assert (pickle.dumps(net), set(vars(net))) == before
    copied = copy.deepcopy(net)
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    x = torch.randn(2, 4)
    assert torch.equal(copied(x), net(x))
    assert torch.equal(loaded(x), net(x))


def test_uninstrument_leaves_what_others_have_wrapped() -> None:
    """A wrapper that somebody else put around ours goes on to work, and the modules with it."""
    ours = nn.Module.__call__

    def theirs(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return ours(self, *args, **kwargs)

    nn.Module.__call__ = theirs
    TorchInstrumentor().uninstrument()
    try:
        assert nn.Module.__call__ is theirs
        assert nn.Linear(4, 2)(torch.zeros(1, 4)).shape == (1, 2)
    finally:
        nn.Module.__call__ = ours.__otelkit_unpatched__
        TorchInstrumentor().instrument(skip_dep_check=True)


def test_nothing_is_imported_for_its_own_sake() -> None:
    """Instrumenting imports no PyTorch; what the program imports later is instrumented, its own import unchanged."""
    program = (
        "import sys\n"
        "from otelkit_instrumentation.inference.torch import TorchInstrumentor\n"
        "TorchInstrumentor().instrument()\n"
        "assert 'torch' not in sys.modules\n"
        "import torch\n"
        "assert hasattr(torch.nn.Module.__call__, '__otelkit_unpatched__')\n"
        "assert 'torch._dynamo' not in sys.modules, 'costs a second'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# -- DataLoader -------------------------------------------------------------------


class Squares(Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> torch.Tensor:
        if index > 9:
            raise IndexError(index)
        return torch.tensor(float(index**2))


@pytest.mark.parametrize(
    "options", [{}, {"num_workers": 2, "multiprocessing_context": "fork"}, {"num_workers": 1, "timeout": 60}]
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_waits_for_batches(telemetry: Telemetry, options: dict[str, Any]) -> None:  # noqa: F811
    """Each batch that a loop gets is one wait, with and without workers; the batches are what they are."""
    batches = [batch.tolist() for batch in DataLoader(Squares(), batch_size=4, **options)]
    assert batches == [[0, 1, 4, 9], [16, 25, 36, 49], [64, 81]]
    waits = telemetry.value("inference.wait_time", labelled("Squares", engine="torch", operation="load"))
    assert waits == 3


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_spawned_workers() -> None:
    """Workers that are spawned, and so import everything anew, get the loader as it is."""
    loader = DataLoader(Squares(), batch_size=5, num_workers=1, multiprocessing_context="spawn")
    assert sum(batch.sum().item() for batch in loader) == 285


class Broken(Dataset):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> torch.Tensor:
        raise ValueError("bad row")


def test_loader_errors_pass(telemetry: Telemetry) -> None:  # noqa: F811
    """An error of the dataset's is the program's, and no batch."""
    with pytest.raises(ValueError, match="bad row"):
        next(iter(DataLoader(Broken())))
    assert telemetry.value("inference.wait_time", labelled("Broken")) == 0


def test_training_loop(telemetry: Telemetry) -> None:  # noqa: F811
    """A training loop as everybody writes it: steps, items, waits."""
    net = model("Trainee").train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    data = TensorDataset(torch.randn(20, 4), torch.randn(20, 2))
    for features, target in DataLoader(data, batch_size=5):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(features), target).backward()
        optimizer.step()
    assert requests(telemetry, "Trainee", operation="train") == 4
    assert telemetry.value("inference.items", labelled("Trainee")) == 20
    assert telemetry.value("inference.wait_time", labelled("TensorDataset")) == 4
