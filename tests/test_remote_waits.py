"""A server that is busy is given the time that it asks for, and nobody gets more than is allowed."""

from __future__ import annotations

import email.utils

import pytest
from loopback import Fault
from transferring import ALWAYS, BOTH, CONTENT, NOW, fetch
from wording import refused

from toyadmos_datasets.archives.remote.transfer import RateLimit
from toyadmos_datasets.errors import FetchError

DATE = email.utils.formatdate(NOW + 40, usegmt=True)


@BOTH
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("7", 7, 8),
        (DATE, 40, 41),
        ("999999", 300, 301),
        ("0", 0, 1),
        (email.utils.formatdate(NOW - 99, usegmt=True), 0, 1),
        ("soon", 0.5, 1),
        ("-5", 0.5, 1),
        ("\N{SUPERSCRIPT TWO}".encode().decode("latin-1"), 0.5, 1),
        (None, 0.5, 1),
    ],
)
def test_a_busy_server_is_given_the_time_that_it_asks_for(
    fetching, server, is_ranged, status, retry_after, least_s, most_s
):
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    server.faults = [Fault(kind="status", status=status, headers=headers)]

    fetch(fetching, is_ranged=is_ranged)

    assert least_s <= fetching[2].waited_s <= most_s


@BOTH
def test_a_server_that_stays_busy_is_an_error_after_waits_that_grow(fetching, server, is_ranged):
    server.faults = [Fault(kind="status", times=ALWAYS)]

    with refused(FetchError) as caught:
        fetch(fetching, is_ranged=is_ranged)

    assert "status 503" in caught.value.actual
    assert fetching[2].waited_s == pytest.approx(0.75 * (1 + 2 + 4 + 8 + 16 + 32 + 60))


def test_a_waiting_fetch_says_why_and_says_it_again(fetching, server):
    said = []
    fetching[1].say = said.append
    server.faults = [Fault(kind="status", times=ALWAYS)]

    with pytest.raises(FetchError):
        fetch(fetching, is_ranged=True)

    assert len(said) == 2  # at the second failure, and after half a minute more
    assert said[0].endswith("; try 2 of 8, the next in 2 s.")
    assert "status 503" in said[0]
    assert "ToyTrain.7z.001" in said[0]


@pytest.mark.parametrize(("retry_after", "n_said"), [("1", 0), ("90", 1)])
def test_one_hiccup_is_not_worth_a_line_but_a_long_wait_is(fetching, server, retry_after, n_said):
    said = []
    fetching[1].say = said.append
    server.faults = [Fault(kind="status", headers={"Retry-After": retry_after})]

    fetch(fetching, is_ranged=True)

    assert len(said) == n_said


@BOTH
def test_the_last_allowed_request_makes_the_next_one_wait(fetching, server, is_ranged):
    server.extra_headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 25)}
    fetch(fetching, is_ranged=is_ranged)
    before = fetching[2].waited_s

    fetching[1].fetch(fetching[0], 0, len(CONTENT), is_ranged=is_ranged)

    assert before == 0
    assert fetching[2].waited_s == pytest.approx(25)


@BOTH
def test_the_rate_is_held(fetching, is_ranged):
    _, transfer, ticking = fetching
    transfer.limit = RateLimit(100_000, ticking.clock())

    fetch(fetching, is_ranged=is_ranged)

    assert ticking.waited_s == pytest.approx(5.99 if is_ranged else 7, rel=0.01)
