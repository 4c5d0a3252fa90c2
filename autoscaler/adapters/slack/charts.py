"""The chart of a message as a file in Slack, to which its first message refers. It holds no message up: without it, the words are sent."""

import asyncio
import logging
from collections.abc import Callable

from slack_sdk.web.async_client import AsyncWebClient

from autoscaler.adapters.pictures import png
from autoscaler.adapters.slack.failures import call
from autoscaler.errors import OutsideError
from autoscaler.report.reason_chart import Chart
from autoscaler.report.reason_svg import svg

log = logging.getLogger(__name__)

MOST_KEPT = 100


class ChartFiles:
    """Uploads each chart once, by its event's id: a message that has to be sent again refers to the same file."""

    def __init__(self, http: Callable[[], AsyncWebClient], timeout: float) -> None:
        self._http = http
        self._timeout = timeout
        self._sent: dict[str, str] = {}

    async def file_of(self, event_id: str, chart: Chart) -> str | None:
        """Its id, needs the scope `files:write`; None where it could not be sent."""
        if event_id in self._sent:
            return self._sent[event_id]
        try:
            picture = await asyncio.to_thread(lambda: png(svg(chart)))
            response = await call(
                lambda: self._http().files_upload_v2(
                    filename=f"{chart.metric}.png", title=f"{chart.service}: {chart.rule}", content=picture
                ),
                "the chart",
                self._timeout,
            )
            file = str(response["files"][0]["id"])
        except (OutsideError, KeyError, IndexError, TypeError) as error:
            log.warning("a message goes without its chart: %s", error)
            return None
        except Exception:
            log.exception("a message goes without its chart: this is a bug, please report it")
            return None
        if len(self._sent) >= MOST_KEPT:
            self._sent.clear()
        self._sent[event_id] = file
        return file
