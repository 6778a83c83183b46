"""A dataset repository on the Hub: one complete commit, in a private repository."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from toyadmos_datasets.errors import LicenseError, OptionError, OutputConflictError, ShareError
from toyadmos_datasets.sharing.destination import AGAIN, Relation, Sent, Standing, ask, describe, is_audio, is_ours
from toyadmos_datasets.sharing.parcel import Outgoing, Parcel
from toyadmos_datasets.units import Seconds

Done = TypeVar("Done")

_ADDRESS = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)/?", re.ASCII)
_TOKEN = re.compile(r"[!-~]+")
_PASSING = {408, 409, 412, 429, 500, 502, 503, 504}
_UNMARKED = {".gitattributes", "README.md"}
"""What a repository has that was made on the Hub's pages."""

ANSWER_S: Seconds = 120.0
"""So long the Hub may be silent: a commit of thousands of files takes it tens of seconds."""

_LOG_IN = "Make a token that may write at https://huggingface.co/settings/tokens, and give it as HF_TOKEN."


class Hub:
    """A destination ``hf://datasets/user/name``.

    Everything of a run is one commit, so that a reader sees the old or the new and nothing between. Files that an
    earlier run has uploaded without coming to the commit are known to the Hub, and not sent again.

    Args:
        address: See above.
        token: For the Hub; None for what `hf auth login` or HF_TOKEN left.

    Raises:
        OptionError: The address or the token is invalid.
    """

    def __init__(self, address: str, *, token: str | None = None) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise OptionError(
                "This is no dataset repository on the Hub.",
                where=address.partition("@")[0],
                expected="hf://datasets/user/name",
                remedy="toyadmos share DIR hf://datasets/user/name",
            )
        self._repo = match["repo"]
        self.shown = f"hf://datasets/{self._repo}"
        self._token = checked_token(token)
        self._is_token_checked = False
        self._info: Any = None
        self._additions: dict[str, Any] = {}

    def admit(self, *, has_audio: bool) -> None:
        """Raise unless the token may write, and the repository is private or new where audio is concerned.

        Raises:
            ShareError: There is no token, the Hub refuses it, or cannot be reached.
            LicenseError: Audio would be, or is, in a public repository.
        """
        if not self._is_token_checked:
            self._check_token()
            self._is_token_checked = True
        self._info = self._ask("The repository cannot be looked at.", self._repository)
        if self._info is None or self._info.private:
            return
        held = [one.rfilename for one in self._info.siblings if is_audio(one.rfilename)]
        if has_audio or held:
            raise LicenseError(
                "Audio of the corpus is in a public repository." if held else "The repository is public.",
                where=self.shown,
                expected="a private repository: the licence forbids passing the corpus's audio on",
                actual="public",
                remedy="Make it private in its settings on the Hub now, and check whether anyone has taken a copy."
                if held
                else "Make it private in its settings, choose another, or share only the recipe: --recipe-only",
            )

    def look(self, parcel: Parcel) -> Standing:
        """Tell what of a parcel is in the repository, by hashes."""
        held = {one.rfilename: one for one in (self._info.siblings if self._info else [])}
        missing = tuple(file for file in parcel.all_files if not _is_same(file, held.get(file.path)))
        ours = [path for path in held if is_ours(path) and path not in _UNMARKED]
        strangers = [path for path in held if not is_ours(path) and path.endswith(".parquet")]
        if strangers or not ours:
            foreign = strangers or sorted(held.keys() - _UNMARKED)
            return Standing(relation="foreign" if foreign else "new", missing=missing, example=(foreign or [""])[0])
        paths = {file.path for file in parcel.all_files}
        is_same = parcel.last not in missing
        stale = tuple(path for path in ours if path not in paths)
        relation: Relation = "same" if is_same and not stale else "other"
        return Standing(relation=relation, missing=missing, stale=stale, example=", ".join(sorted(ours)[:3]))

    def send(self, parcel: Parcel, standing: Standing, sent: Sent) -> None:
        """Upload what is missing, and commit it at once if the repository is still private and unchanged.

        Raises:
            ShareError: The Hub does not take it; what was uploaded is not sent again.
            LicenseError: The repository has become public meanwhile; nothing was committed.
        """
        if self._info is None:
            self._ask("The repository could not be made.", self._create)
        with _quiet_client():
            for file in standing.missing:
                file.check()
                self._ask(f"A file could not be sent: {file.path}", functools.partial(self._upload, file))
                sent(file)

            def attempt() -> None:
                """Look again, and commit."""
                self.admit(has_audio=parcel.has_audio)
                now = self.look(parcel)
                if now.relation != standing.relation and now.relation in {"other", "foreign"}:
                    raise OutputConflictError(
                        "Somebody else changed the repository meanwhile.",
                        where=self.shown,
                        expected="what was there when sharing began",
                        actual=now.example,
                        remedy="Look at the repository, then run the same command again.",
                    )
                self._commit(parcel, now)

            self._ask("The commit was not taken; the repository is as it was.", attempt)

    def _check_token(self) -> None:
        if self._token is None:
            raise ShareError("There is no token for the Hub.", where=self.shown, actual="none", remedy=_LOG_IN)
        is_answered = True

        def ask_who() -> Any:  # noqa: ANN401  # huggingface_hub's own record
            """Ask whose token it is, and note whether there was an answer at all."""
            nonlocal is_answered
            try:
                return self._api.whoami()
            except Exception as error:
                is_answered = not _may_pass(error) or getattr(error, "response", None) is not None
                raise

        try:
            known = self._ask("The Hub does not take the token.", ask_who, remedy=_LOG_IN)
        except ShareError as refused:
            if is_answered:
                raise
            raise ShareError(
                "The Hub cannot be reached.", where=self.shown, actual=refused.actual, remedy=AGAIN
            ) from None
        role = known.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise ShareError(
                "The token may only read.", where=self.shown, expected="one that may write", actual=role, remedy=_LOG_IN
            )

    def _repository(self) -> Any:  # noqa: ANN401  # huggingface_hub's own record, or None
        from huggingface_hub.errors import RepositoryNotFoundError  # noqa: PLC0415  (loaded where it is used)

        try:
            return self._api.repo_info(self._repo, repo_type="dataset", files_metadata=True)
        except RepositoryNotFoundError as error:
            if error.response is not None and error.response.status_code == 401:
                raise
            return None

    def _create(self) -> None:
        self._api.create_repo(self._repo, repo_type="dataset", private=True, exist_ok=True)

    def _upload(self, file: Outgoing) -> None:
        additions = [self._addition(file)]
        self._api.preupload_lfs_files(self._repo, additions=additions, repo_type="dataset", free_memory=False)

    def _commit(self, parcel: Parcel, standing: Standing) -> None:
        from huggingface_hub import CommitOperationDelete  # noqa: PLC0415  (loaded where it is used)

        operations: list[Any] = [CommitOperationDelete(path_in_repo=path) for path in standing.stale]
        operations += [self._addition(file) for file in standing.missing]
        if not operations:  # an attempt whose answer was lost has come through
            return
        self._api.create_commit(
            self._repo,
            operations=operations,
            commit_message=describe(parcel, standing.missing),
            repo_type="dataset",
            parent_commit=self._info.sha,
        )

    def _addition(self, file: Outgoing) -> Any:  # noqa: ANN401  # huggingface_hub's own record
        """Return the same record for the same file: it knows whether it was uploaded."""
        from huggingface_hub import CommitOperationAdd  # noqa: PLC0415  (loaded where it is used)

        if file.path not in self._additions:
            source = file.source if isinstance(file.source, bytes) else str(file.source)
            self._additions[file.path] = CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=source)
        return self._additions[file.path]

    @property
    def _api(self) -> Any:  # noqa: ANN401  # huggingface_hub's client
        from huggingface_hub import HfApi  # noqa: PLC0415  (loaded where it is used)

        return HfApi(
            endpoint=os.environ.get("HF_ENDPOINT") or None, token=self._token, library_name="toyadmos-datasets"
        )

    def _ask(self, what: str, attempt: Callable[[], Done], remedy: str = AGAIN) -> Done:
        secrets = [self._token] if self._token else []

        def attempt_in_time() -> Done:
            """Attempt it, and wait for no single answer longer than `ANSWER_S`."""
            with _answers_in_time():
                return attempt()

        return ask(attempt_in_time, shown=self.shown, what=what, may_pass=_may_pass, secrets=secrets, remedy=remedy)


@contextlib.contextmanager
def _answers_in_time() -> Iterator[None]:
    """Bound the client of huggingface_hub while the block runs: by itself it waits for ever for an answer."""
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]  # noqa: PLC0415  # loaded where it is used

    client = get_session()
    if not hasattr(client, "timeout"):  # before 1.0 it is of requests, and has limits of its own
        yield
        return
    before, client.timeout = client.timeout, ANSWER_S
    try:
        yield
    finally:
        client.timeout = before


def checked_token(token: str | None) -> str | None:
    """Return a token, or what the Hub's own tools have, without blanks around it.

    Raises:
        OptionError: It cannot be one; it is not shown.
    """
    from huggingface_hub import get_token  # noqa: PLC0415  (loaded where it is used)

    found = (get_token() if token is None else token) or ""
    found = found.strip()
    if found and not _TOKEN.fullmatch(found):
        raise OptionError(
            "This cannot be a token for the Hub.",
            where="--token or HF_TOKEN",
            expected="letters and digits, as in hf_...",
            actual="other characters in it",
            remedy=_LOG_IN,
        )
    return found or None


def _is_same(file: Outgoing, held: Any) -> bool:  # noqa: ANN401  # huggingface_hub's own record, or None
    if held is None:
        return False
    if held.lfs is not None:
        return bool((held.lfs.size, held.lfs.sha256) == (file.n_bytes, file.sha256))
    if not isinstance(file.source, bytes):
        return False  # shards are always large files
    header = f"blob {file.n_bytes}\0".encode()
    return bool(held.blob_id == hashlib.sha1(header + file.source, usedforsecurity=False).hexdigest())


def _may_pass(error: Exception) -> bool:
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in _PASSING
    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # how the client tells of a lost upload
        return not isinstance(error.__cause__, Exception) or _may_pass(error.__cause__)
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"ConnectionError", "TimeoutError", "TransportError", "RequestException"}) and (
        "OfflineModeIsEnabled" not in names
    )


@contextlib.contextmanager
def _quiet_client() -> Iterator[None]:
    """Let the client draw no bars of its own while the block runs."""
    from huggingface_hub import utils  # noqa: PLC0415  (loaded where it is used)

    client: Any = utils  # its `__init__` hands names out lazily, unseen by type checkers
    was_quiet = client.are_progress_bars_disabled()
    if not was_quiet:
        client.disable_progress_bars()
    try:
        yield
    finally:
        if not was_quiet:
            client.enable_progress_bars()
