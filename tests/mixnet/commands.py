"""The commands that there are."""

from cyclopts import App


def commands(app: App, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], App]:
    """Every command that runs something, by the words that call it."""
    found = {}
    for name in app:
        if not name.startswith("-"):
            command = app[name]
            inner = commands(command, (*path, name))
            found.update(inner)
            if not inner:
                found[*path, name] = command
    return found
