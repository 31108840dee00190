"""What Gradio's queue and its list of files would keep for ever, bounded."""

import weakref
from pathlib import Path
from typing import Any

import fastapi
import gradio as gr
from gradio.queueing import Queue

MAX_WAITING_BYTES = 256 * 1024 * 1024  # of questions that are not answered yet
SESSIONS = 4_000  # Gradio looks through them where it is asked for an answer that is gone


class Bounded:
    """In front of Queue.push: who asks too much at once is told that the queue is full."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.push = queue, queue.push
        self.held = 0  # bytes

    async def __call__(
        self, body: Any, request: fastapi.Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        if len(self.queue.pending_event_ids_session) > SESSIONS:
            forget_sessions(self.queue)
        size = len(getattr(request, "_body", b""))  # which FastAPI has read, and keeps there
        if self.held + size > MAX_WAITING_BYTES:
            return False, "too much is waiting", "queue_full"
        pushed, told, state = await self.push(body=body, request=request, username=username)
        event = self.queue.event_ids_to_events.get(told) if pushed else None
        if event is not None:  # until nobody holds it: it may be answered, cancelled or given up
            self.held += size
            weakref.finalize(event, self._release, size).atexit = False
        return pushed, told, state

    def _release(self, size: int) -> None:
        self.held -= size


def bound(queue: Queue) -> None:
    """Bound queue, in the event loop's thread or before it runs."""
    queue.push = Bounded(queue)  # type: ignore[method-assign]


def forget_sessions(queue: Queue) -> None:
    """Drop the sessions without a question or a message; each call by a script is one."""
    kept, events = queue.pending_event_ids_session, queue.event_ids_to_events
    messages = queue.pending_messages_per_session  # of the last 2,000
    for session, ids in list(kept.items()):
        if not ids or (session not in messages and events.keys().isdisjoint(ids)):
            del kept[session]


def forget_files(demo: gr.Blocks) -> None:
    """Drop the names of files that are gone: Gradio drops only those that it deletes itself."""
    for names in demo.temp_file_sets:
        for name in list(names):  # copied in one step: others add to it meanwhile
            if not Path(name).exists():
                names.discard(name)
