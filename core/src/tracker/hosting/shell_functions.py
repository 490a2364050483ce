"""The operator's short shell functions of a source, and the words that none of them may hide."""

from __future__ import annotations

import shutil

from tracker.contract.sources import Source

# Reserved words and builtins of bash, zsh and fish that letters alone make (`compgen -bk`;
# `print -l ${(k)builtins} ${(k)reswords}`; `builtin -n`).
_BUILTINS = """
abbr alias and argparse autoload begin bg bind bindkey block break breakpoint builtin bye caller case cd chdir command
compadd compcall compctl compfiles compgen compgroups complete compopt compquote compset comptags comptry compvalues
contains continue coproc count declare dirs disable disown do done echo echotc echoti elif else emit emulate enable
end esac eval exec exit export false fc fg fi float for foreach function functions getln getopts hash help history if
in integer jobs kill let limit local log logout mapfile math nocorrect noglob not or path popd print printf private
pushd pushln pwd r random read readonly realpath rehash repeat return sched select set setopt shift shopt source
status string suspend switch test then time times trap true ttyctl type typeset ulimit umask unalias unfunction unhash
unlimit unset unsetopt until vared wait whence where which while zcompile zformat zle zmodload zparseopts zstyle
"""
# POSIX's utilities of up to nine letters and a few that are as common: they may be missing here and present elsewhere
_PROGRAMS = """
ar at awk basename batch bc c cal cat cc chgrp chmod chown cksum cmp comm compress cp crontab csplit ctags cut date dd
df diff dig dirname du ed egrep env ex expand expr file find fold fuser gcc gencat git grep gzip head host iconv id
install ip ipcrm ipcs join ld less lex link ln locale localedef logger logname lp ls lsof m mailx make man mesg mkdir
mkfifo more mount mv nc newgrp nice nl nm nohup passwd paste patch pathchk pax pip ping pr prs ps python rm rmdir
rmdel rsync sact sccs scp sed seq sh sleep sort split ss ssh stat strings strip stty su sudo sum sync tabs tail talk
tar tee top touch tput tr tsort tty uname unexpand unget uniq unlink unzip uptime uucp uustat uux val vi vim w wc what
wget who write xargs yacc yes zip
"""
# operators have typed these two since the first release, although an assembler and an octal dump have their names
OPERATORS = frozenset(("as", "od"))


def shell_names(source: Source) -> dict[str, str]:
    """The operator's shell functions of a source, each with the words that follow `tracker`."""
    if source.prefix is None:
        return {}
    if source.kind != "status":
        return {source.prefix: f"ingest {source.name}"}
    prefix, name = source.prefix, source.name
    return {
        f"{prefix}s": f"alias start {name}",
        f"{prefix}e": f"alias end {name}",
        f"{prefix}x": f"alias cross {name}",
        f"{prefix}d": f"alias delete {name}",
        f"{prefix}d1": f"alias delete {name} --phase after --index 1",
        f"{prefix}d2": f"alias delete {name} --phase after --index 2",
    }


def shadowed(source: Source) -> list[str]:
    """The source's shell functions that would hide a builtin, or a program that is common or found on the PATH."""
    names = shell_names(source).keys() - OPERATORS
    reserved = {*_BUILTINS.split(), *_PROGRAMS.split()}
    return sorted(name for name in names if name in reserved or shutil.which(name))
