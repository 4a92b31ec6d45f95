#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of procmap, for any POSIX shell and for busybox: test.sh DIR, where DIR
# has procmap and, in tests/, what "make tests" builds. Prints TAP. Exit status:
# 0 all passed, 1 something failed, 4 the kernel has no PROCMAP_QUERY.
#
# Quoted dollars are meant for awk:
# shellcheck disable=SC2016

set -u
bin=$(cd "${1:-.}" && pwd) || exit 2
schema=$(cat "$(dirname "$0")/schema.jq") || exit 2
export LC_ALL=C
unset LD_PRELOAD COLUMNS
tmp=$(mktemp -d "${TMPDIR:-/tmp}/procmap-test.XXXXXX") || exit 2
target=
other=
nr=0
failed=0
status=

clean_up()
{
	stop "$target"
	stop "$other"
	rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 2' HUP INT PIPE TERM

stop()
{
	if [ -n "$1" ] && kill -KILL "$1" 2>/dev/null; then
		wait "$1" 2>/dev/null
	fi
	return 0
}

# run DESCRIPTION FUNCTION: a test passes if its function returns 0 and has not
# set $skip to a reason.
run()
{
	nr=$((nr + 1))
	skip=
	: >"$tmp/out"
	: >"$tmp/err"
	if "$2" >"$tmp/log" 2>&1; then
		echo "ok $nr - $1${skip:+ # SKIP $skip}"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $nr - $1"
	for part in log out err; do
		cat -v "$tmp/$part" | sed "s/^/# $part: /" | cut -c 1-300 |
			head -n 20
	done
}

# wait_until COMMAND...: for five seconds
wait_until()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || return 1
		sleep 0.1 2>/dev/null || sleep 1
	done
}

# start_target [PROGRAM]: sets $started; its mappings are told in $started_maps
start_target()
{
	dir=$(mktemp -d "$tmp/dir.XXXXXX")
	started_maps=$dir/maps
	"${1:-$bin/tests/target}" maps "$dir" >"$started_maps" &
	started=$!
	wait_until grep -qs '^ready$' "$started_maps" || {
		echo "Bail out! the target does not start"
		exit 1
	}
}

start_other()
{
	stop "$other"
	start_target "$@"
	other=$started
	other_maps=$started_maps
}

get()
{
	sed -n "s/^$1 //p" "${2:-$maps}"
}

# add ADDRESS NUMBER
add()
{
	printf '%x' $((0x$1 + $2))
}

# pm ARGUMENT...: runs procmap, keeps what it says and its status
pm()
{
	"$bin/procmap" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

# shim SETTING... -- ARGUMENT...: runs procmap with the shim before the kernel
shim()
{
	settings=
	while [ "$1" != -- ]; do
		settings="$settings $1"
		shift
	done
	shift
	# shellcheck disable=SC2086
	env $settings LD_PRELOAD="$bin/tests/shim.so" "$bin/procmap" "$@" \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
}

exits()
{
	[ "$status" -eq "$1" ] && return
	echo "exit status $status, not $1"
	return 1
}

says()
{
	grep -qF -e "$1" "$tmp/out" && return
	echo "standard output lacks: $1"
	return 1
}

complains()
{
	grep -qF -e "$1" "$tmp/err" && return
	echo "standard error lacks: $1"
	return 1
}

says_nothing()
{
	[ ! -s "$tmp/out" ] && return
	echo "standard output is not empty"
	return 1
}

quiet()
{
	[ ! -s "$tmp/err" ] && return
	echo "standard error is not empty"
	return 1
}

lines()
{
	[ "$(wc -l <"$tmp/out")" -eq "$1" ] && return
	echo "$(wc -l <"$tmp/out") lines, not $1"
	return 1
}

# same FILE FILE
same()
{
	cmp -s "$1" "$2" && return
	diff -u "$1" "$2" | head -n 40
	return 1
}

# What is said is JSON Lines as promised, in ASCII alone.
json()
{
	grep -n '[^ -~]' "$tmp/out" && return 1
	command -v jq >/dev/null || { skip="no jq"; return; }
	jq -R -n -e "$schema" <"$tmp/out"
}

# --- walks

# Lines in one form: no zeros in front, one space between; what text and table
# are meant to write differently is left out.
normalise()
{
	awk '
	/\[vsyscall\]|\/hostile\// || $1 == "START-END" || / \(path too/ { next }
	{
		sub(/^0+/, "")
		sub(/-0+/, "-")
		gsub(/ +/, " ")
		sub(/ $/, "")
		print
	}'
}

# filter_text AWK-CONDITION
filter_text()
{
	awk "$1" "/proc/$target/maps" | normalise >"$tmp/expected"
}

walk_equals()
{
	condition=$1
	shift
	filter_text "$condition"
	[ -s "$tmp/expected" ] || [ "$condition" = 0 ] || return 1
	pm -p "$target" "$@"
	normalise <"$tmp/out" >"$tmp/walk"
	exits 0 && quiet && same "$tmp/expected" "$tmp/walk"
}

t_walk() { walk_equals 1; }
t_walk_exec() { walk_equals '$2 ~ /x/' --exec; }
t_walk_read() { walk_equals '$2 ~ /r/' --read; }
t_walk_write() { walk_equals '$2 ~ /w/' --write; }
t_walk_shared() { walk_equals '$2 ~ /s/' --shared; }
t_walk_file() { walk_equals '$5 != 0' --file; }
t_walk_all() { walk_equals '$2 ~ /rw.s/ && $5 != 0' --read --write --shared --file; }
t_walk_exec_file() { walk_equals '$2 ~ /x/ && $5 != 0' --exec --file; }

t_walk_none()
{
	start_other
	pm -p "$target" --shared --exec
	exits 1 && says_nothing && complains "process $target has no such mapping"
}

t_self()
{
	pm
	exits 0 && says /procmap && pm -p self && exits 0 && says /procmap &&
		pm --pid=self --exec && exits 0 && says /procmap
}

t_walk_build_id()
{
	command -v readelf >/dev/null || { skip="no readelf"; return; }
	id=$(readelf -n "$bin/tests/target" | awk '/Build ID:/ { print $3 }')
	pm -p "$target" --exec --file --build-id
	exits 0 && says "$id $bin/tests/target"
}

t_no_build_id()
{
	pm -p "$target" --file --write --shared --build-id
	exits 0 && says " -                                        $(dirname "$maps")/shared"
}

# --- lookups

# finds ADDRESS NAME-PART
finds()
{
	pm -p "$target" "$1"
	exits 0 && quiet && lines 2 && says "$2"
}

t_lookup()
{
	lib=$(get lib1)
	finds "$lib" "/lib1" &&
		finds "$(add "$lib" 1048575)" "$lib-$(add "$lib" 1048576) r-xp" &&
		finds "$(get heap)" '[heap]' && finds "$(get stack)" '[stack]' &&
		finds "$(get memfd)" '/memfd:memory (deleted)' &&
		finds "$(get deleted)" '/deleted (deleted)' &&
		finds "$(get none)" ' ---p ' &&
		finds "$(get shared)" ' rw-s '
}

t_named()
{
	[ -n "$(get named)" ] || { skip="kernel without ANON_VMA_NAME"; return; }
	finds "$(get named)" '[anon:a name]'
}

t_edges()
{
	hole=$(get hole)
	finds "$(add "$hole" -1)" "$(get below-hole)-$hole" &&
		finds "$(add "$hole" 4096)" "$(get above-hole)-" || return
	pm -p "$target" "$(add "$hole" -1)" "$hole" "$(add "$hole" 4096)"
	exits 1 && says "$hole not found" &&
		[ "$(grep -c -- - "$tmp/out")" -eq 3 ] || return
	for addr in "$hole" "$(add "$hole" 4095)" 0 ffffffffffffffff; do
		pm -p "$target" "$addr"
		exits 1 && quiet && says " not found" || return
	done
}

t_order()
{
	a=$(get lib1)
	b=$(get heap)
	c=$(get hole)
	pm -p "$target" "$c" "$a" "$b" "$a" "$c"
	awk 'NR > 1 { print $1 ($2 == "not" ? " not" : "") }' "$tmp/out" |
		sed 's/^0*//' >"$tmp/order"
	printf '%s\n' "$c not" "$a" "$b" "$a" "$c not" >"$tmp/expected"
	exits 1 && same "$tmp/expected" "$tmp/order"
}

t_forms()
{
	addr=$(get lib1)
	upper=$(echo "$addr" | tr a-f A-F)
	for form in "0x$addr" "0X$upper" "$upper" "0000$addr"; do
		finds "$form" /lib1 || return
	done
	for form in zz 0x '' "${addr}g" 10000000000000000 -- 1.5 '0x 1'; do
		[ "$form" = -- ] && continue
		pm -p "$target" "$form"
		exits 2 && says_nothing && complains "is not an address" || return
	done
}

t_next()
{
	pm -p "$target" --next "$(get hole)"
	exits 0 && says " $(get above-hole)-" || return
	pm -p "$target" --next "$(get hole)" --exec --file
	exits 0 && says " r-xp " || return
	pm -p "$target" --next ffffffffffffffff
	exits 1 && says "not found"
}

t_filtered_lookup()
{
	pm -p "$target" --exec "$(get lib1)" "$(get heap)" "$(get outer)"
	exits 1 && says "/lib1" && says "not found" && says "/target" && lines 4
}

# A thousand addresses in five libraries, in no order
thousand()
{
	for lib in lib1 lib2 lib3 lib4 lib5; do
		get $lib
	done | {
		read -r a && read -r b && read -r c && read -r d && read -r e
		i=0
		while [ $i -lt 200 ]; do
			off=$((i * 7919 % 1048576))
			printf '%x\n' $((0x$a + off)) $((0x$b + off)) \
				$((0x$c + off)) $((0x$d + off)) $((0x$e + off))
			i=$((i + 1))
		done
	}
}

queries()
{
	[ "$(cat "$tmp/count")" -le "$1" ] && return
	echo "$(cat "$tmp/count") queries, more than $1"
	return 1
}

t_few_queries()
{
	# shellcheck disable=SC2046
	shim SHIM_COUNT="$tmp/count" -- -p "$target" $(thousand)
	exits 0 && lines 1001 && queries 5
}

t_few_queries_input()
{
	thousand >"$tmp/in"
	shim SHIM_COUNT="$tmp/count" -- -p "$target" - <"$tmp/in"
	exits 0 && lines 1001 && queries 5
}

t_few_queries_gap()
{
	hole=$(get hole)
	# shellcheck disable=SC2046
	shim SHIM_COUNT="$tmp/count" -- -p "$target" \
		$(seq 0 499 | while read -r i; do add "$hole" "$i"; echo; done)
	exits 1 && lines 501 && queries 1 || return
	# shellcheck disable=SC2046
	shim SHIM_COUNT="$tmp/count" -- -p "$target" --exec --file \
		$(seq 0 499 | while read -r i; do add ffffffffffff0000 "$i"; echo; done)
	exits 1 && lines 501 && queries 1
}

# calls FILE NAME: from what strace -c says, a table each for 32 and 64 bits
calls()
{
	awk -v name="$2" '$NF == name { sum += $4 } END { print sum + 0 }' \
		"$tmp/$1"
}

traced()
{
	table=$tmp/$1
	shift
	strace -c -o "$table" "$bin/procmap" -p "$target" "$@" \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
}

# Five queries and one for the width of the terminal, all that is said written
# in pieces of 64 KiB, and no more of other calls than memory takes.
few_calls()
{
	exits 0 && lines 1001 && [ "$(calls many ioctl)" -eq 6 ] &&
		[ "$(calls many write)" -le 3 ] &&
		[ "$(calls many total)" -le $(($(calls one total) + 20)) ] &&
		return
	cat "$tmp/many"
	return 1
}

t_few_calls()
{
	strace -c -o /dev/null true || { skip="no strace"; return; }
	traced one "$(get lib1)"
	# shellcheck disable=SC2046
	traced many $(thousand)
	few_calls || return
	thousand >"$tmp/in"
	traced many - <"$tmp/in"
	few_calls
}

# --- standard input

said_lines()
{
	[ "$(wc -l <"$tmp/out")" -ge "$1" ]
}

# The next line is written only when the one before has been answered.
t_stream()
{
	mkfifo "$tmp/fifo"
	"$bin/procmap" -p "$target" - <"$tmp/fifo" >"$tmp/out" 2>"$tmp/err" &
	reader=$!
	exec 5>"$tmp/fifo"
	for i in 1 2 3; do
		get lib$i >&5
		wait_until said_lines $((i + 1)) || {
			echo "line $i is not answered while the input is open"
			stop $reader
			return 1
		}
	done
	exec 5>&-
	wait $reader
	status=$?
	exits 0 && says /lib3
}

t_trace()
{
	lib=$(get lib1)
	heap=$(get heap)
	cat >"$tmp/in" <<-END
	Thread 1 (LWP 12):
	#0  0x$lib in read (fd=0x1) from /lib/libc.so.6
	./program(main+0x12) [0x$heap]
	 <0x$lib>: call
	    $lib main+0x12 (/usr/bin/program)

	END
	printf '0x%s' "$heap" >>"$tmp/in"
	pm -p "$target" - <"$tmp/in"
	exits 0 && quiet && lines 8 && says "Thread 1 (LWP 12):" &&
		[ "$(grep -c '/lib1$' "$tmp/out")" -eq 3 ] &&
		[ "$(grep -c '\[heap\]$' "$tmp/out")" -eq 2 ]
}

# feed FORMAT ARGUMENT...: runs procmap on what printf makes of it
feed()
{
	# shellcheck disable=SC2059
	printf "$@" >"$tmp/in"
	pm -p "$target" - <"$tmp/in"
}

t_input_statuses()
{
	lib=$(get lib1)
	feed '%s\r\n\n' "$lib"
	exits 0 && quiet && says /lib1 || return
	feed '%s\n10\n' "$lib"
	exits 1 && says /lib1 && says "10 not found" || return
	feed 'no addresses here\n'
	exits 1 && says "no addresses here" &&
		complains "no address on standard input" || return
	feed ''
	exits 1 && says_nothing && complains "no address on standard input"
}

t_odd_input()
{
	{
		head -c 200000 /dev/zero | tr '\0' y
		printf '\nnul \0 byte\nred \033[31m\n11112222333344445\n%s\n' \
			"$(get lib1)"
	} >"$tmp/in"
	pm -p "$target" - <"$tmp/in"
	exits 0 && lines 9 && says /lib1 && says 'red \033[31m' &&
		says 'nul \000 byte' && says 11112222333344445
}

# Words that are hexadecimal by chance
t_words()
{
	printf '%s\n' 'Bad address' '12 threads' 'a b' '  10 ' 'deadbeef x' \
		>"$tmp/in"
	pm -p "$target" - <"$tmp/in"
	exits 1 && lines 6 && says 'Bad address' && says '12 threads' &&
		says 'a b' && says '10 not found' &&
		says 'deadbeef not found'
}

# --- names

expected_names()
{
	cat <<-'END'
	control red\033[31m bell\007 tab\011 line\012feed del\177
	backslash back\134slash
	quotes it's "so"
	latin1 caf\351
	c1 csi\302\23331m
	bidi txt\342\200\256exe
	separator line\342\200\250end
	overlong over\300\257long
	surrogate sur\355\240\200rogate
	cut cut\342\202
	json },{"path":null
	END
	printf 'utf8 %s\n' "$1"
}

# names_are: the expected names on standard input
names_are()
{
	hostile=$(dirname "$maps")/hostile
	while read -r name path; do
		finds "$(get "$name")" "$hostile/$path" || return
	done
}

t_hostile()
{
	expected_names 'caf\303\251 \346\226\207 \360\237\220\247' | names_are
}

t_hostile_utf8()
{
	[ "$(LC_ALL=C.UTF-8 "$bin/tests/target" codeset)" = UTF-8 ] || {
		skip="no locale C.UTF-8"
		return
	}
	(
		export LC_ALL=C.UTF-8
		expected_names 'café 文 🐧' | names_are
	)
}

t_no_control()
{
	pm -p "$target"
	LC_ALL=C tr -d '\n\040-\176' <"$tmp/out" >"$tmp/rest"
	exits 0 && says hostile && [ ! -s "$tmp/rest" ]
}

t_reversible()
{
	pm -p "$target" "$(get control)"
	printf '%b' "$(sed -n 's/.*hostile\///p' "$tmp/out")" >"$tmp/name"
	printf 'red\033[31m bell\a tab\t line\nfeed del\177' >"$tmp/expected"
	same "$tmp/expected" "$tmp/name"
}

t_long_path()
{
	long=$(get long)
	pm -p "$target" "$long" "$(get lib1)"
	exits 0 && says "$long $long-" && says "(path too long" && says /lib1 ||
		return
	pm -p "$target" --json "$long"
	exits 0 && says '"path":null,"path_too_long":true}' && json
}

# --- JSON

t_json_walk()
{
	pm -p "$target" --json --build-id
	exits 0 && json &&
		lines "$(grep -vc '\[vsyscall\]' "/proc/$target/maps")"
}

t_json_lookup()
{
	lib=$(get lib1)
	inode=$(stat -c %i "$(dirname "$maps")/lib1")
	pm -p "$target" --json "$(add "$lib" 16)" 10
	exits 1 && json && lines 2 && says '{"address":"0x10","found":false}' &&
		says "{\"address\":\"0x$(add "$lib" 16)\",\"found\":true,\"start\":" &&
		says "\"start\":\"0x$lib\",\"end\":\"0x$(add "$lib" 1048576)\"," &&
		says "\",\"perms\":\"r-xp\",\"offset\":\"0x0\",\"dev\":\"" &&
		says "\",\"inode\":$inode,\"page_size\":4096,\"path\":\"$(dirname "$maps")/lib1\"}"
}

t_json_names()
{
	hostile=$(dirname "$maps")/hostile
	pm -p "$target" --json
	exits 0 && json &&
		says "\"$hostile/red\\u001b[31m bell\\u0007 tab\\u0009 line" &&
		says "line\\u000afeed del\\u007f\"}" &&
		says "\"$hostile/back\\\\slash\"}" &&
		says "\"$hostile/it's \\\"so\\\"\"}" &&
		says "\"$hostile/csi\\u009b31m\"}" &&
		says "\"$hostile/caf\\u00e9 \\u6587 \\ud83d\\udc27\"}" &&
		says "/hostile/caf\\ufffd\",\"path_hex\":\"2f" &&
		says "636166e9\"}" &&
		says "/hostile/over\\ufffd\\ufffdlong\",\"path_hex\":\"2f"
}

t_json_input()
{
	printf 'text \033 "\n0x%s\n' "$(get heap)" >"$tmp/in"
	pm -p "$target" --json - <"$tmp/in"
	exits 0 && json && lines 2 && says '{"text":"text \u001b \""}' &&
		says '"path":"[heap]"}'
}

# What a parser makes of each name is the name.
t_json_round_trip()
{
	command -v jq >/dev/null || { skip="no jq"; return; }
	pm -p "$target" --json
	for file in "$(dirname "$maps")/hostile"/*; do
		hex=$(printf %s "$file" | od -A n -t x1 -v | tr -d ' \n')
		jq -n -e --arg path "$file" --arg hex "$hex" '[inputs | select(
			if .path_hex then .path_hex == $hex
			else .path == $path end)] | length == 1' <"$tmp/out" || {
			echo "not found: $file"
			return 1
		}
	done
}

# The schema itself must be able to say no.
t_json_schema()
{
	command -v jq >/dev/null || { skip="no jq"; return; }
	good='"start":"0x1","end":"0x2","perms":"r-xp","offset":"0x0"'
	good=$good',"dev":"00:00","inode":0,"page_size":4096,"path":null'
	for line in "{$good}" "{\"address\":\"0x1\",\"found\":true,$good}" \
		'{"text":"x"}' '{"address":"0x1","found":false}'; do
		echo "$line" >"$tmp/out"
		json || return
	done
	for line in '' '{' "{$good} {$good}" "{$good,}" "{$good,\"x\":1}" \
		'[]' '{"text":1}' '{"text":"x","path":null}' '{"start":"0x1"}' \
		"{\"address\":\"0x1\",\"found\":false,$good}" \
		"{$(echo "$good" | sed 's/"0x1"/1/')}" \
		"{$(echo "$good" | sed 's/r-x/rxw/')}" '{"text":"é"}'; do
		echo "$line" >"$tmp/out"
		json && return 1
	done
	: >"$tmp/out"
	! json
}

# --- widths

# fits COLUMNS
fits()
{
	awk -v max="$1" 'length > max { print length ": " $0; bad = 1 }
		END { exit bad }' "$tmp/out"
}

t_widths()
{
	for width in 80 81 100 132 200; do
		pm -p "$target" --width "$width"
		exits 0 && fits "$width" || return
		pm -p "$target" --width "$width" --build-id
		exits 0 && fits "$width" || return
		pm -p "$target" --width "$width" "$(get lib1)" "$(get control)" 0
		exits 1 && fits "$width" && says lib1 || return
	done
	for width in 44 54 60 67; do
		pm -p "$target" --width "$width"
		exits 0 && fits "$width" || return
		pm -p "$target" --width "$width" "$(get lib1)" "$(get control)" 0
		exits 1 && fits "$width" && says lib1 || return
	done
}

t_shortened()
{
	pm -p "$target" --width 80 --exec --file
	exits 0 && says " ..." && says /tests/target || return
	pm -p "$target" --width 70 "$(get lib1)"
	exits 0 && says "    $(dirname "$maps")/lib1" && lines 4 || return
	pm -p "$target" --width 54 "$(get lib1)"
	exits 0 && says "    $(dirname "$maps")/lib1" && lines 6
}

t_terminal()
{
	shim SHIM_COLUMNS=80 -- -p "$target"
	exits 0 && fits 80 && says " ..." || return
	shim SHIM_COLUMNS=80 -- -p "$target" --width 0
	exits 0 && says "$(dirname "$maps")/hostile/it's" || return
	fits 80 >/dev/null && return 1
	pm -p "$target"
	! fits 80 >/dev/null
}

t_lines_up()
{
	pm -p "$target" --width 0
	awk 'NR == 1 { at = index($0, "PATH"); next }
		/ [[\/(]/ && substr($0, at - 1, 2) !~ / [[\/(]/ { print; bad = 1 }
		END { exit bad || !at }' "$tmp/out"
}

# --- files and symbols

t_file_offset()
{
	outer=$(get outer)
	pm -p "$target" --file-offset "$outer" "$(get inlined)"
	exits 0 && lines 2 && says "$bin/tests/target 0x$outer" || return
	pm -p "$target" --file-offset "$outer" --json
	exits 0 && json &&
		says "\"file\":\"$bin/tests/target\",\"file_address\":\"0x$outer\"}"
}

# Linked to be loaded anywhere, and where its addresses are no offsets
t_layouts()
{
	command -v addr2line >/dev/null || { skip="no addr2line"; return; }
	for layout in pie moved; do
		start_other "$bin/tests/target-$layout"
		pm -p "$other" --file-offset "$(get outer "$other_maps")"
		exits 0 && quiet && lines 1 &&
			says "$bin/tests/target-$layout 0x" || return
		read -r file addr <"$tmp/out"
		[ "$(addr2line -f -e "$file" "$addr" | head -n 1)" = \
			outer_function ] || return
		command -v llvm-symbolizer >/dev/null || continue
		[ "$(llvm-symbolizer <"$tmp/out" | head -n 1)" = \
			outer_function ] || return
	done
	# of the last, the addresses are known
	[ $((addr)) -gt $((0x12340000)) ]
}

# Two segments on one page, one that does not begin a page, and one that only
# the process has executable
t_segments()
{
	for class in 32 64; do
		text=$(get text$class)
		data=$(get data$class)
		pm -p "$target" --file-offset "$(add "$text" 16)" \
			"$(add "$data" 16)" "$(add "$data" 528)" \
			"$(add "$text" 262160)"
		exits 0 && lines 4 && says "/elf$class 0x10010" &&
			says "/elf$class 0x20010" &&
			says "/elf$class 0x30210" &&
			says "/elf$class 0x50010" || return
	done
}

t_no_file_offset()
{
	for name in heap hole lib1 memfd; do
		pm -p "$target" --file-offset "$(get $name)"
		exits 1 && lines 1 && says "?? 0x$(get $name)" || return
	done
	pm -p "$target" --file-offset --json "$(get heap)"
	exits 1 && json && says '"file":null,"file_address":null}'
}

t_file_with_spaces()
{
	cp "$bin/tests/target" "$tmp/a target"
	start_other "$tmp/a target"
	pm -p "$other" --file-offset "$(get outer "$other_maps")"
	exits 0 && says "\"$tmp/a target\" 0x$(get outer)"
}

# Needs CAP_CHECKPOINT_RESTORE
may_read_map_files()
{
	for link in "/proc/$target/map_files"/*; do
		head -c 1 "$link" >/dev/null 2>&1 && return
		skip="not permitted to open /proc/PID/map_files"
		return 1
	done
}

t_deleted_file()
{
	may_read_map_files || return 0
	cp "$bin/tests/target" "$tmp/gone"
	start_other "$tmp/gone"
	rm "$tmp/gone"
	pm -p "$other" --file-offset "$(get outer "$other_maps")"
	exits 0 && quiet && says "/proc/$other/map_files/" && says " 0x$(get outer)"
}

t_replaced_file()
{
	may_read_map_files || return 0
	cp "$bin/tests/target" "$tmp/replaced"
	start_other "$tmp/replaced"
	rm "$tmp/replaced"
	cp "$bin/procmap" "$tmp/replaced"
	mv "$tmp/replaced" "$tmp/replaced (deleted)"
	pm -p "$other" --file-offset "$(get outer "$other_maps")"
	exits 0 && says "/proc/$other/map_files/" && says " 0x$(get outer)"
}

# Nor is one opened that would wait for a writer.
t_replaced_by_fifo()
{
	may_read_map_files || return 0
	cp "$bin/tests/target" "$tmp/pipe"
	start_other "$tmp/pipe"
	rm "$tmp/pipe"
	mkfifo "$tmp/pipe (deleted)"
	timeout 10 "$bin/procmap" -p "$other" --file-offset \
		"$(get outer "$other_maps")" >"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 0 && says "/proc/$other/map_files/" && says " 0x$(get outer)"
}

# A file is known by its build ID: a copy of it will do.
t_same_build()
{
	cp "$bin/tests/target" "$tmp/build"
	start_other "$tmp/build"
	rm "$tmp/build"
	cp "$bin/tests/target" "$tmp/build (deleted)"
	pm -p "$other" --file-offset "$(get outer "$other_maps")"
	exits 0 && quiet && says "\"$tmp/build (deleted)\" 0x$(get outer)"
}

t_replaced_unreachable()
{
	[ "$(id -u)" -eq 0 ] || { skip="not root"; return; }
	mkdir -m 755 "$tmp/open"
	chmod 755 "$tmp"
	cp "$bin/tests/target" "$bin/procmap" "$tmp/open"
	"$tmp/open/target" as-nobody true || { skip="nobody cannot run it"; return; }
	stop "$other"
	"$tmp/open/target" as-nobody "$tmp/open/target" wait &
	other=$!
	wait_until is_nobodys "$other" || return
	mv "$tmp/open/procmap" "$tmp/open/new"
	rm "$tmp/open/target"
	cp "$bin/tests/target" "$tmp/open/runner"
	cp "$tmp/open/new" "$tmp/open/target (deleted)"
	chmod 755 "$tmp/open/target (deleted)"
	"$tmp/open/runner" as-nobody "$tmp/open/new" -p "$other" \
		--file-offset "$(get outer)" >"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 1 && says "?? 0x$(get outer)" &&
		complains "the file there is not the one that is mapped"
}

is_nobodys()
{
	grep -q '^Uid:.65534' "/proc/$1/status" &&
		grep -q wait "/proc/$1/cmdline"
}

# symbolizes TOOL
symbolizes()
{
	command -v "$1" >/dev/null || { skip="no $1"; return; }
	pm -p "$target" --symbolize="$1" "$(get heap)" "$(get inlined)" \
		"$(get outer)" 10
	exits 1 && quiet && lines 5 && says "$(get heap) ?? in [heap]" &&
		says " inlined_function at " && says "tests/target.c:" &&
		says " (inlined into) outer_function at " &&
		says "10 not found" || return
	pm -p "$target" --symbolize="$1" --json "$(get inlined)"
	exits 0 && json && says '"frames":[{"function":"inlined_function","source":"' &&
		says '},{"function":"outer_function","source":"'
}

t_addr2line() { symbolizes addr2line; }
t_llvm() { symbolizes llvm-symbolizer; }

t_default_symbolizer()
{
	command -v llvm-symbolizer >/dev/null || command -v addr2line >/dev/null ||
		{ skip="no symbolizer"; return; }
	pm -p "$target" --symbolize "$(get outer)"
	exits 0 && says "outer_function at "
}

t_no_symbolizer()
{
	env PATH=/nowhere "$bin/procmap" -p "$target" --symbolize \
		"$(get outer)" >"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 2 && complains "Install llvm" || return
	pm -p "$target" --symbolize=/nowhere/tool "$(get outer)"
	exits 2 && complains "cannot run '/nowhere/tool'"
}

# A symbolizer that says what it was asked, and worse
make_symbolizer()
{
	cat >"$tmp/tool" <<-'END'
	#!/bin/sh
	for file; do :; done
	while read -r addr; do
		printf '%s\nname\033[31m of %s\n%s:7\n' "$addr" "$addr" "$file"
		printf 'outer\n??:0\n'
	done
	printf 'bad\033[31m\n' >&2
	END
	chmod 755 "$tmp/tool"
}

t_own_symbolizer()
{
	make_symbolizer
	# which of the two it is like depends on its name, not its directory's
	mkdir "$tmp/llvm-symbolizer.d"
	mv "$tmp/tool" "$tmp/llvm-symbolizer.d"
	outer=$(get outer)
	elf=$(get text64)
	pm -p "$target" --symbolize="$tmp/llvm-symbolizer.d/tool" "$outer" "$elf" 10 \
		"$(add "$outer" 1)"
	exits 1 && lines 7 && complains 'bad\033[31m' &&
		says "of 0x10000 at $(dirname "$maps")/elf64:7" &&
		says "name\\033[31m of 0x$outer at $bin/tests/target:7 in $bin" &&
		says "name\\033[31m of 0x$(add "$outer" 1) at " &&
		says "(inlined into) outer in $bin/tests/target"
}

# What both add to a place, and a function that is called like an address
t_odd_symbols()
{
	cat >"$tmp/tool" <<-'END'
	#!/bin/sh
	read -r a
	read -r b
	printf '%s\n0x5\ndir/a:b.c:7 (discriminator 2)\n' "$a"
	printf '%s\nlast\nb.c:?\n' "$b"
	END
	chmod 755 "$tmp/tool"
	pm -p "$target" --symbolize="$tmp/tool" --json "$(get outer)" \
		"$(get inlined)"
	exits 0 && quiet && lines 2 &&
		says '[{"function":"0x5","source":"dir/a:b.c:7"}]' &&
		says '[{"function":"last","source":null}]' && json
}

t_failing_symbolizer()
{
	printf '#!/bin/sh\necho run >>"%s/runs"\nexit 3\n' "$tmp" >"$tmp/tool"
	chmod 755 "$tmp/tool"
	pm -p "$target" --symbolize="$tmp/tool" "$(get outer)" "$(get inlined)"
	[ "$(cat "$tmp/runs")" = run ] || return
	exits 2 && says "$(get outer) ?? in" && complains "/tool' failed" &&
		complains "left addresses unanswered"
}

# --- what can go wrong

# error MESSAGE ARGUMENT...
error()
{
	message=$1
	shift
	pm "$@"
	exits 2 && says_nothing && complains "procmap: $message"
}

t_no_process() { error "no process 4194305" -p 4194305; }

t_kernel_thread()
{
	[ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ] || {
		skip="no kernel thread in sight"
		return
	}
	error "process 2 has no mappings" -p 2
}

t_zombie()
{
	stop "$other"
	"$bin/tests/target" zombie >"$tmp/zombie" &
	other=$!
	wait_until test -s "$tmp/zombie"
	error "process $(cat "$tmp/zombie") has no mappings" \
		-p "$(cat "$tmp/zombie")"
}

t_permission()
{
	[ "$(id -u)" -eq 0 ] || { skip="not root"; return; }
	chmod 755 "$tmp"
	cp "$bin/tests/target" "$bin/procmap" "$tmp"
	"$tmp/target" as-nobody true || { skip="nobody cannot run it"; return; }
	"$tmp/target" as-nobody "$tmp/procmap" -p "$target" \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 2 && says_nothing && complains "not permitted" &&
		complains "as its user, or as root"
}

t_no_ioctl()
{
	shim SHIM_ERRNO=25 -- -p "$target"
	exits 2 && says_nothing && complains "does not have PROCMAP_QUERY" &&
		complains "from 6.11 on" && complains "$(uname -r)"
}

t_other_error()
{
	shim SHIM_ERRNO=12 -- -p "$target" "$(get lib1)"
	exits 2 && says_nothing && complains "cannot query the mappings" &&
		complains "memory"
}

# goes_away SIGNAL MESSAGE ARGUMENT...: during the third query of $other
goes_away()
{
	signal=$1
	message=$2
	shift 2
	shim SHIM_SIGNAL="$signal" SHIM_PID="$other" SHIM_AT=3 -- -p "$other" "$@"
	exits 2 && says_nothing &&
		complains "process $other $message while it was being read"
}

t_exit_in_walk()
{
	start_other
	goes_away 9 exited
}

t_exec_in_walk()
{
	start_other
	goes_away 10 "executed another program"
}

t_exit_in_json()
{
	start_other
	goes_away 9 exited --json
}

t_exit_in_lookup()
{
	start_other
	goes_away 9 exited "$(get heap "$other_maps")" \
		"$(get lib1 "$other_maps")" "$(get stack "$other_maps")"
}

t_exec_in_lookup()
{
	start_other
	goes_away 10 "executed another program" "$(get heap "$other_maps")" \
		"$(get lib1 "$other_maps")" "$(get stack "$other_maps")" 10
}

# What was answered stays, the rest is an error.
t_exit_in_stream()
{
	start_other
	rm -f "$tmp/fifo"
	mkfifo "$tmp/fifo"
	"$bin/procmap" -p "$other" - <"$tmp/fifo" >"$tmp/out" 2>"$tmp/err" &
	reader=$!
	exec 5>"$tmp/fifo"
	get lib1 "$other_maps" >&5
	wait_until said_lines 2
	stop "$other"
	get lib2 "$other_maps" >&5
	exec 5>&-
	wait $reader
	status=$?
	exits 2 && lines 2 && says /lib1 &&
		complains "process $other exited while it was being read"
}

t_usage()
{
	error "'x' is not a process ID" -p x &&
		error "'' is not a process ID" -p '' &&
		error "'../1' is not a process ID" -p ../1 &&
		error "'-1' is not a process ID" -p -1 &&
		error "whose addresses" 10 &&
		error "whose addresses" - &&
		error "--next, --file-offset" -p self --next &&
		error "--next, --file-offset" -p self --symbolize &&
		error "--next goes neither" -p self --next --file-offset 10 &&
		error "'wide' is not a width" --width wide &&
		error "'-' is not an address" -p self 10 - &&
		error "'a\\033' is not an address" -p self "$(printf 'a\033')" ||
		return
	pm --nonsense
	exits 2 && says_nothing && complains "procmap --help"
}

t_help()
{
	pm --help
	exits 0 && quiet && says "Usage: procmap" && fits 80 || return
	for option in pid read write exec shared file next file-offset \
		symbolize build-id json width help version; do
		says "--$option" || return
	done
	pm -V
	exits 0 && quiet && says "procmap 1"
}

# Each allocation fails once.
t_no_memory()
{
	set -- -p "$target" --file-offset --json "$(get outer)" "$(get heap)"
	pm "$@"
	cp "$tmp/out" "$tmp/expected"
	nth=1
	while shim SHIM_NO_MEMORY=$nth -- "$@" && [ "$status" -eq 2 ]; do
		says_nothing && complains "out of memory" || return
		nth=$((nth + 1))
	done
	exits 1 && same "$tmp/expected" "$tmp/out" && [ $nth -gt 5 ]
}

# Whoever reads has seen enough.
t_no_reader()
{
	{
		sleep 1
		"$bin/procmap" -p "$target" 2>"$tmp/err"
		echo $? >"$tmp/status"
	} | :
	[ "$(cat "$tmp/status")" -eq 141 ] && quiet
}

t_full_disk()
{
	[ -c /dev/full ] || { skip="no /dev/full"; return; }
	"$bin/procmap" -p "$target" >/dev/full 2>"$tmp/err"
	status=$?
	exits 2 && complains "cannot write"
}

t_completion()
{
	compl=$(dirname "$0")/../procmap.bash-completion
	command -v bash >/dev/null || { skip="no bash"; return; }
	[ -f "$compl" ] || { skip="no completion file"; return; }
	bash -c '. "$1"
		try() {
			COMP_WORDS=("$@")
			COMP_CWORD=$(($# - 1))
			_procmap procmap "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
		}
		compopt() { :; }
		try procmap --fi; [[ "${COMPREPLY[*]}" == "--file --file-offset" ]] || exit 1
		try procmap -p self; [[ "${COMPREPLY[*]}" == self ]] || exit 2
		try procmap --pid = $$; [[ " ${COMPREPLY[*]} " == *" $$ "* ]] || exit 3
		try procmap -p 1 ""; [[ -z "${COMPREPLY[*]}" ]] || exit 4' bash "$compl"
}

installed()
{
	(cd "$tmp/root" && find . -type f | sort)
}

t_install()
{
	source=$(dirname "$0")/..
	[ -f "$source/Makefile" ] || { skip="no sources"; return; }
	set -- OUTPUT="$bin" DESTDIR="$tmp/root" prefix=/usr
	make -C "$source" install "$@" || return
	installed >"$tmp/out"
	lines 3 && says ./usr/bin/procmap &&
		says ./usr/share/man/man1/procmap.1 &&
		says ./usr/share/bash-completion/completions/procmap &&
		"$tmp/root/usr/bin/procmap" --version || return
	make -C "$source" uninstall "$@" && [ -z "$(installed)" ]
}

echo "TAP version 13"
"$bin/procmap" >/dev/null 2>"$tmp/err"
if grep -q 'does not have PROCMAP_QUERY' "$tmp/err"; then
	echo "1..0 # SKIP kernel $(uname -r) does not have PROCMAP_QUERY"
	exit 4
fi
start_target
target=$started
maps=$started_maps

run "walk: says what the text says" t_walk
run "walk: --exec" t_walk_exec
run "walk: --read" t_walk_read
run "walk: --write" t_walk_write
run "walk: --shared" t_walk_shared
run "walk: --file" t_walk_file
run "walk: all that are given must hold" t_walk_all
run "walk: --exec --file" t_walk_exec_file
run "walk: nothing that matches" t_walk_none
run "walk: of procmap itself" t_self
run "walk: build IDs are those of readelf" t_walk_build_id
run "walk: a file without a build ID" t_no_build_id
run "lookup: addresses of all kinds of mappings" t_lookup
run "lookup: named anonymous memory" t_named
run "lookup: first and last byte, and beside" t_edges
run "lookup: answers in the order asked" t_order
run "lookup: forms of an address" t_forms
run "lookup: --next" t_next
run "lookup: filters" t_filtered_lookup
run "lookup: 1,000 addresses in 5 libraries take 5 queries" t_few_queries
run "lookup: the same from standard input" t_few_queries_input
run "lookup: few calls of any kind, by strace -c" t_few_calls
run "lookup: 500 addresses in a gap take one query" t_few_queries_gap
run "input: each line is answered as it comes" t_stream
run "input: stack traces" t_trace
run "input: exit statuses" t_input_statuses
run "input: words that look like addresses" t_words
run "input: long lines, NULs, control characters" t_odd_input
run "names: hostile ones are escaped" t_hostile
run "names: letters of the locale are not" t_hostile_utf8
run "names: nothing but printable ASCII in locale C" t_no_control
run "names: escapes can be undone" t_reversible
run "names: a path longer than PATH_MAX" t_long_path
run "json: walk" t_json_walk
run "json: lookup" t_json_lookup
run "json: names" t_json_names
run "json: lines of input" t_json_input
run "json: names, as a parser reads them" t_json_round_trip
run "json: the schema finds faults" t_json_schema
run "width: no line is longer" t_widths
run "width: paths are shortened, or have a line" t_shortened
run "width: the terminal's, or --width" t_terminal
run "width: columns line up" t_lines_up
run "files: --file-offset is the ELF address" t_file_offset
run "files: any layout, as addr2line and llvm-symbolizer see it" t_layouts
run "files: the segment that is mapped counts" t_segments
run "files: no ELF file, no address" t_no_file_offset
run "files: names with spaces are quoted" t_file_with_spaces
run "files: deleted ones are read all the same" t_deleted_file
run "files: replaced ones are not mistaken" t_replaced_file
run "files: replaced ones are not waited for" t_replaced_by_fifo
run "files: known by their build ID" t_same_build
run "files: replaced ones that cannot be reached" t_replaced_unreachable
run "symbolize: addr2line" t_addr2line
run "symbolize: llvm-symbolizer" t_llvm
run "symbolize: the one that is installed" t_default_symbolizer
run "symbolize: none that is installed" t_no_symbolizer
run "symbolize: another tool, hostile symbols" t_own_symbolizer
run "symbolize: odd symbols and places" t_odd_symbols
run "symbolize: a tool that fails" t_failing_symbolizer
run "error: no such process" t_no_process
run "error: kernel thread" t_kernel_thread
run "error: zombie" t_zombie
run "error: not permitted" t_permission
run "error: kernel without the ioctl" t_no_ioctl
run "error: any other" t_other_error
run "error: exit during a walk" t_exit_in_walk
run "error: exec during a walk" t_exec_in_walk
run "error: exit during a walk, as JSON" t_exit_in_json
run "error: exit during a lookup" t_exit_in_lookup
run "error: exec during a lookup" t_exec_in_lookup
run "error: exit between lines of input" t_exit_in_stream
run "error: usage" t_usage
run "error: no memory" t_no_memory
run "error: output that cannot be written" t_full_disk
run "error: output that is not read to its end" t_no_reader
run "help and version" t_help
run "completion for bash" t_completion
run "install and uninstall" t_install

echo "1..$nr"
[ "$failed" -eq 0 ]
