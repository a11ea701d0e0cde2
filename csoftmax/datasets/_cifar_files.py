"""One file of CIFAR-10 or CIFAR-100: a pickle or binary records of labels and pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._files import DAMAGE, brief
from csoftmax.datasets._unpickle import read_pickle

PIXELS = 3072  # 3 channels of 32 x 32


@dataclass(frozen=True)
class Kind:
    """What differs between the two.

    `stems` are the names of the files, without .bin: the train files in order, then the test
    file. `labels` names the classes of each kind of label, in the order of a binary record; the
    last is the finest. `marks` are files that lie beside the python and the binary files.
    """

    title: str
    stems: tuple[str, ...]
    subfolders: tuple[str, str]
    marks: tuple[str, str] | None
    labels: dict[str, tuple[str, ...]]
    wanted: str

    @property
    def record(self) -> int:
        """Bytes of a binary record: a byte for each label, then the pixels."""
        return len(self.labels) + PIXELS

    @property
    def wanted_file(self) -> str:
        """What one file has to be."""
        labels = " and ".join(f"{k} (N in 0..{len(v) - 1})" for k, v in self.labels.items())
        return (
            f"a {self.title} batch: a pickled dict with data (uint8, N x {PIXELS}) and {labels}, "
            f"or binary records of {self.record} bytes"
        )


_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"

CIFAR10 = Kind(
    "CIFAR-10",
    (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
    ("cifar-10-batches-py", "cifar-10-batches-bin"),
    None,
    {"labels": tuple(_CLASSES.split())},
    "the folder or tar.gz of CIFAR-10 with data_batch_1 to data_batch_5 and test_batch "
    "(python), or the same with .bin (binary)",
)

_COARSE = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things
large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals non-insect_invertebrates
people reptiles small_mammals trees vehicles_1 vehicles_2
"""
_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

CIFAR100 = Kind(
    "CIFAR-100",
    ("train", "test"),
    ("cifar-100-python", "cifar-100-binary"),
    ("meta", "fine_label_names.txt"),  # for train and test are anybody's names
    {"coarse_labels": tuple(_COARSE.split()), "fine_labels": tuple(_FINE.split())},
    "the folder or tar.gz of CIFAR-100 with train and test (python), or train.bin and test.bin "
    "(binary)",
)

#: Pixels (N, 3072), and the class numbers (N,) for each of the kind's labels.
Batch = tuple[NDArray[np.uint8], dict[str, NDArray[np.int64]]]


def parse(data: bytes | bytearray, where: str, kind: Kind | None) -> tuple[Kind, Batch]:
    """Read the bytes of one file; kind=None finds out which set it belongs to.

    Raises ValueError that begins with `where` and says what was wanted.
    """
    # A binary record starts with a label, below 100, a pickle with the opcode PROTO.
    if data[:1] == b"\x80":
        batch = _unpickle(data, where, kind or CIFAR10)
        kind = kind or (CIFAR100 if "fine_labels" in batch else CIFAR10)
    else:
        kind = kind or _kind_of_records(len(data))
        batch = _records(data, where, kind)
    pixels = batch.get("data")
    labels = [y for key in kind.labels if isinstance(y := batch.get(key), list)]
    if not isinstance(pixels, np.ndarray) or len(labels) < len(kind.labels):
        raise ValueError(f"{where} has the keys {brief(sorted(batch))}: wanted {kind.wanted_file}")
    numbers = {}
    for (key, names), y in zip(kind.labels.items(), labels, strict=True):
        if pixels.shape != (len(y), PIXELS):
            raise ValueError(
                f"{where} has data of shape {brief(pixels.shape)} and {len(y)} {key}: "
                f"wanted {kind.wanted_file}"
            )
        numbers[key] = _class_numbers(y, len(names), where, kind)
    return kind, (pixels, numbers)


def _kind_of_records(n_bytes: int) -> Kind:
    is_100 = n_bytes % CIFAR10.record and not n_bytes % CIFAR100.record
    return CIFAR100 if is_100 else CIFAR10


def _records(data: bytes | bytearray, where: str, kind: Kind) -> dict[str, Any]:
    if not data or len(data) % kind.record:
        raise ValueError(
            f"{where} has {len(data)} bytes and starts with {brief(bytes(data[:12]))}, neither a "
            f"pickle nor whole records of {kind.record} bytes: wanted {kind.wanted_file}"
        )
    records = np.frombuffer(memoryview(data).toreadonly(), np.uint8).reshape(-1, kind.record)
    n_labels = len(kind.labels)
    columns = {key: records[:, i].tolist() for i, key in enumerate(kind.labels)}
    return columns | {"data": records[:, n_labels:]}


def _unpickle(data: bytes | bytearray, where: str, kind: Kind) -> dict[str, Any]:
    try:
        return read_pickle(data)
    except DAMAGE as error:
        raise ValueError(f"{where} is refused ({error}): wanted {kind.wanted_file}") from error


def _class_numbers(y: list[Any], n_classes: int, where: str, kind: Kind) -> NDArray[np.int64]:
    # -1 stands for what is not a number of a class, so that such a label is named like others.
    known = (c if type(c) is int and -1 < c < 256 else -1 for c in y)
    numbers = np.fromiter(known, np.int64, len(y))
    bad = np.flatnonzero((numbers < 0) | (numbers >= n_classes))
    if bad.size:
        raise ValueError(
            f"{where} has label {numbers[bad[0]]} at record {bad[0]}: wanted {kind.wanted_file}"
        )
    return numbers
