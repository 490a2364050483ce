"""Words that no shell function may hide."""

from __future__ import annotations

import shutil

# Reserved words and builtins of bash, zsh and fish that letters alone make (`compgen -bk`;
# `print -l ${(k)builtins} ${(k)reswords}`; `builtin -n`).
BUILTINS = """
abbr alias and argparse autoload begin bg bind bindkey block break breakpoint builtin bye caller case cd chdir command
compadd compcall compctl compfiles compgen compgroups complete compopt compquote compset comptags comptry compvalues
contains continue coproc count declare dirs disable disown do done echo echotc echoti elif else emit emulate enable
end esac eval exec exit export false fc fg fi float for foreach function functions getln getopts hash help history if
in integer jobs kill let limit local log logout mapfile math nocorrect noglob not or path popd print printf private
pushd pushln pwd r random read readonly realpath rehash repeat return sched select set setopt shift shopt source
status string suspend switch test then time times trap true ttyctl type typeset ulimit umask unalias unfunction unhash
unlimit unset unsetopt until vared wait whence where which while zcompile zformat zle zmodload zparseopts zstyle
"""
# operators have typed these two since the first release, although an assembler and an octal dump have their names
OPERATORS = frozenset(("as", "od"))


def is_taken(word: str) -> bool:
    """Whether a shell function of that name would hide a builtin or a program that is found on the PATH."""
    return word not in OPERATORS and (word in BUILTINS.split() or shutil.which(word) is not None)
