"""On what machine, and with what, a report was made."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

from csoftmax._native.config import show_config


def machine() -> dict[str, str | int | None]:
    """Return the processor, the cores of the machine, its system, and the Python that runs.

    Returns
    -------
    dict
        "processor", "cores", "system" and "python".

    See Also
    --------
    facts : In words, with versions.
    csoftmax.show_config : What csoftmax uses of it.

    Examples
    --------
    >>> from csoftmax.report import machine
    >>> sorted(machine())
    ['cores', 'processor', 'python', 'system']
    """
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def facts() -> dict[str, str]:
    """Return machine, versions and today's date in words, as a page has them: no path, no host.

    Returns
    -------
    dict of str to str
        For `Facts`.

    See Also
    --------
    machine : The machine alone.
    Facts : Shows them.

    Examples
    --------
    >>> from csoftmax.report import facts
    >>> list(facts())
    ['Machine', 'csoftmax', 'Python', 'Date']
    """
    config, host, today = show_config(mode="dicts"), machine(), datetime.date.today()
    return {
        "Machine": f"{host['processor']}, {host['cores']} cores, {host['system']}",
        "csoftmax": (
            f"{config['version']}, instruction set {config['instruction_set']}, "
            f"threads: {config['n_threads']}, built with {config['compiler']}"
        ),
        "Python": f"{host['python']}, NumPy {config['numpy']}",
        "Date": f"{today.day} {today:%B %Y}",
    }
