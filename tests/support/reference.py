"""The page of commands, made from the program: `python tests/support/reference.py > docs/reference/commands.md`."""

from __future__ import annotations

from collections.abc import Iterator

import click

HEAD = """\
# Commands

Every command with its options, as the program prints it. Made from the program; a test compares it.

`tracker help WORD` explains a word or a command. Every command also takes the global options:
`--data-dir DIR`, `--agent ID`, `--json`, `--quiet`, `--no-color`.
"""


def page() -> str:
    """The whole page."""
    from tracker.cli.main import main
    from tracker.hosting.discovery import commands

    root = click.Context(main, info_name="tracker", terminal_width=100, max_content_width=100)
    parts = [HEAD]
    groups: dict[str, list[str]] = {}
    for name, declared in commands().items():
        if " " not in name:
            groups.setdefault(declared.group, []).append(name)
    for group, names in groups.items():
        parts.append(f"## {group}\n")
        for name in names:
            command = main.get_command(root, name)
            assert command is not None
            parts += _sections(command, root, name)
    return "\n".join(parts)


def _sections(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name, terminal_width=100, max_content_width=100)
    text = command.get_help(context).partition("\n\nGlobal options:")[0].rstrip()
    yield f"### {context.command_path}\n\n```text\n{text}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from _sections(found, context, each)


if __name__ == "__main__":
    print(page(), end="")
