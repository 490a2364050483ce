# Source this in bash or zsh, with the environment of tracker active: the operator's short functions, in the lane that
# AGENT_ID names, exported or not. Source it again for another lane; without AGENT_ID the functions name none.
# shellcheck shell=bash
eval "$(
  if [ -n "${ZSH_VERSION-}" ]; then set -- zsh; else set -- bash; fi
  if ! command -v tracker >/dev/null; then
    echo 'error: there is no tracker on the PATH; activate its environment, then source this again' >&2
    echo 'return 1'
  else
    command tracker --agent="${AGENT_ID-}" shell-init "$1" || echo 'return 1'
  fi
)"
