"""`tracker help`: a word of the glossary, or a command's help."""

from __future__ import annotations

import click

from tracker.kernel import Command, session


@click.command("help", cls=Command, epilog="tracker help capacity")
@click.argument("words", nargs=-1, metavar="[WORD | COMMAND...]")
@click.pass_context
def command(context: click.Context, words: tuple[str, ...]) -> None:
    """Explain a word such as `capacity`, or show a command's help."""
    from tracker.kernel import near
    from tracker_desk.glossary import GLOSSARY, entry

    root, here = context.find_root(), session()
    group = root.command
    assert isinstance(group, click.Group)
    commands = group.list_commands(root)
    name = words[0].lower() if words else ""
    meaning = entry(name) if len(words) == 1 else None
    if meaning and here.json:
        here.data({"word": name, "meaning": meaning})
        return
    if meaning:
        here.show(f"{name}: {meaning}")
        if name not in commands:
            return
        # the word is also a command
        click.echo()
    elif name and group.get_command(root, name) is None:
        hint = near(name, [*commands, *GLOSSARY])
        if not hint.startswith("Did you mean"):
            hint = "`tracker help` lists both."
        raise click.UsageError(f"No word or command {words[0]!r}. {hint}")
    group.main([name, *words[1:], "--help"] if name else ["--help"], prog_name=root.info_name, standalone_mode=False)
    if not name:
        found = click.wrap_text(", ".join(GLOSSARY), (context.terminal_width or 80) - 2, "  ", "  ")
        here.show(f"\nWords (`tracker help WORD`):\n{found}")
