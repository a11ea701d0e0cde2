"""Which penalty the course's names have: half of reg sum(W**2), or all of it."""

from types import ModuleType
from typing import Any

from csoftmax._native import checks


class CoursePackage(ModuleType):
    """The class of the module `csoftmax.cs231n`: it has a switch, and takes no other attribute."""

    _full_penalty = False

    @property
    def full_penalty(self) -> bool:
        """Whether the penalty is reg sum(W**2), rather than reg/2 sum(W**2)."""
        return CoursePackage._full_penalty

    @full_penalty.setter
    def full_penalty(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"full_penalty is {value!r}: wanted True or False")
        CoursePackage._full_penalty = value

    def __setattr__(self, name: str, value: Any) -> None:
        # Misspelt, the switch would leave the penalty as it is, without a word. What imports set
        # are submodules and names like __spec__.
        by_imports = isinstance(value, ModuleType) or (name[:2] == name[-2:] == "__")
        if name != "full_penalty" and not by_imports:
            raise AttributeError(
                f"{self.__name__} has no attribute {name!r} to set: its one switch is full_penalty"
            )
        super().__setattr__(name, value)


def half_form(reg: float) -> float:
    """The same strength as csoftmax's own losses take it, whose penalty is reg/2 sum(W**2)."""
    reg = checks.real("reg", reg, 0)
    return 2 * reg if CoursePackage._full_penalty else reg
