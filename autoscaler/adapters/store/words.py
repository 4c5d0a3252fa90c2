"""What people say and decide, of which the store is told by whoever they say it to: a worker, Slack or the command line."""

from sqlalchemy.engine import Connection

from autoscaler.adapters.store import answering, messages, statements
from autoscaler.adapters.store.database import Database
from autoscaler.core.change import Change
from autoscaler.core.consent import Answer, Snooze
from autoscaler.core.facts import GoneLive, Pause
from autoscaler.ports import Event, Tell


class Words:
    """That part of the store. Nothing of it needs a lease: the worker that acts looks at it in every pass."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._read, self._write = database.read, database.write

    async def answer(
        self, answer: Answer, tell: Tell = lambda _change, _answers: ()
    ) -> tuple[Change | None, list[Answer]]:
        """Two clicks at once are one after the other."""
        return await self._write(lambda connection: answering.add_answer(connection, answer, tell))

    async def answers(self, change_id: str) -> list[Answer]:
        """In order."""
        return await self._read(lambda connection: answering.list_answers(connection, change_id))

    async def snooze(self, snooze: Snooze, tell: Tell) -> Change | None:
        """The last one counts."""
        return await self._write(lambda connection: answering.put_snooze(connection, snooze, tell))

    async def snoozed(self, change_id: str) -> Snooze | None:
        """The last one."""
        return await self._read(lambda connection: answering.get_snooze(connection, change_id))

    async def delivered_at(self, event_id: str) -> int | None:
        """None: not yet."""
        return await self._read(lambda connection: answering.delivered_at(connection, event_id))

    async def tell_of(self, change_id: str, tell: Tell) -> None:
        """Nothing of a change that is not there."""
        await self._write(lambda connection: answering.tell_of(connection, change_id, tell))

    async def pause(self, pause: Pause, event: Event) -> None:
        """One a service."""

        def work(connection: Connection) -> None:
            statements.put_pause(connection, pause)
            messages.add_events(connection, [event])

        await self._write(work)

    async def resume(self, service_id: str, event: Event) -> None:
        """Nothing holds it any more."""

        def work(connection: Connection) -> None:
            statements.delete_pause(connection, service_id)
            messages.add_events(connection, [event])

        await self._write(work)

    async def paused(self, service_id: str) -> Pause | None:
        """As last set."""
        return await self._read(lambda connection: statements.get_pause(connection, service_id))

    async def go_live(self, word: GoneLive, event: Event) -> None:
        """One a service."""

        def work(connection: Connection) -> None:
            answering.put_gone_live(connection, word, [event])

        await self._write(work)

    async def gone_live(self, service_id: str) -> GoneLive | None:
        """As last written."""
        return await self._read(lambda connection: answering.get_gone_live(connection, service_id))
