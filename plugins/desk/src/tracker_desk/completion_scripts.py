"""What a shell reads to ask the program for completions; the protocol is click's."""

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
  emulate -L zsh
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
