"""The encoder as a graph that onnxruntime runs, made of its weights once.

BERT (https://arxiv.org/abs/1810.04805), the mean over what is no padding, and length one. Run as
a process of its own: what it takes to make the graph is given back with it.
"""

import sys
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from ctiscraper.embed.weights import Floats, Shape, read_shape, read_weights

# What the machine's onnxruntime must know: operators of 2021, which all since 1.12 do.
_OPERATORS = 17
_IR = 8
_SQRT_2 = 2**0.5


class _Graph:
    """A graph that grows node by node; each call returns the name of what its node gives."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:  # noqa: ANN401 - whatever numpy makes an array of
        name = f"c{len(self.constants)}"
        array = np.asarray(value, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx takes
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.float32(value))

    def whole(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))


class _Encoder:
    """The parts of the encoder, each of its weights."""

    def __init__(self, weights: dict[str, Floats], shape: Shape) -> None:
        self.graph = _Graph()
        self.weights, self.shape = weights, shape

    def dense(self, value: str, *names: str) -> str:
        """A product with one matrix, or with several side by side, and what is added."""
        matrix = np.concatenate([self.weights[f"{name}.weight"].T for name in names], axis=1)
        added = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        made = self.graph.node("MatMul", value, self.graph.constant(matrix))
        return self.graph.node("Add", made, self.graph.constant(added))

    def normal(self, value: str, name: str) -> str:
        scale, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        given = (value, self.graph.constant(scale), self.graph.constant(bias))
        return self.graph.node(
            "LayerNormalization", *given, axis=-1, epsilon=float(self.shape.epsilon)
        )

    def words(self) -> str:
        """What the words and their places are before the first layer."""
        graph, weights = self.graph, self.weights
        table = graph.constant(weights["embeddings.word_embeddings.weight"])
        words = graph.node("Gather", table, "ids")
        # All words are of the first kind: what it adds is added to the places once.
        places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        count = graph.node("Slice", graph.node("Shape", "ids"), graph.whole(1), graph.whole(2))
        first = graph.node("Slice", graph.constant(places), graph.whole(0), count)
        return self.normal(graph.node("Add", words, first), "embeddings.LayerNorm")

    def attention(self, value: str, layer: str, away: str) -> str:
        """What each word takes of the others."""
        graph, shape = self.graph, self.shape
        own = f"{layer}.attention.self"
        width = shape.hidden // shape.heads
        made = self.dense(value, *(f"{own}.{part}" for part in ("query", "key", "value")))
        parted = graph.node("Reshape", made, graph.whole(0, 0, 3, shape.heads, width))
        turned = graph.node("Transpose", parted, perm=[2, 0, 3, 1, 4])
        query, key, kept = (
            graph.node("Gather", turned, graph.constant(np.int64(part)), axis=0)
            for part in range(3)
        )
        across = graph.node("Transpose", key, perm=[0, 1, 3, 2])
        near = graph.node("MatMul", query, across)
        near = graph.node("Mul", near, graph.number(width**-0.5))
        near = graph.node("Softmax", graph.node("Add", near, away), axis=-1)
        taken = graph.node("Transpose", graph.node("MatMul", near, kept), perm=[0, 2, 1, 3])
        taken = graph.node("Reshape", taken, graph.whole(0, 0, shape.hidden))
        taken = self.dense(taken, f"{layer}.attention.output.dense")
        return self.normal(graph.node("Add", taken, value), f"{layer}.attention.output.LayerNorm")

    def thought(self, value: str, layer: str) -> str:
        """What a layer makes of each word by itself."""
        graph = self.graph
        wide = self.dense(value, f"{layer}.intermediate.dense")
        bent = graph.node("Erf", graph.node("Div", wide, graph.number(_SQRT_2)))
        bent = graph.node("Mul", wide, graph.node("Add", bent, graph.number(1)))
        bent = graph.node("Mul", bent, graph.number(0.5))
        narrow = self.dense(bent, f"{layer}.output.dense")
        return self.normal(graph.node("Add", narrow, value), f"{layer}.output.LayerNorm")

    def vector(self, value: str, there: str) -> str:
        """The mean of the words that are there, with length one."""
        graph = self.graph
        weight = graph.node("Unsqueeze", there, graph.whole(2))
        total = graph.node(
            "ReduceSum", graph.node("Mul", value, weight), graph.whole(1), keepdims=0
        )
        mean = graph.node("Div", total, graph.node("ReduceSum", weight, graph.whole(1), keepdims=0))
        return graph.node("LpNormalization", mean, axis=-1, p=2)

    def model(self) -> Any:  # noqa: ANN401 - onnx has no types
        """The whole of it."""
        graph = self.graph
        there = graph.node("Cast", "mask", to=TensorProto.FLOAT)
        away = graph.node("Sub", graph.number(1), there)
        away = graph.node("Mul", away, graph.number(-1e9))
        away = graph.node("Unsqueeze", away, graph.whole(1, 2))
        value = self.words()
        for number in range(self.shape.layers):
            layer = f"encoder.layer.{number}"
            value = self.thought(self.attention(value, layer, away), layer)
        last = self.vector(value, there)
        whole = helper.make_graph(
            graph.nodes,
            "encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
                for name in ("ids", "mask")
            ],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["texts", self.shape.hidden])],
            graph.constants,
        )
        imports = [helper.make_opsetid("", _OPERATORS)]
        made = helper.make_model(whole, opset_imports=imports)
        made.ir_version = _IR
        return made


def build(folder: Path, file: Path, *, whole: bool = False) -> None:
    """Write the graph of the model in a folder: of 8-bit matrices, or with `whole` as they are."""
    model = _Encoder(read_weights(folder / "model.safetensors"), read_shape(folder)).model()
    onnx.checker.check_model(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=file.parent) as place, NamedTemporaryFile(dir=place) as made:
        first = Path(place) / "whole.onnx"
        onnx.save(model, first)
        if not whole:
            quantize_dynamic(
                first,
                made.name,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul"],
                extra_options={"DefaultTensorType": TensorProto.FLOAT},
            )
            Path(made.name).replace(first)
            # What the context removes in the end is there again.
            Path(made.name).touch()
        first.replace(file)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
