# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# shells: what bash, fish and zsh complete, with what `make install PREFIX=/usr` has put below $INSTALLED,
# whose programs are the first in PATH.

# shellcheck disable=SC2034 # for who sources this
SHELLS=(bash fish zsh)
COMPLETION_DIR=$(dirname "${BASH_SOURCE[0]}")

# offered SHELL LINE: what the last word of LINE, which is only begun, can become, sorted, in one line.
offered() { "_offered_$1" "$2" | grep . | sort -u | paste -sd' '; }

_offered_bash()
{
	local COMP_WORDS COMP_CWORD COMPREPLY=()
	# shellcheck source=/dev/null
	source "$INSTALLED/usr/share/bash-completion/completions/${1%% *}"
	read -ra COMP_WORDS <<<"$1"
	[[ $1 != *' ' ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_limpet "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s\n' "${COMPREPLY[@]}"
}

_offered_fish()
{
	XDG_DATA_DIRS=$INSTALLED/usr/share HOME=$INSTALLED fish --no-config --command "
		source $INSTALLED/usr/share/fish/vendor_completions.d/${1%% *}.fish
		complete --do-complete '$1'" | cut -f 1
}

_offered_zsh() { "$COMPLETION_DIR/zsh-says" "$INSTALLED/usr/share/zsh/site-functions" "$1"; }
