"""An error that says where the rest of the course's package is, for imports that look here."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = "csoftmax.cs231n"
_NETWORKS = {
    "TwoLayerNet": f"{_PACKAGE}.classifiers.fc_net, and an older one in .neural_net",
    "FullyConnectedNet": f"{_PACKAGE}.classifiers.fc_net",
}


class _Elsewhere(MetaPathFinder):
    """The last to be asked for a module of `csoftmax.cs231n`: one that nobody has found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise, where the name is one of ours.

        An ImportError and no ModuleNotFoundError: of `from package import name`, which looks for a
        module where the package has no such name, Python passes on the message of the first only.
        """
        if not fullname.startswith(f"{_PACKAGE}."):
            return None
        if place := _NETWORKS.get(fullname.rpartition(".")[2]):
            raise ImportError(f"there is no {fullname}: it is in {place}", name=fullname)
        rest = fullname.removeprefix("csoftmax.")
        raise ImportError(
            f"there is no {fullname}: csoftmax has the linear classifiers and the fully connected "
            "networks of the course, and what these need. Take the rest from the course's own "
            f"package: {rest}",
            name=fullname,
        )


def explain_missing() -> None:
    """Have Python ask for modules that are missing here; once, however often it is called."""
    if not any(isinstance(finder, _Elsewhere) for finder in sys.meta_path):
        sys.meta_path.append(_Elsewhere())
