"""Generates the gRPC stubs beside their protos; run by `make protos` and by the wheel's build."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `make protos` works without hatchling

    class BuildHookInterface:  # type: ignore[no-redef]
        """Stands in where no wheel is being built."""


ROOT = Path(__file__).resolve().parent


def generate() -> None:
    """Write `*_pb2.py`, `*_pb2_grpc.py` and their types beside each proto file.

    Types for the service stubs come from mypy-protobuf, which only developers have.
    """
    import grpc_tools
    from grpc_tools import protoc

    well_known = Path(grpc_tools.__file__).parent / "_proto"
    protos = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("bearpit/v1/*.proto"))
    out = [f"--python_out={ROOT}", f"--pyi_out={ROOT}", f"--grpc_python_out={ROOT}"]
    if importlib.util.find_spec("mypy_protobuf"):
        plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
        out += [f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out=quiet:{ROOT}"]
    status = protoc.main(["protoc", f"-I{ROOT}", f"-I{well_known}", *out, *protos])
    if status:
        raise SystemExit(f"protoc failed with status {status}")


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Generates the stubs before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        generate()


if __name__ == "__main__":
    generate()
