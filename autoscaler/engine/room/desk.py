"""What an answer to people is made of, whoever asks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core.evaluate import decide
from autoscaler.engine.explaining import explained, remembered
from autoscaler.engine.managed import Managed
from autoscaler.engine.room.known import Known, known_services
from autoscaler.engine.tick import Ticker
from autoscaler.errors import RefusedError, UsageError
from autoscaler.policyfile import PolicyFile
from autoscaler.ports import Clock, Groups, Person, RenderPort, Store
from autoscaler.report.explain import Explanation, explain


@dataclass(frozen=True, slots=True)
class Desk:
    """What an answer may need. `store` is the database itself, bound to no lease: a click may come to any worker."""

    store: Store
    render: RenderPort
    ticker: Ticker
    clock: Clock
    groups: Groups
    files: Callable[[], Sequence[PolicyFile]]
    """The policies in force."""
    fleet: Mapping[str, Managed]
    """What this worker looks after itself, by service id: of those it need not read days of polls to say why."""
    default_channel: str | None
    dry_run: bool
    """Whether nothing is changed here, whatever people press."""

    def need_to_act(self) -> None:
        """Raises RefusedError where a change would be promised that nobody makes."""
        if self.dry_run:
            raise RefusedError("I am in dry run, and change nothing: the log of `autoscaler run` says why.")

    async def known(self) -> tuple[Known, ...]:
        """Every service, by name. Raises StoreError."""
        return known_services(await self.store.last_verdicts(), self.files())

    async def service(self, service_id: str) -> Known:
        """What is known of it now. Raises RefusedError and StoreError."""
        found = next((one for one in await self.known() if service_id in one.words), None)
        if found is None:
            raise RefusedError(f"Nobody looks after {service_id} any more.")
        return found

    async def explain(self, one: Known) -> Explanation:
        """As of now, by what its worker has recorded. Raises UsageError and StoreError."""
        if one.verdict is None:
            raise UsageError(f"No worker has looked at {one.name} yet.")
        if one.file is None:
            return explain(one.verdict)
        managed = self.fleet.get(one.verdict.service_id)
        if managed is None:
            managed = await remembered(one.file, one.verdict, self.store, self.clock.now())
        verdict = await self.ticker.verdict(managed, decide(managed.state, self.clock.now()))
        return await explained(self.ticker, managed, verdict, self.store)


def called(who: Person) -> str:
    """For a record that people read: the name says whom, the id proves it."""
    return f"{who.name} ({who.id})" if who.name else who.id
