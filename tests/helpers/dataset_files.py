"""Files as the readers of data sets find them, and how they refuse them."""

import io
import re
import tarfile

import numpy as np
import pytest


def write_files(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def npz_of(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy_of(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def tar_of(files, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def raises_naming(path, match, error=ValueError):
    """The error has to start with the path as it was given."""
    return pytest.raises(error, match=f"(?s)^{re.escape(str(path))}.*{match}")
