"""Which services there are: those that a worker has recorded, and those that a policy is for. Both may be called by several words."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.core.guards import Verdict
from autoscaler.core.metrics import BUILT_IN, Vocabulary
from autoscaler.errors import StoreError, UsageError
from autoscaler.policyfile import PolicyFile


@dataclass(frozen=True, slots=True)
class Known:
    """One service, by its last verdict, its policy, or both."""

    verdict: Verdict | None
    file: PolicyFile | None

    @property
    def name(self) -> str:
        """How people call it."""
        if self.verdict is not None:
            return self.verdict.service
        return self.file.policy.service.label if self.file else ""

    @property
    def words(self) -> tuple[str, ...]:
        """All that it may be called."""
        recorded = (self.verdict.service, self.verdict.service_id) if self.verdict else ()
        return (*recorded, *(names_of(self.file) if self.file else ()))


@dataclass(frozen=True, slots=True)
class Receiver:
    """The service that is spoken of, and what its policy lets be said."""

    service_id: str
    service: str
    vocabulary: Vocabulary
    channel: str | None = None
    """Where its policy has people told."""


def names_of(file: PolicyFile) -> tuple[str, ...]:
    """All that a policy's service may be called: by id, by name, by its file."""
    service = file.policy.service
    names = (service.id, service.name, file.path, Path(file.path).name, Path(file.path).stem)
    return tuple(name for name in names if name)


def known_services(verdicts: Sequence[Verdict], files: Sequence[PolicyFile]) -> tuple[Known, ...]:
    """By name. Each policy is matched with the service that it names."""
    return tuple(sorted(_matched(verdicts, files), key=lambda one: one.name))


def _matched(verdicts: Sequence[Verdict], files: Sequence[PolicyFile]) -> Iterator[Known]:
    rest = list(files)
    for verdict in verdicts:
        file = next((one for one in rest if _is_for(one, verdict)), None)
        if file is not None:
            rest.remove(file)
        yield Known(verdict, file)
    yield from (Known(None, file) for file in rest)


def _is_for(file: PolicyFile, verdict: Verdict) -> bool:
    service = file.policy.service
    return verdict.service_id == service.id if service.id else verdict.service == service.name


def choose(known: Sequence[Known], word: str) -> Known:
    """The one service of that name, id or policy file. Raises UsageError with the nearest name for another word."""
    found = next((one for one in known if word in one.words), None)
    if found is not None:
        return found
    names = [one.name for one in known]
    if not names:
        raise UsageError(
            f"Nothing is known of '{word}', nor of any other service. Write a policy for it with `autoscaler init {word}`, "
            "then start `autoscaler run`."
        )
    near = difflib.get_close_matches(word, [spelling for one in known for spelling in one.words], n=1)
    likely = next((one.name for one in known if near and near[0] in one.words), None)
    hint = f"Did you mean {likely}?" if likely else f"Known are: {', '.join(names)}."
    raise UsageError(f"There is no service '{word}'. {hint} `autoscaler status` shows all that are looked after.")


def only(known: Sequence[Known], how: str) -> Known:
    """The one that there is. Raises UsageError where there are several, or none. `how`: the words with which one is named."""
    if len(known) == 1:
        return known[0]
    if not known:
        raise UsageError("No service is looked after yet: write a policy, then start `autoscaler run`.")
    raise UsageError(f"Of which service? There are {', '.join(one.name for one in known)}: say {how}.")


def receiver(one: Known) -> Receiver:
    """Raises StoreError while nobody knows the service's id."""
    vocabulary = one.file.policy.vocabulary if one.file else BUILT_IN
    channel = one.file.policy.notify.slack if one.file else None
    service_id = one.verdict.service_id if one.verdict else one.file.policy.service.id if one.file else None
    if service_id is None:
        raise StoreError(f"{one.name}: no worker has looked at it yet, so its id is not known. Start `autoscaler run`.")
    return Receiver(service_id, one.name, vocabulary, channel)
