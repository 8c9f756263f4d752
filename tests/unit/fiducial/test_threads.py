"""One thread does what a pool of threads does."""

import pytest

from crossreg.fiducial.threads import threads_of


@pytest.mark.parametrize("threads", [1, 2])
def test_work_is_done_whether_asked_for_or_not(threads: int) -> None:
    done: list[int] = []

    def product(one: int, two: int) -> int:
        done.append(one)
        return one * two

    with threads_of(threads) as pool:
        found = pool.map(product, [1, 2, 3], [4, 5, 6])
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
    assert sorted(done) == [1, 2, 3]
    assert list(found) == [4, 10, 18]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_where_the_result_is_asked_for(threads: int) -> None:
    with threads_of(threads) as pool:
        future = pool.submit(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            future.result()
