"""Processes that die in the middle of their work, and stores that are put back to an old copy."""

from mixnet.client.storage.database import Store


class Killed(BaseException):
    """As SIGKILL: nothing handles it."""


def dying(function, when, *, first):
    """`function`, whose process dies in its call number `when`, before or after the work."""
    calls = 0

    def wrapper(*args):
        nonlocal calls
        calls += 1
        if calls == when and first:
            raise Killed
        result = function(*args)
        if calls == when:
            raise Killed
        return result

    return wrapper


def dies(monkeypatch, store, when, work, *, first):
    """Whether the process of `store` dies in `work`, in its write number `when`, before or after it was done."""
    fatal, unharmed = dying(store.run, when, first=first), Store.run
    with monkeypatch.context() as patch:
        patch.setattr(Store, "run", lambda self, *args: fatal(*args) if self is store else unharmed(self, *args))
        try:
            work()
        except Killed:
            return True
    return False


def copy(person):
    return {path.name: path.read_bytes() for path in person.folder.glob("store.db*")}


def restore(person, saved):
    person.store._connection.close()
    for path in person.folder.glob("store.db*"):
        path.unlink()
    for name, content in saved.items():
        if not name.endswith("-shm"):
            (person.folder / name).write_bytes(content)
    person.open()
