"""Rewrites an exported network so that it computes in int8, near to what it answered before. Knows no bundle.

Embeddings have a scale a row, weights of products a scale an output, and their inputs a scale a token, found while
the network runs: a row's answer does not depend on the rows beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from stance.encoders import BY_OUTPUT
from stance.packaging.rounding import Seen, Values, round_weights, shared_spread

SMALL_TABLE = 100_000
"""Embedding tables with fewer values stay in float32."""
GELU_LOWEST = 0.17
"""GELU has no value below minus this."""
CONTRIB = "com.microsoft"
"""Domain of ONNX Runtime's own operators."""


def quantize_int8(source: Path, target: Path, seen: Mapping[str, Seen]) -> None:
    """Write the ONNX file `source` in int8.

    Products of layers that were not seen, and of layers that are used more than once, stay in float32.
    """
    model = onnx.load(source)
    _Graph(model.graph, seen).rewrite()
    model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    onnx.save(model, target)


class _Graph:
    """An ONNX graph while it is rewritten."""

    def __init__(self, graph: onnx.GraphProto, seen: Mapping[str, Seen]) -> None:
        self.graph, self.seen = graph, seen
        self.tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.made_by = {name: node.op_type for node in graph.node for name in node.output}
        self.layers = self._layers()
        self.readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            if self._is_product(node):
                self.readers[node.input[0]].append(node)
        self.nodes: list[NodeProto] = []
        self.new: dict[str, npt.NDArray[Any]] = {}
        self.spread: dict[str, Values] = {}

    def rewrite(self) -> None:
        """Replace tables and products, and forget their float32 values."""
        for node in self.graph.node:
            if node.op_type == "Gather" and self._is_table(node.input[0]):
                self._table(node)
            elif self._is_product(node):
                self._product(node)
            else:
                self.nodes.append(node)
        read = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.graph.initializer if tensor.name in read]
        kept += [numpy_helper.from_array(values, name) for name, values in self.new.items()]
        for field, values in (("node", self.nodes), ("initializer", kept)):
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(values)

    def _layers(self) -> dict[str, str]:
        """Name of the layer by the output of its product; the weights tell it, since the exporter forgets the name."""
        names = {each.weights.tobytes(): name for name, each in self.seen.items()}
        products = [n for n in self.graph.node if n.op_type == "MatMul" and n.input[1] in self.tensors]
        found = {node.output[0]: names.get(self.tensors[node.input[1]].tobytes()) for node in products}
        uses = Counter(found.values())
        return {output: name for output, name in found.items() if name is not None and uses[name] == 1}

    def _is_product(self, node: NodeProto) -> bool:
        return node.output[0] in self.layers

    def _is_table(self, name: str) -> bool:
        return name in self.tensors and self.tensors[name].ndim == 2 and self.tensors[name].size >= SMALL_TABLE

    def _add(self, kind: str, given: Sequence[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, given, [output], **attributes))
        return output

    def _constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        self.new[name] = np.asarray(values, dtype)
        return name

    def _table(self, node: NodeProto) -> None:
        """Gather(table, i) becomes Gather(int8 table, i) times Gather(scales, i)."""
        (name, index), out = node.input, node.output[0]
        table = self.tensors[name]
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / 127
        self._constant(f"{name}_int8", np.round(table / scale), np.int8)
        self._constant(f"{name}_scale", scale)
        self._add("Gather", [f"{name}_int8", index], f"{out}_int8")
        self._add("Cast", [f"{out}_int8"], f"{out}_float", to=onnx.TensorProto.FLOAT)
        self._add("Gather", [f"{name}_scale", index], f"{out}_scale")
        self._add("Mul", [f"{out}_float", f"{out}_scale"], out)

    def _product(self, node: NodeProto) -> None:
        """MatMul(x, weights) becomes a product of integers, scaled back by output and by token."""
        given, out = node.input[0], node.output[0]
        shifted = self.made_by.get(given) == "Gelu"
        if node is self.readers[given][0]:
            self._input(given, shifted)
        weight = self._weights(node)
        scale, one = f"{weight}_scale", self._constant("one", 1.0)
        zero = self._constant("zero_int8" if shifted else "middle_int8", 0 if shifted else 128, np.uint8)
        factors = [f"{given}_int8", f"{weight}{BY_OUTPUT}", one, scale, zero]
        by_output = self._add("MatMulIntegerToFloat", factors, f"{out}_by_output", domain=CONTRIB)
        back = self._add("Mul", [by_output, f"{given}_scale"], f"{out}_by_token" if shifted else out)
        if shifted:  # x was moved up, so the product of what it was moved by comes off
            by_column = (self.new[f"{weight}{BY_OUTPUT}"].astype(np.float32) * self.new[scale]).sum(axis=0)
            moved = self._add("Mul", [f"{given}_shift", self._constant(f"{weight}_shift", by_column)], f"{out}_moved")
            self._add("Sub", [back, moved], out)

    def _weights(self, node: NodeProto) -> str:
        """Round the weights of a product; return their name."""
        given, layer = node.input[0], self.layers[node.output[0]]
        weight, values, products = f"{layer}.weight", self.tensors[node.input[1]], self.seen[layer].products
        if (factors := self.spread.get(given)) is not None:
            values, products = values * factors[:, None], products / np.outer(factors, factors)
            self._constant(f"{weight}_spread", factors)
        rounded, scale = round_weights(values, products)
        self._constant(f"{weight}{BY_OUTPUT}", rounded, np.int8)
        self._constant(f"{weight}_scale", scale)
        return weight

    def _input(self, given: str, shifted: bool) -> None:
        """Round an input to 0..255 with a scale a token: around 128, or from GELU's lowest value up."""
        scaled = self._evened(given) if self.made_by.get(given) == "LayerNormalization" else given
        scale, zero = self._from_lowest(given) if shifted else self._around_middle(given, scaled)
        width = len(self.tensors[self.readers[given][0].input[1]])
        self._add("QuantizeLinear", [scaled, scale, zero], f"{given}_int8", axis=-1, block_size=width)

    def _around_middle(self, given: str, scaled: str) -> tuple[str, str]:
        """Name the scale and the zero point, 128, of each token of an input of both signs."""
        largest = self._largest(given, self._add("Abs", [scaled], f"{given}_size"))
        least = self._add("Max", [largest, self._constant("least", 1e-9)], f"{given}_range")
        scale = self._add("Mul", [least, self._constant("step_of_half", 1 / 127)], f"{given}_scale")
        shape = self._add("Shape", [scale], f"{given}_tokens")
        middle = helper.make_tensor("middle", onnx.TensorProto.UINT8, [1], [128])
        return scale, self._add("ConstantOfShape", [shape], f"{given}_zero", value=middle)

    def _from_lowest(self, given: str) -> tuple[str, str]:
        """Name scale and zero point of each token of what GELU gave; `_shift` is what the point adds."""
        lowest = self._constant("gelu_lowest", GELU_LOWEST)
        span = self._add("Add", [self._largest(given, given), lowest], f"{given}_range")
        scale = self._add("Mul", [span, self._constant("step_of_range", 1 / 255)], f"{given}_scale")
        steps = self._add("Round", [self._add("Div", [lowest, scale], f"{given}_below")], f"{given}_steps")
        self._add("Mul", [steps, scale], f"{given}_shift")
        return scale, self._add("Cast", [steps], f"{given}_zero", to=onnx.TensorProto.UINT8)

    def _largest(self, given: str, values: str) -> str:
        last = self._constant("last_axis", [-1], np.int64)
        return self._add("ReduceMax", [values, last], f"{given}_largest", keepdims=1)

    def _evened(self, given: str) -> str:
        """Divide what a layer norm gave by what makes inputs and weights spread alike."""
        weights = [self.tensors[node.input[1]] for node in self.readers[given]]
        factors = shared_spread(self.seen[self.layers[self.readers[given][0].output[0]]].largest, weights)
        self.spread[given] = factors
        self._constant(f"{given}_unspread", 1 / factors)
        return self._add("Mul", [given, f"{given}_unspread"], f"{given}_even")
