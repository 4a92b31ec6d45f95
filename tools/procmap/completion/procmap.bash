# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of procmap(1) for bash.

_procmap()
{
	local cur=$2 prev=$3
	local options='--pid= --read --write --exec --shared --file --next
		--elf-address --file-offset --symbolize --debug-dir= --debuginfod
		--return-addresses --answers-only --build-id --page-size --json
		--width= --help --version'

	COMPREPLY=()
	# bash makes a word of the = in --pid=1
	[[ $cur == = ]] && cur=
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	case $prev in
	-p | --pid)
		options="self $(cd /proc && echo [0-9]*)"
		;;
	--symbolize)
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		return
		;;
	--debug-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--width | --debuginfod)
		return
		;;
	*)
		if [[ $cur != -* ]]; then
			# Addresses come behind -p PID, else it is PIDs.
			[[ " ${COMP_WORDS[*]} " == *' -'@(p|-pid)* ]] && return
			options="self $(cd /proc && echo [0-9]*)"
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
	return 0
}

complete -F _procmap procmap
