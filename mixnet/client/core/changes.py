"""Changes of the store and of memory together, and what others ask for, which is done whole or not at all.

Promises: a change is one transaction; if it fails, memory is as the store is, so the two never disagree
(spec/07-client.md 7.7), and no event tells of it. What a peer asks for is done whole or not at all, whatever goes wrong
with it, and then memory is as it was before, without the work of making all of it again, so nobody can order that. A
failure of the store is none of a peer's: it is raised, so that nothing is acknowledged that isn't stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mixnet.client.model.views import Event
from mixnet.client.storage.database import Store, is_of_store
from mixnet.errors import RemoteError


class Changes(ABC):
    """A store, and memory that is changed with it; who keeps the memory says how it is made again."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._events: list[Event] = []
        self._changing = False
        self.version = 0  # rises with each change
        self.refused = 0  # how often something that a peer asked for was taken back
        self.faults = 0  # how often that was for an error that is no RemoteError, which is a fault of this program

    @abstractmethod
    def reload(self) -> None:
        """Make memory again from the store."""

    @abstractmethod
    def _remember(self) -> Callable[[], None]:
        """What makes memory again as it is now, once the store is as it is now again."""

    @property
    def changing(self) -> bool:
        """Whether a change is under way, so that nothing of it is on disk yet."""
        return self._changing

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction over store and memory; a change inside a change joins it."""
        if self._changing:
            yield
            return
        before, take_back = len(self._events), self._remember()
        self._changing = True
        try:
            with self.store.transaction():
                yield
        except BaseException as error:
            del self._events[before:]
            if isinstance(error, Exception) and not is_of_store(error):
                take_back()
            else:
                self.reload()
            raise
        finally:
            self._changing = False
            self.version += 1

    def attempt(self, do: Callable[[], object]) -> RemoteError | None:
        """Do what a peer asks for, whole or not at all; gives why it was refused, if it was.

        Whatever is raised means that, but for what the store can't do. A conversation may be another object afterwards.
        """
        with self.change():
            before, take_back = len(self._events), self._remember()
            try:
                with self.store.savepoint():
                    do()
            except Exception as error:
                if is_of_store(error):
                    raise
                del self._events[before:]
                take_back()
                return self._refusal(error)
        return None

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Whatever goes wrong inside is a RemoteError, but for what the store can't do."""
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:
            if is_of_store(error):
                raise
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> RemoteError:
        self.refused += 1
        if isinstance(error, RemoteError):
            return error
        self.faults += 1
        return RemoteError("a peer's bytes that this program could not deal with")

    def emit(self, event: Event) -> None:
        """Keep an event until it is taken."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """All events since the last call."""
        taken, self._events = self._events, []
        return taken
