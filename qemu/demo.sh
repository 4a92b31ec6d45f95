#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Shows the ioctl at work on a real process, by way of procmap, and checks each
# answer against another witness: the dynamic loader, /proc/PID/maps, and what
# readelf said of the same files outside of the VM (/demo/build-ids).

set -u

cd /demo || exit 2
checks=0
wrong=0

# check WHAT WANTED GOT
check() {
	checks=$((checks + 1))
	[ "$2" != "$3" ] || return 0
	wrong=$((wrong + 1))
	echo "WRONG: $1"
	echo "    wanted: $2"
	echo "    got:    $3"
}

title() {
	printf '\n=== %s\n\n' "$*"
}

show() {
	echo "\$ $*"
	"$@"
}

# The last field of the one line about address $1.
path_at() {
	procmap -p "$pid" --width=0 "$1" | awk 'NR == 2 { print $NF }'
}

/usr/bin/demo >addresses &
pid=$!
until grep -q ready addresses; do
	kill -0 "$pid" || exit 2
	usleep 10000
done
sed -i /ready/d addresses

title "Which mapping is at these addresses of process $pid?"
awk '{ printf "%-12s %s\n", $2, $1 }' addresses
echo
# shellcheck disable=SC2046 # words
show procmap -p "$pid" --build-id $(awk '{ print $2 }' addresses)
check "exit status of the look-up" 0 $?
while read -r what address file; do
	[ "${file#/}" = "$file" ] || file=$(readlink -f "$file")
	check "the file at $what" "$file" "$(path_at "$address")"
done <addresses

title "An address that nothing is mapped at"
show procmap -p "$pid" 1000
status=$?
echo "exit status $status"
check "exit status of a miss" 1 $status

title "Only the executable mappings of files, and where they come from"
show procmap -p "$pid" --exec --file --build-id
check "exit status of the walk" 0 $?
procmap -p "$pid" --width=0 --exec --file --build-id | sed 1d >walk

title "The same process in the text of /proc/$pid/maps"
cat "/proc/$pid/maps"
awk '$2 ~ /x/ && $5 != 0 { print $1, $2, $3, $4, $5, $6 }' \
	"/proc/$pid/maps" >text
check "the executable mappings" "$(cat text)" \
	"$(awk '{ print $1, $2, $3, $4, $5, $7 }' walk)"

title "Their build IDs, beside what readelf says of the files outside of the VM"
while read -r _ _ _ _ _ id path; do
	wanted=$(awk -v path="$path" '$1 == path { print $2 }' build-ids)
	same='is the same'
	[ "$id" = "$wanted" ] || same="is NOT readelf's $wanted"
	printf '%s %s\n    %s\n' "$id" "$same" "$path"
	check "the build ID of $path" "$wanted" "$id"
done <walk

kill "$pid"
echo
if [ $wrong != 0 ]; then
	echo "FAILED: $wrong of $checks answers are wrong."
	exit 1
fi
echo "PASSED: $checks answers, each as the loader, the text and readelf say."
