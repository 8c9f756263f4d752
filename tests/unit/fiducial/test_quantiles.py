"""Quantiles are those of NumPy."""

import numpy as np
import pytest

from crossreg.fiducial.quantiles import median, medians, quantiles


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_quantiles_and_medians_are_those_of_numpy(size: int) -> None:
    values = np.random.default_rng(size).normal(size=(3, size, 4)).astype(np.float32)
    fractions = (0.0, 0.25, 0.5, 0.9999, 1.0)
    expected = np.quantile(values.astype(float), fractions)
    np.testing.assert_allclose(quantiles(values, fractions), expected, rtol=1e-12)
    assert median(values) == pytest.approx(float(np.median(values.astype(float))), rel=1e-12)
    for axis in range(3):
        found = medians(values, axis)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.median(values, axis=axis))
