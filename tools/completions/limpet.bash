# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Completion for lbd, lbctl, lbload and lbdecap, installed once under each name. What there is to
# type is asked of the program's own --help, and names of objects of a running lbd.

# _limpet_commands PROGRAM: its commands with their arguments, one a line.
_limpet_commands()
{
	"$1" --help 2>/dev/null | sed -nE "/^  [a-z]/{ s/^  (${1##*/} )?//; s/  .*//; p }"
}

# The first column of a list, without its heading.
_limpet_names() { "$1" "$2" list 2>/dev/null | awk 'NR > 1 { print $1 }'; }

# What an argument of that name in the help text can be.
_limpet_argument()
{
	case $2 in
	IF*) ls /sys/class/net ;;
	POOL/NAME) _limpet_names "$1" backend ;;
	POOL) _limpet_names "$1" pool ;;
	NAME) _limpet_names "$1" service ;;
	FILE) compgen -f -- "$3" ;;
	PROTO) printf 'tcp\nudp\n' ;;
	esac
}

# Options that take the next word, in all commands.
_limpet_valued='^(-[ocp]|--(output|mode|config|socket|read-only-socket|pin-dir|state-dir|user|log-level|local|port|if-match))$'

# shellcheck disable=SC2207 # words hold no spaces
_limpet()
{
	local program=$1 current=$2 previous=$3 word candidates='' line given=()

	case $previous in
	-o | --output) COMPREPLY=($(compgen -W "table wide json" -- "$current")) && return ;;
	--mode) COMPREPLY=($(compgen -W "native generic" -- "$current")) && return ;;
	-c | --config | --socket | --read-only-socket | --pin-dir | --state-dir)
		COMPREPLY=($(compgen -f -- "$current")) && return
		;;
	esac
	local before=''
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ $word == -* || $before =~ $_limpet_valued ]] || given+=("$word")
		before=$word
	done
	if [[ $current == -* ]]; then
		candidates=$("$program" "${given[@]:0:2}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+')
	else
		# The next word of each command that goes on as the line does.
		while read -ra line; do
			for ((word = 0; word < ${#given[@]}; word++)); do
				[[ ${line[word]-} == "${given[word]}" || ${line[word]-} =~ ^[[A-Z] ]] || break
			done
			((word == ${#given[@]})) || continue
			word=${line[word]-}
			word=${word#[}
			word=${word%]}
			if [[ $word =~ ^[A-Z] ]]; then
				candidates+=$(_limpet_argument "$program" "$word" "$current")$'\n'
			else
				candidates+=$word$'\n'
			fi
		done < <(_limpet_commands "$program")
	fi
	COMPREPLY=($(compgen -W "$(sort -u <<<"$candidates")" -- "$current"))
}

complete -F _limpet lbd lbctl lbload lbdecap
