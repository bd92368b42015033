"""Publishing through the supervisor, which alone can reach the workers."""

import asyncio
from pathlib import Path

from trunkline.channel.link import Link, LinkBroken
from trunkline.channel.messages import Logging, Publish, Published, PublishFailed, ToControl
from trunkline.control.registry import NotPublished
from trunkline.model.snapshot import Secrets, Snapshot

# The supervisor gives workers a second each time, and two minutes at a start; it always answers.
ANSWER_WITHIN = 150.0


class ChannelPublisher:
    """Sends snapshots to the supervisor, one at a time; whoever reads the channel hands the answers in."""

    def __init__(self, link: Link[ToControl]) -> None:
        self._link = link
        self._answer: asyncio.Future[str | None] | None = None

    async def publish(self, path: Path, digest: str, snapshot: Snapshot, secrets: Secrets | None) -> None:
        """Return once the snapshot is in force on every worker. Raises NotPublished."""
        answer = self._answer = asyncio.get_running_loop().create_future()
        logging = logging_of(snapshot)
        try:
            self._link.send(Publish(str(path), digest, secrets, snapshot.server.drain, logging))
            reason = await asyncio.wait_for(answer, ANSWER_WITHIN)
        except (LinkBroken, TimeoutError) as error:
            raise NotPublished(f"the supervisor did not answer: {str(error) or 'it took too long'}") from error
        finally:
            self._answer = None
        if reason is not None:
            raise NotPublished(f"nothing was changed: {reason}")

    def answered(self, answer: Published | PublishFailed) -> None:
        """Take the supervisor's answer."""
        self._finish(answer.reason if isinstance(answer, PublishFailed) else None)

    def lost(self) -> None:
        """The supervisor has gone: nobody will answer."""
        self._finish("the supervisor has gone")

    def _finish(self, reason: str | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reason)


def logging_of(snapshot: Snapshot) -> Logging:
    """Return how the processes write their operational logs."""
    return Logging(snapshot.log.format, snapshot.log.level)
