# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Completion of lbd, lbctl, lbload and lbdecap for bash, installed once under each name. It asks `complete`,
# which is beside it in the installed tree.

_limpet_complete=${BASH_SOURCE[0]%/*}/../../limpet/complete

_limpet()
{
	mapfile -t COMPREPLY < <(bash "$_limpet_complete" "${COMP_WORDS[@]:0:COMP_CWORD}" \
		"${COMP_WORDS[COMP_CWORD]}" | cut -f 1)
	if [[ ${COMPREPLY[0]-} == :files ]]; then
		compopt -o default
		COMPREPLY=()
	fi
}

complete -F _limpet lbd lbctl lbload lbdecap
