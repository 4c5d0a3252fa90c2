"""Delivers what is to be told: at least once, in order within a thread, never in the way of scaling."""

import logging

from autoscaler.core.change import State
from autoscaler.core.durations import DAY, HOUR, MINUTE, SECOND
from autoscaler.errors import RefusedError, UnavailableError
from autoscaler.ports import Clock, Delivery, Event, EventKind, Notifier, Store, Tenure
from autoscaler.report.text import one_line

log = logging.getLogger(__name__)

LONGEST_WAIT = 10 * MINUTE
GIVE_UP = DAY
"""How long a message that is refused (a bad token, a channel without the bot) waits for somebody to put that right."""


LEAST_TENURE = 15.0
"""Seconds that must be left before a message is posted, which may take ten: else two workers would post it."""


async def deliver(store: Store, notifier: Notifier, clock: Clock, tenure: Tenure | None = None) -> int:
    """Deliver what is due now; how many went out. Raises StoreError.

    `tenure`: how long this worker alone may act; None where there is no other.
    """
    sent = 0
    for delivery in await store.undelivered(clock.now()):
        event = delivery.event
        if tenure is not None and tenure.left(event.service_id) < LEAST_TENURE:
            continue
        try:
            reference = await notifier.deliver(delivery)
        except UnavailableError as error:
            log.warning("message '%s' waits: %s", one_line(event.message.title), error)
            await store.not_delivered(event.id, clock.now() + _wait(delivery, error), str(error))
        except RefusedError as error:
            tries = "can't be delivered (tried every ten minutes for a day)"
            log.error("message '%s' %s: %s", one_line(event.message.title), tries, error)  # noqa: TRY400 - the text says all; a trace would only hide it
            is_over = clock.now() - event.at >= GIVE_UP and not await _still_asks(store, event)
            await store.not_delivered(event.id, None if is_over else clock.now() + LONGEST_WAIT, str(error))
        except Exception:  # one message that breaks its notifier holds up no other
            log.exception("message %s can't be delivered: this is a bug, please report it", event.id)
            await store.not_delivered(event.id, clock.now() + LONGEST_WAIT, "a bug")
        else:
            await store.delivered(event.id, clock.now(), reference)
            sent += 1
    return sent


async def _still_asks(store: Store, event: Event) -> bool:
    """Whether people have yet to hear of a question: until they have, it does not expire, and nothing else is asked in its place."""
    change = await store.change(event.thread) if event.kind is EventKind.ASKED and event.thread else None
    return change is not None and change.state is State.PROPOSED


def _wait(delivery: Delivery, error: UnavailableError) -> int:
    """What the other side asked for (an hour at most), else 2 s doubled with every attempt, ten minutes at most."""
    if error.retry_after is not None:
        return round(min(error.retry_after * SECOND, HOUR))
    return int(min(2 * SECOND * 2 ** min(delivery.attempts, 12), LONGEST_WAIT))
