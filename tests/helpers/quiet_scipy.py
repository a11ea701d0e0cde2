"""SciPy's functions without their warnings of what the tests give them on purpose."""

import numpy as np
import scipy.special


def logsumexp(a, axis=None, b=None, **kwargs):
    with np.errstate(all="ignore"):
        return scipy.special.logsumexp(a, axis, b=b, **kwargs)
