"""A command line that can't be understood, in words: what is wrong, what may be meant, where to look.

See spec/09-command.md. Promises: one sentence, in the words of the help; the library's own are not shown where they
speak of its inside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mixnet import hints
from mixnet.errors import LocalError
from mixnet.help import values
from mixnet.near import nearest

if TYPE_CHECKING:
    from cyclopts import App, Argument, CycloptsError, MissingArgumentError

_KINDS = {int: "a whole number", float: "a number"}


class WrongCommandLine(LocalError):
    """The command line can't be understood: see `mixnet --help`."""


def unknown(words: list[str], app: App) -> WrongCommandLine:
    """There is no command of this name."""
    paths = _commands(app, ())
    verbs = [" ".join(path) for path in paths if path[-1] == words[0]]
    close = nearest(words[0], {path[0] for path in paths}, most=2)
    meant = " or ".join(f"`mixnet {one}`" for one in [*verbs, *close][:3])
    return WrongCommandLine(
        f"there is no command {words[0]!r}{f': did you mean {meant}?' if meant else ''} (see `mixnet --help`)"
    )


def mistake(error: CycloptsError) -> WrongCommandLine:
    """What a library's error says, to somebody who has not read its manual."""
    import cyclopts  # noqa: PLC0415  # only a mistake needs it

    problem = str(error).rstrip(".")
    chain = error.command_chain or ()
    if isinstance(error, cyclopts.UnusedCliTokensError):
        problem = f"{' '.join(map(repr, error.unused_tokens or ()))}: more than this command takes"
    elif isinstance(error, cyclopts.MissingArgumentError) and error.argument is not None:
        problem = _missing(error, error.argument)
    elif isinstance(error, cyclopts.CoercionError) and error.token is not None and error.target_type in _KINDS:
        called = error.token.keyword or (error.argument.name if error.argument is not None else "it")
        problem = f"{called} takes {_KINDS[error.target_type]}, not {error.token.value!r}"
        problem += "" if error.token.keyword else hints.beside(error.token.value)
    elif isinstance(error, cyclopts.UnknownCommandError):
        problem = (
            problem.partition(" Available commands")[0]
            .replace('"', "'")
            .replace("Unknown command", "there is no command")
        )
    return WrongCommandLine(f"{problem} (see `{' '.join(['mixnet', *chain, '--help'])}`)")


def _missing(error: MissingArgumentError, argument: Argument) -> str:
    given = error.tokens_so_far
    name = error.keyword or argument.name
    if not name.startswith("-"):
        return f"{name} is missing"
    kind = "PATH" if "Path" in str(argument.hint) else "STR" if "str" in str(argument.hint) else "INT"
    wanted = values(name, kind, argument.get_choices())
    if error.keyword is None and not argument.tokens:
        return f"{name} {wanted} is missing"
    return f"{name} takes {wanted.replace('STR', 'a word')}; {f'only {given[0]!r}' if given else 'nothing'} was given"


def _commands(app: App, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in _names(app):
        found += [(*path, name), *_commands(app[name], (*path, name))]
    return found


def _names(app: App) -> Iterable[str]:
    return (name for name in app if not name.startswith("-"))
