"""From options to what fetches with them."""

from __future__ import annotations

from toyadmos_datasets.archive.remote.http import HttpClient
from toyadmos_datasets.archive.remote.options import FetchOptions
from toyadmos_datasets.archive.remote.patience import RateLimit
from toyadmos_datasets.archive.remote.transfer import Transfer
from toyadmos_datasets.engine.progress import Progress


def open_transfer(options: FetchOptions, client: HttpClient, progress: Progress) -> Transfer:
    """Return what fetches with these options, and says through `progress` why nothing comes."""
    return Transfer(
        client=client,
        origin=options.origin,
        patience=options.patience,
        clock=options.clock,
        limit=RateLimit(options.bytes_per_s, options.clock),
        say=progress.say,
    )


def open_client(options: FetchOptions) -> HttpClient:
    """Open connections as these options say."""
    return HttpClient(options.patience, has_netrc=options.has_netrc, n_connections=options.parallel)
