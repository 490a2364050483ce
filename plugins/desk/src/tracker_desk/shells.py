"""Text for bash, zsh or fish: short functions made from the sources' declarations, and completion."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

TEXT_COMMANDS = ("alias start", "alias end", "alias cross", "ingest")

# the program reads standard input unless a file is named, as the first word or as any existing file
SH_TEXT = """\
function {name} {{
  \\local word
  case "${{1-}}" in
    "" | -*) ;;
    *) {call} "$@"; return ;;
  esac
  for word in "$@"; do
    case "$word" in
      --file | --file=* | --auto) {call} "$@"; return ;;
    esac
    if [[ -e $word ]]; then {call} "$@"; return; fi
  done
  {call} --stdin "$@"
}}
"""
SH_PLAIN = """\
function {name} {{
  {call} "$@"
}}
"""
FISH_TEXT = """\
function {name} --description {about}
    if string match --quiet --regex '^[^-]' -- "$argv[1]"
        {call} $argv
        return
    end
    for word in $argv
        switch $word
            case --file '--file=*' --auto
                {call} $argv
                return
        end
        if test -e "$word"
            {call} $argv
            return
        end
    end
    {call} --stdin $argv
end
"""
FISH_PLAIN = """\
function {name} --description {about}
    {call} $argv
end
"""
# click's own scripts leave variables behind (bash: type, value, completion; zsh: type, key, descr), glob what they are
# given, and fail if compinit has not run or bash is older than 4.4; the protocol is click's.
BASH = """\
_tracker_completion() {
  local IFS=$'\\n' response completion kind value
  COMPREPLY=()
  response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
    "$1" completion bash --ask 2>/dev/null)
  while IFS= read -r completion; do
    kind=${completion%%,*} value=${completion#*,}
    case "$kind" in
      plain) COMPREPLY+=("$value") ;;
      dir) compopt -o dirnames 2>/dev/null ;;
      file) compopt -o default 2>/dev/null ;;
    esac
  done <<< "$response"
  return 0
}
complete -o nosort -F _tracker_completion tracker 2>/dev/null || complete -F _tracker_completion tracker
"""
ZSH = """\
_tracker_completion() {
  local -a response plain described
  local kind value about
  response=("${(@f)$(env COMP_WORDS="${(j: :)words}" COMP_CWORD=$((CURRENT - 1)) \\
    "${words[1]}" completion zsh --ask 2>/dev/null)}")
  for kind value about in "${response[@]}"; do
    case "$kind" in
      plain) if [[ "$about" == _ ]]; then plain+=("$value"); else described+=("$value:$about"); fi ;;
      dir) _path_files -/ ;;
      file) _path_files -f ;;
    esac
  done
  if (( $#described )); then _describe -V unsorted described -U; fi
  if (( $#plain )); then compadd -U -V unsorted -a plain; fi
}
if typeset -f compdef >/dev/null; then compdef _tracker_completion tracker; fi
"""
FISH = """\
function __tracker_completion
    set -l words (commandline -cp)
    set -l word (commandline -t)
    for completion in (env COMP_WORDS="$words" COMP_CWORD="$word" tracker completion fish --ask 2>/dev/null)
        set -l parts (string split --max 1 , -- $completion)
        switch $parts[1]
            case plain
                echo $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
        end
    end
end
complete --command tracker --no-files --arguments '(__tracker_completion)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def script(shell: str, named: Mapping[str, str], options: Iterable[str]) -> str:
    """The definitions; `options` are the global ones that every function passes on, such as the lane."""
    quote = _fish_quoted if shell == "fish" else _quoted
    text, plain = (FISH_TEXT, FISH_PLAIN) if shell == "fish" else (SH_TEXT, SH_PLAIN)
    start, definitions = " ".join(map(quote, (program(), *options))), []
    for name, words in named.items():
        form = text if words.startswith(TEXT_COMMANDS) else plain
        definitions.append(form.format(name=name, call=f"{start} {words}", about=quote(f"tracker {words}")))
    return "".join(definitions)


def program() -> str:
    """The `tracker` of this environment, so that functions work even off the PATH; else the one on the PATH."""
    beside = Path(sys.executable).with_name("tracker")
    return str(beside) if beside.is_file() else "tracker"


def _quoted(text: str) -> str:
    """Quoted even if that is not needed, so that no alias can replace the word."""
    quoted = shlex.quote(text)
    return quoted if quoted != text or text.startswith("-") else f"'{text}'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
