"""Which services there are: those that a worker has recorded, and those that a policy is for. Both may be called by several words."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.options import names_of
from autoscaler.cli.output import err
from autoscaler.core.guards import Verdict
from autoscaler.errors import UsageError
from autoscaler.policyfile import PolicyFile, load_file, load_folder


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


def policies_at_hand(path: Path) -> tuple[PolicyFile, ...]:
    """The sound policies there, if there is such a place at all: without one, what the worker has recorded still stands.

    Errors of the others are printed; warnings are for `validate`, not for whoever asks why. Raises PolicyError for one broken file.
    """
    if not path.exists():
        return ()
    if path.is_file():
        return (load_file(path),)
    loaded = load_folder(path)
    for problem in loaded.errors:
        err.print(str(problem), markup=False)
    return loaded.files


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
