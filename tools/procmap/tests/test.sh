#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of procmap, for any POSIX shell and for busybox: test.sh DIR [text], where
# DIR has procmap and, in tests/, what "make tests" builds. With "text", a seccomp
# filter takes the ioctl away. Prints TAP. Exit status: 0 all passed, 1 something
# failed.
#
# Quoted dollars are meant for awk:
# shellcheck disable=SC2016

set -u
bin=$(cd "${1:-.}" && pwd) || exit 2
way=${2:-}
without=
[ "$way" != text ] || without="$bin/tests/target no-ioctl"
schema=$(cat "$(dirname "$0")/schema.jq") || exit 2
# The size of a page in bytes, and of a huge page in units of 1,024
page=$(awk '/^KernelPageSize:/ { print $2 * 1024; exit }' /proc/self/smaps)
huge_page=$(awk '/^Hugepagesize:/ { print $2 }' /proc/meminfo)
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

# An address as columns have it: with as many digits as most addresses have.
column()
{
	digits=8
	[ "$(get stack | wc -c)" -le 9 ] || digits=12
	printf "%0${digits}x" $((0x$1))
}

# pm ARGUMENT...: runs procmap, keeps what it says and its status
pm()
{
	# shellcheck disable=SC2086
	$without "$bin/procmap" "$@" >"$tmp/out" 2>"$tmp/err"
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
	env $settings LD_PRELOAD="$bin/tests/shim.so" $without "$bin/procmap" \
		"$@" >"$tmp/out" 2>"$tmp/err"
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
	/\[vsyscall\]|\/hostile\// || $1 == "START-END" { next }
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
t_walk_file() { walk_equals '$4 != "00:00"' --file; }
t_walk_all() { walk_equals '$2 ~ /rw.s/ && $4 != "00:00"' --read --write --shared --file; }
t_walk_exec_file() { walk_equals '$2 ~ /x/ && $4 != "00:00"' --exec --file; }

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

# As pmap takes it, and several
t_pids()
{
	pm -p "$target"
	cp "$tmp/out" "$tmp/expected"
	pm "$target"
	exits 0 && same "$tmp/expected" "$tmp/out" || return
	start_other
	pm "$target" "$other" 4194305
	exits 2 && complains "no process 4194305" &&
		says "$target: $bin/tests/target maps" &&
		says "$other: $bin/tests/target maps" &&
		[ "$(grep -c START-END "$tmp/out")" -eq 2 ] || return
	pm --json --exec "$target" "$other"
	exits 0 && json && says "{\"pid\":$target," && says "{\"pid\":$other,"
}

t_page_size()
{
	pm -p "$target" --page-size
	exits 0 && quiet && says ' PAGE ' && says "$((page / 1024))K [heap]" || return
	[ -z "$(get huge)" ] || says "${huge_page}K /anon_hugepage (deleted)" || return
	pm -p "$target" --page-size --json "$(get heap)"
	exits 0 && json && says "\"page_size\":$page," || return
	pm -p "$target" --json "$(get heap)"
	exits 0 && json && ! says page_size >/dev/null
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
		finds "$(add "$lib" 1048575)" \
			"$(column "$lib")-$(column "$(add "$lib" 1048576)") r-xp" &&
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
	finds "$(add "$hole" -1)" "$(column "$(get below-hole)")-$(column "$hole")" &&
		finds "$(add "$hole" "$page")" "$(column "$(get above-hole)")-" || return
	pm -p "$target" "$(add "$hole" -1)" "$hole" "$(add "$hole" "$page")"
	exits 1 && says "$hole not found" &&
		[ "$(grep -c -- - "$tmp/out")" -eq 3 ] || return
	for addr in "$hole" "$(add "$hole" $((page - 1)))" 0 ffffffffffffffff; do
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
	exits 0 && says " $(column "$(get above-hole)")-" || return
	pm -p "$target" --next 1000 --exec --file
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

needs_ioctl()
{
	[ -z "$without" ] && "$bin/procmap" -V | grep -q ': PROCMAP_QUERY' && return
	skip="without PROCMAP_QUERY"
	return 1
}

t_few_queries()
{
	needs_ioctl || return 0
	# shellcheck disable=SC2046
	shim SHIM_COUNT="$tmp/count" -- -p "$target" $(thousand)
	exits 0 && lines 1001 && queries 5
}

t_few_queries_input()
{
	needs_ioctl || return 0
	thousand >"$tmp/in"
	shim SHIM_COUNT="$tmp/count" -- -p "$target" - <"$tmp/in"
	exits 0 && lines 2000 && queries 5
}

t_few_queries_gap()
{
	needs_ioctl || return 0
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

# Five queries and two that ask whether there is a terminal, all that is said written
# in pieces of 64 KiB, and no more of other calls than memory takes.
few_calls()
{
	writes=$(($(wc -c <"$tmp/out") / 65536 + 1))
	exits 0 && lines "$1" && [ "$(calls many ioctl)" -eq 7 ] &&
		[ "$(calls many write)" -le $writes ] &&
		[ "$(calls many total)" -le $(($(calls one total) + writes + 16)) ] &&
		return
	cat "$tmp/many"
	return 1
}

t_few_calls()
{
	needs_ioctl || return 0
	strace -c -o /dev/null true || { skip="no strace"; return; }
	traced one "$(get lib1)"
	# shellcheck disable=SC2046
	traced many $(thousand)
	few_calls 1001 || return
	thousand >"$tmp/in"
	traced many - <"$tmp/in"
	few_calls 2000
}

# --- standard input

said_lines()
{
	[ "$(wc -l <"$tmp/out")" -ge "$1" ]
}

# background ARGUMENT...: procmap reads a pipe, which is descriptor 5
background()
{
	rm -f "$tmp/fifo"
	mkfifo "$tmp/fifo"
	# shellcheck disable=SC2086
	$without "$bin/procmap" "$@" - <"$tmp/fifo" >"$tmp/out" 2>"$tmp/err" &
	reader=$!
	exec 5>"$tmp/fifo"
}

end_background()
{
	exec 5>&-
	wait "$reader"
	status=$?
}

# The next line is written only when the one before has been answered.
t_stream()
{
	background -p "$target"
	for i in 1 2 3; do
		get lib$i >&5
		wait_until said_lines $((i * 2)) || {
			echo "line $i is not answered while the input is open"
			exec 5>&-
			stop $reader
			return 1
		}
	done
	end_background
	exits 0 && says /lib3
}

# feed FORMAT ARGUMENT...: runs procmap on what printf makes of it
feed()
{
	# shellcheck disable=SC2059
	printf "$@" >"$tmp/in"
	pm -p "$target" - <"$tmp/in"
}

# What is there comes out as it came, with answers, of which each begins with two
# blanks and an address, below.
lossless()
{
	grep -av '^  [0-9a-f]\{8,16\} \|^  *(inlined into)' "$tmp/out" >"$tmp/passed"
	same "$tmp/in" "$tmp/passed"
}

# answers NUMBER
answers()
{
	n=$(grep -ac '^  [0-9a-f]\{8,16\} ' "$tmp/out")
	[ "$n" -eq "$1" ] && return
	echo "$n answers, not $1"
	return 1
}

# of 16 digits
wide()
{
	printf '%016x' $((0x$1))
}

# Code that has been named already is left alone, as is all that is no code.
t_traces()
{
	code=$(get outer)
	heap=$(get heap)
	cat >"$tmp/in" <<-END
	  2    Thread 0x$heap (LWP 8370) "worker" 0x$(wide "$code") in clock_nanosleep () from libc.so.6
	Thread 20 (Thread 0x$heap (LWP 6364) "Attach Listener"):
	#3  0x$(wide "$code") in work (arg=0x$heap, n=3) at work.c:20
	@[
		$code work+27 (/usr/bin/thing)
	]: 34
	61234567 bytes leaked, all of them deadbeef, 70261125
	  	  100674 _PyEval_EvalFrameDefault+0x5b04 (/usr/lib/libpython3.11.so.1.0)
	END
	printf '\t%s work+27 (/usr/bin/thing)\n' "$code" >>"$tmp/in"
	pm -p "$target" $symbolize - <"$tmp/in"
	exits 0 && quiet && lossless && answers 2 &&
		grep -q "^  0*$code outer_function at /" "$tmp/out" || return
	# Without symbols, data is answered too.
	pm -p "$target" - <"$tmp/in"
	exits 0 && quiet && lossless && answers 5
}

# Each has one address of code, in a form that is not listed anywhere.
t_formats()
{
	code=$(get outer)
	for line in "$code" "0x$code" "pc=0x$code" "ip $(wide "$code") sp 0" \
		"[<$(wide "$code")>]" "#1  0x$(wide "$code") main" \
		"PC=0x$code m=0 sigcode=0" "<0x$code>: call" "at 0x$code." \
		"*0x$code" "rip|$code|" "J 12 c2 f (8 bytes) @ 0x$code [0x$code+0x1]" \
		"./program(+0x12) [0x$code]" "	$code [unknown] (/tmp/a)" \
		"0x$code -> 0x$code f()+0x1 (/tmp/a)" \
		"  0x$code: ??" "==12==    by 0x$code: main (a.c:3)" \
		"$(echo "$code" | tr a-f A-F)" "{\"ip\":\"0x$code\"}"; do
		printf '%s\n' "$line" >"$tmp/in"
		pm -p "$target" $symbolize - <"$tmp/in"
		if ! { exits 0 && quiet && lossless && answers 1; }; then
			echo "in: $line"
			return 1
		fi
	done
}

# Each has none, or one that its tool has named.
t_text()
{
	code=$(get outer)
	for line in "$code outer+0x3 (/usr/bin/thing)" "$code outer (/usr/bin/thing)" \
		"$code Op::operator()+0x25 (/usr/bin/thing)" \
		"$code (anonymous namespace)::f(int, char)+0x1 (/usr/bin/thing)" \
		" > /usr/bin/thing(outer+0x3) [0x$code]" \
		"./program(main+0x12) [0x$code]" "file-$code.so" "x$code" \
		"/tmp/$code" "${code}-$code r-xp" "deadbeef 61234567 70261125" "0x" \
		"0x1" "0xg" "main.go:12 +0x$code" "sum of 00112233445566778899aabb" \
		"11112222333344445" ''; do
		printf 'one 0x%s\n%s and more\n' "$code" "$line" >"$tmp/in"
		pm -p "$target" $symbolize - <"$tmp/in"
		if ! { exits 0 && quiet && lossless && answers 1; }; then
			echo "in: $line"
			return 1
		fi
	done
}

# Any bytes at all, and a last line that has no end
t_bytes()
{
	{
		head -c 200000 /dev/zero | tr '\0' y
		printf '\nnul \0 byte\nred \033[31m\r\n\ttab  \t\nlatin \351\n\n\n'
		head -c 100000 "$bin/procmap"
		printf '\nno end'
	} >"$tmp/in"
	pm -p "$target" --filter-nothing - <"$tmp/in"
	exits 2 || return
	pm -p "$target" --shared --exec - <"$tmp/in"
	exits 1 && same "$tmp/in" "$tmp/out" || return
	printf 'end 0x%s' "$(get lib1)" >"$tmp/in"
	pm -p "$target" - <"$tmp/in"
	exits 0 && lines 2 && says "end 0x$(get lib1)" && says /lib1
}

# A line without end is not kept in memory, nor lost.
t_long_line()
{
	{
		head -c 3000000 /dev/zero | tr '\0' 'a'
		printf ' 0x%s\n0x%s\n' "$(get lib1)" "$(get lib1)"
	} >"$tmp/in"
	pm -p "$target" - <"$tmp/in"
	exits 0 && complains "more than 1 MiB" && answers 1 && lossless || return
	# Neither does a long one take longer than it has to.
	for piece in . ') [0x111111'; do
		yes "$piece" | head -n $((900000 / ${#piece})) | tr -d '\n'
		printf ' 0x%s\n' "$(get lib1)"
	done >"$tmp/in"
	timeout 20 sh -c '$1 "$2" -p "$3" - <"$4"' sh "$without" "$bin/procmap" \
		"$target" "$tmp/in" >"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 0 && quiet && lossless && answers 2
}

t_input_statuses()
{
	lib=$(get lib1)
	feed '%s\r\n\n' "$lib"
	exits 0 && quiet && says /lib1 || return
	feed '%s\n0x10\n' "$lib"
	exits 1 && says /lib1 && lossless || return
	feed '%s\nsize 0x10\n' "$lib"
	exits 0 && says /lib1 && lossless || return
	feed 'no addresses here\n'
	exits 1 && says "no addresses here" &&
		complains "no address of process $target on standard input" || return
	feed ''
	exits 1 && says_nothing && complains "no address of process"
}

t_answers_only()
{
	printf 'text\n#1 0x%s x\n\n0x%s 0x%s\n' "$(get lib1)" "$(get lib2)" \
		"$(get lib3)" >"$tmp/in"
	pm -p "$target" --answers-only - <"$tmp/in"
	exits 0 && quiet && lines 4 && says ADDRESS && says /lib1 && says /lib3 ||
		return
	pm -p "$target" --answers-only --json - <"$tmp/in"
	exits 0 && json && lines 3 && says '{"address":'
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

# Longer than any buffer that the kernel fills by ioctl
t_long_path()
{
	long=$(get long)
	pm -p "$target" "$long" "$(get lib1)"
	exits 0 && says "$long $(column "$long")-" && says /lib1 || return
	[ "$(sed -n 's/.*\/d/d/p' "$tmp/out")" != '' ] || return
	pm -p "$target" --json "$long"
	exits 0 && json && says 'dddd/long (deleted)"}' &&
		[ "$(wc -c <"$tmp/out")" -gt 4300 ]
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
		says "\",\"inode\":$inode,\"path\":\"$(dirname "$maps")/lib1\"}"
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
	printf 'text \033 "\n0x%s and 0x%s\t\nlatin \351' "$(get heap)" \
		"$(get lib1)" >"$tmp/in"
	pm -p "$target" --json - <"$tmp/in"
	exits 0 && json && lines 3 && says '{"text":"text \u001b \"","answers":[]}' &&
		says "{\"text\":\"0x$(get heap) and 0x$(get lib1)\\u0009\",\"answers\":[{\"address\":" &&
		says '"path":"[heap]"},{"address":' &&
		says '{"text":"latin \ufffd","text_hex":"6c6174696e20e9","answers":[]}'
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
	good=$good',"dev":"00:00","inode":0,"path":null'
	answer="{\"address\":\"0x1\",\"found\":true,$good}"
	for line in "{\"pid\":1,$good}" "$answer" \
		'{"text":"x","answers":[]}' "{\"text\":\"x\",\"answers\":[$answer]}" \
		'{"address":"0x1","found":false}'; do
		echo "$line" >"$tmp/out"
		json || return
	done
	for line in '' '{' "{$good} {$good}" "{$good,}" "{$good,\"x\":1}" "{$good}" \
		'[]' '{"text":1}' '{"text":"x"}' '{"text":"x","answers":[{}]}' \
		'{"start":"0x1"}' "{\"address\":\"0x1\",\"found\":false,$good}" \
		"{\"pid\":1,$(echo "$good" | sed 's/"0x1"/1/')}" \
		"{\"pid\":1,$(echo "$good" | sed 's/r-x/rxw/')}" \
		'{"text":"é","answers":[]}'; do
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

# Directories are left out from the middle, whole ones if any fits.
t_shortened()
{
	path=$(dirname "$maps")/lib1
	[ ${#path} -ge 40 ] || path=$(dirname "$maps")/hostile/back
	pm -p "$target" --width 84 "$(get lib1)"
	exits 0 && fits 84 && says /lib1 || return
	pm -p "$target" --width 54 "$(get lib1)"
	exits 0 && says "lib1" && lines 6 || return
	pm -p "$target" --width 80 "$(get long)"
	exits 0 && fits 80 && says '/.../long (deleted)'
}

t_terminal()
{
	shim SHIM_COLUMNS=80 -- -p "$target"
	exits 0 && fits 80 && says "/.../long" || return
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

symbolize=--symbolize
if ! "$bin/procmap" -V | grep -q '^symbols: libdw'; then
	symbolize=--symbolize=addr2line
fi

needs_libdw()
{
	[ $symbolize = --symbolize ] || skip="built without libdw"
	[ $symbolize = --symbolize ]
}

t_elf_address()
{
	outer=$(get outer)
	pm -p "$target" --elf-address "$outer" "$(get inlined)"
	exits 0 && lines 2 && says "$bin/tests/target 0x$outer" || return
	pm -p "$target" --elf-address "$outer" --json
	exits 0 && json && says "\"file\":\"$bin/tests/target\"," &&
		says "\"elf_address\":\"0x$outer\"}"
}

# As the mapping's line says it
t_file_offset()
{
	outer=$(get outer)
	offset=$(awk -v addr="$outer" '$2 ~ /x/ && /tests\/target$/ {
			sub(/-.*/, "", $1); print $1, $3; exit }' \
		"/proc/$target/maps" | {
			read -r start offset
			printf '0x%x' $((0x$outer - 0x$start + 0x$offset))
		})
	pm -p "$target" --file-offset "$outer"
	exits 0 && lines 1 && says "$bin/tests/target $offset" || return
	[ "$offset" != "0x$outer" ] || return
	pm -p "$target" --file-offset "$(get heap)"
	exits 1 && says "?? 0x$(get heap)" || return
	pm -p "$target" --file-offset --json "$outer"
	exits 0 && json && says "\"file_offset\":\"$offset\","
}

# Linked to be loaded anywhere, and where its addresses are no offsets
t_layouts()
{
	command -v addr2line >/dev/null || { skip="no addr2line"; return; }
	for layout in pie moved plain; do
		start_other "$bin/tests/target-$layout"
		outer=$(get outer "$other_maps")
		pm -p "$other" --elf-address "$outer"
		exits 0 && quiet && lines 1 &&
			says "$bin/tests/target-$layout 0x" || return
		read -r file addr <"$tmp/out"
		[ "$(addr2line -f -e "$file" "$addr" | head -n 1)" = \
			outer_function ] || return
		[ $layout != moved ] || [ $((addr)) -gt $((0x12340000)) ] || return
		pm -p "$other" $symbolize "$outer"
		exits 0 && quiet && says " outer_function at /" || return
	done
}

# Two segments on one page, one that does not begin a page, and one that only
# the process has executable
t_segments()
{
	for class in 32 64; do
		text=$(get text$class)
		data=$(get data$class)
		pm -p "$target" --elf-address "$(add "$text" 16)" \
			"$(add "$data" 16)" "$(add "$data" 528)" \
			"$(add "$text" 262160)"
		exits 0 && lines 4 && says "/elf$class 0x10010" &&
			says "/elf$class 0x20010" &&
			says "/elf$class 0x30210" &&
			says "/elf$class 0x50010" || return
	done
}

t_no_elf_address()
{
	for name in heap hole lib1 memfd zero; do
		pm -p "$target" --elf-address "$(get $name)"
		exits 1 && lines 1 && says "?? 0x$(get $name)" || return
	done
	complains "/dev/zero: not a regular file" || return
	pm -p "$target" --elf-address --json "$(get heap)"
	exits 1 && json &&
		says '"file":null,"file_offset":null,"elf_address":null}'
}

t_file_with_spaces()
{
	cp "$bin/tests/target" "$tmp/a target"
	start_other "$tmp/a target"
	pm -p "$other" --elf-address "$(get outer "$other_maps")"
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

# Of a file that is gone, or another: by root through the mapping, by its own user if
# it is the program.
finds_outer()
{
	outer=$(get outer "$other_maps")
	pm -p "$other" $symbolize "$outer"
	exits 0 && quiet && says " outer_function at /"
}

t_deleted_file()
{
	cp "$bin/tests/target" "$tmp/gone"
	start_other "$tmp/gone"
	rm "$tmp/gone"
	finds_outer || return
	may_read_map_files || { skip=; return 0; }
	pm -p "$other" --elf-address "$outer"
	exits 0 && quiet && says "/proc/$other/map_files/" && says " 0x$outer"
}

t_replaced_file()
{
	cp "$bin/tests/target" "$tmp/replaced"
	start_other "$tmp/replaced"
	rm "$tmp/replaced"
	cp "$bin/procmap" "$tmp/replaced"
	finds_outer && mv "$tmp/replaced" "$tmp/replaced (deleted)" && finds_outer
}

# Nor is one opened that would wait for a writer.
t_replaced_by_fifo()
{
	cp "$bin/tests/target" "$tmp/pipe"
	start_other "$tmp/pipe"
	rm "$tmp/pipe"
	mkfifo "$tmp/pipe (deleted)" "$tmp/pipe"
	timeout 10 "$bin/procmap" -p "$other" $symbolize \
		"$(get outer "$other_maps")" >"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 0 && says " outer_function at /"
}

# as_nobody COMMAND...: with copies of what is needed where anybody can run it
as_nobody()
{
	"$tmp/open/runner" as-nobody "$@"
}

open_for_nobody()
{
	rm -rf "$tmp/open"
	mkdir -m 777 "$tmp/open"
	chmod 755 "$tmp"
	cp "$bin/tests/target" "$tmp/open"
	cp "$bin/tests/target" "$tmp/open/runner"
	cp "$bin/procmap" "$tmp/open"
	chmod 755 "$tmp/open"/*
	as_nobody true 2>/dev/null || { skip="nobody cannot run it"; return 1; }
}

# A program that was built again while it runs, as its own user who is not root
t_rebuilt()
{
	open_for_nobody || return 0
	stop "$other"
	"$tmp/open/runner" as-nobody "$tmp/open/target" wait &
	other=$!
	wait_until is_waiting "$other" || return
	rm "$tmp/open/target"
	cp "$bin/procmap" "$tmp/open/target"
	chmod 755 "$tmp/open/target"
	as_nobody "$tmp/open/procmap" -p "$other" $symbolize "$(get outer)" \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 0 && quiet && says " outer_function at /"
}

# What may not be seen is said, and what would help.
t_replaced_unreachable()
{
	open_for_nobody || return 0
	start_other
	lib=$(get lib1 "$other_maps")
	dir=$(dirname "$other_maps")
	stop "$other"
	chmod 777 "$dir"
	rm -rf "${dir:?}"/*
	"$tmp/open/runner" as-nobody "$tmp/open/target" maps "$dir" \
		>"$tmp/nobodys" &
	other=$!
	wait_until grep -q '^ready$' "$tmp/nobodys" || return
	lib=$(get lib1 "$tmp/nobodys")
	cp "$bin/tests/target" "$dir/lib1 (deleted)"
	rm "$dir/lib1"
	as_nobody "$tmp/open/procmap" -p "$other" --elf-address "$lib" \
		>"$tmp/out" 2>"$tmp/err"
	status=$?
	exits 1 && says "?? 0x$lib" &&
		complains "the file there is not the one that is mapped" &&
		complains "root can read" || return
	# It can.
	may_read_map_files || { skip=; return 0; }
	pm -p "$other" --file-offset "$lib"
	exits 0 && quiet && says "/proc/$other/map_files/"
}

# Not the runner any more, whose arguments have this too
is_waiting()
{
	[ "$(tr '\0' ' ' <"/proc/$1/cmdline")" = "$tmp/open/target wait " ]
}

# --- containers

# container SETUP: starts a program in a mount namespace of its own, where SETUP has
# mounted $tmp/mnt: mnt/program, or else a copy of one without a build ID
container()
{
	if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
		skip="no mount namespaces"
		return 1
	fi
	mkdir -p "$tmp/mnt" "$tmp/low"
	rm -f "$tmp/in-container" "$tmp/no-container"
	stop "$other"
	unshare -m sh -c "cd '$tmp' || exit
		mount --make-rprivate / 2>/dev/null
		{ $1; } || { touch no-container; exit 1; }
		[ -e mnt/program ] || cp '$bin/tests/target-plain' mnt/program
		mkdir -p mnt/dir
		echo \$\$ >container-pid
		exec mnt/program maps mnt/dir >in-container" &
	wait_until is_in_container
	other=$(cat "$tmp/container-pid")
	other_maps=$tmp/in-container
	[ ! -e "$tmp/no-container" ] || {
		skip="cannot mount it"
		return 1
	}
}

is_in_container()
{
	[ -e "$tmp/no-container" ] || grep -qs '^ready$' "$tmp/in-container"
}

symbolizes_container()
{
	container "$1" || return 0
	[ ! -e "$tmp/mnt/program" ] && finds_outer
}

t_namespace()
{
	symbolizes_container 'mount -t tmpfs t mnt'
}

layers="mount -t tmpfs t low && mkdir -p low/l low/u low/w"
overlay="mount -t overlay o -o lowerdir=low/l,upperdir=low/u,workdir=low/w mnt"

# stat() has another device there than the mapping, and so on btrfs.
t_overlay()
{
	symbolizes_container "$layers && $overlay"
}

# As a container's image is
t_overlay_lower()
{
	symbolizes_container "$layers &&
		cp '$bin/tests/target-plain' low/l/program && $overlay"
}

t_btrfs()
{
	command -v mkfs.btrfs >/dev/null || { skip="no mkfs.btrfs"; return; }
	symbolizes_container 'truncate -s 120M image && mkfs.btrfs -q image &&
		mount -o loop image mnt'
}

# A root directory of its own, and its own path there
t_chroot()
{
	[ "$(id -u)" -eq 0 ] || { skip="not root"; return; }
	command -v ldd >/dev/null || { skip="no ldd"; return; }
	root=$tmp/chroot
	mkdir -p "$root/dir" "$root/bin"
	cp "$bin/tests/target-plain" "$root/bin/program"
	for lib in $(ldd "$bin/tests/target-plain" | grep -o '/[^ ]*'); do
		mkdir -p "$root${lib%/*}"
		cp "$lib" "$root$lib"
	done
	stop "$other"
	chroot "$root" /bin/program maps /dir >"$tmp/in-chroot" &
	other=$!
	other_maps=$tmp/in-chroot
	wait_until grep -qs '^ready$' "$other_maps" && finds_outer
}

# --- symbols

# symbolizes OPTION: what all of them can do
symbolizes()
{
	inlined=$(get inlined)
	pm -p "$target" "$1" "$(get heap)" "$inlined" \
		"$(get outer)" 10
	exits 1 && quiet && lines 5 && says "$(get heap) ?? in [heap]" &&
		says " inlined_function at /" && says "tests/target.c:" &&
		says " (inlined into) outer_function" &&
		says "10 not found" || return
	pm -p "$target" "$1" --json "$inlined"
	exits 0 && json && says '"frames":[{"function":"inlined_function",' &&
		says '},{"function":"outer_function",' || return
	pm -p "$target" "$1" "$(get cxx)"
	exits 0 && says " space::function(int) at /"
}

needs_tool()
{
	command -v "$1" >/dev/null || { skip="no $1"; return 1; }
}

t_addr2line() { ! needs_tool addr2line || symbolizes --symbolize=addr2line; }
t_llvm() { ! needs_tool llvm-symbolizer || symbolizes --symbolize=llvm-symbolizer; }

t_libdw()
{
	needs_libdw || return 0
	symbolizes --symbolize || return
	inlined=$(get inlined)
	offset=$(printf '0x%x' $((0x$inlined - 0x$(get outer))))
	pm -p "$target" --symbolize "$inlined"
	says " (inlined into) outer_function+$offset at /" &&
		grep -q ' inlined_function at /.*/tests/target.c:[0-9]*:[0-9]* in /' \
			"$tmp/out" || return
	# Only the first byte of a function has no offset.
	pm -p "$target" --symbolize "$(get cxx)" "$(add "$(get cxx)" 1)"
	# The compiler may have made nothing but a return of it.
	says "$(get cxx) space::function(int) at "
}

# What a symbolizer calls a function without lines is a function all the same.
t_stripped()
{
	needs_libdw || return 0
	start_other "$bin/tests/split"
	outer=$(get outer "$other_maps")
	pm -p "$other" --symbolize "$outer"
	exits 1 && quiet && says " ?? in $bin/tests/split" || return
	pm -p "$other" --symbolize --debug-dir="$bin/tests/debug" "$outer"
	exits 0 && quiet && says " outer_function at /" || return
	start_other "$bin/tests/mini"
	outer=$(get outer "$other_maps")
	pm -p "$other" --symbolize "$(add "$outer" 1)"
	exits 0 && quiet && says " outer_function+0x1 in $bin/tests/mini"
}

# The debug file that is in the container, by its path there
t_debug_in_container()
{
	needs_libdw || return 0
	symbolizes_container "mount -t tmpfs t mnt && mkdir mnt/.debug &&
		cp '$bin/tests/debug/split.debug' mnt/.debug &&
		cp '$bin/tests/split' mnt/program"
}

t_vdso()
{
	needs_libdw || return 0
	range=$(sed -n 's/ .*\[vdso\]//p' "/proc/$target/maps")
	vdso=${range%-*}
	[ -n "$vdso" ] || { skip="no vDSO"; return; }
	command -v readelf >/dev/null || { skip="no readelf"; return; }
	dd if="/proc/$target/mem" of="$tmp/vdso" bs=4096 \
		skip=$((0x$vdso / 4096)) count=$(((0x${range#*-} - 0x$vdso) / 4096)) 2>/dev/null || { skip="no dd"; return; }
	addr=$(readelf --dyn-syms -W "$tmp/vdso" 2>/dev/null |
		awk '$8 ~ /^__(vdso|kernel)_clock_gettime(@|$)/ { print $2; exit }')
	[ -n "$addr" ] || { skip="readelf finds no symbol"; return; }
	pm -p "$target" --symbolize "$(add "$vdso" $((0x$addr)))"
	exits 0 && quiet && says "clock_gettime in [vdso]"
}

# The list of a just-in-time compiler, which grows; later lines are newer.
t_jit()
{
	jit=$(get jit)
	map=/tmp/perf-$target.map
	printf '%s 20 old name\n%s 10 Compiled::method(int)\n%s 10 cut' "$jit" "$jit" \
		"$(add "$jit" 64)" >"$map"
	background -p "$target" $symbolize
	printf '0x%s\n' "$(add "$jit" 5)" >&5
	wait_until said_lines 2
	printf ' off\n' >>"$map"
	printf '0x%s\n' "$(add "$jit" 64)" >&5
	wait_until said_lines 4
	end_background
	exits 0 && says " Compiled::method(int)+0x5 in anonymous memory" &&
		says " cut off in anonymous memory" || return
	# One that would take all memory is not read.
	truncate -s 300M "$map"
	pm -p "$target" $symbolize "$jit"
	rm -f "$map"
	exits 1 && says " ?? in anonymous memory"
}

# Anybody may write to /tmp.
t_jit_of_others()
{
	[ "$(id -u)" -eq 0 ] || { skip="not root"; return; }
	open_for_nobody || return 0
	map=/tmp/perf-$target.map
	printf '%s 20 forged\n' "$(get jit)" >"$tmp/open/map"
	as_nobody cp "$tmp/open/map" "$map"
	pm -p "$target" $symbolize "$(get jit)"
	rm -f "$map"
	exits 1 && says " ?? in anonymous memory"
}

# The call is at the end of a function, and another begins where it would return to.
t_return_addresses()
{
	stop "$other"
	"$bin/tests/noreturn" >"$tmp/noreturn" &
	other=$!
	wait_until grep -q return "$tmp/noreturn"
	addr=$(get return "$tmp/noreturn")
	[ "$addr" = "$(get next "$tmp/noreturn")" ] || {
		skip="the compiler has put something else there"
		return
	}
	size=$((0x$addr - 0x$(get caller "$tmp/noreturn")))
	pm -p "$other" $symbolize --return-addresses "$addr"
	exits 0 && says "$addr caller" || return
	! needs_libdw || says "$addr $(printf 'caller+0x%x at' $size)" || return
	skip=
	# The innermost frame has no return address, and a value is none.
	printf '#0  0x%s in ?? ()\n#1  0x%s in f (g=0x%s)\n' "$addr" "$addr" "$addr" \
		>"$tmp/in"
	pm -p "$other" $symbolize --return-addresses - <"$tmp/in"
	exits 0 && lines 5 && sed -n 2p "$tmp/out" | grep -q "$addr next" &&
		sed -n 4p "$tmp/out" | grep -q "$addr caller" &&
		sed -n 5p "$tmp/out" | grep -q "$addr next"
}

t_no_symbolizer()
{
	pm -p "$target" --symbolize=/nowhere/tool "$(get outer)"
	exits 2 && complains "cannot run '/nowhere/tool'" || return
	[ $symbolize = --symbolize ] && return
	pm -p "$target" --symbolize "$(get outer)"
	exits 2 && complains "built without libdw" && complains "=addr2line"
}

# Once a run takes two seconds, a terminal is told what takes so long.
t_progress()
{
	needs_tool script || return 0
	cat >"$tmp/tool" <<-'END'
	#!/bin/sh
	sleep 3
	while read -r addr; do printf '%s\nslow\na.c:1\n' "$addr"; done
	END
	chmod 755 "$tmp/tool"
	red=$(printf '%s/red\033[31m' "$tmp")
	cp "$bin/tests/target" "$red"
	start_other "$red"
	script -qec "$bin/procmap -p $other --symbolize=$tmp/tool $(get outer)" \
		/dev/null </dev/null >"$tmp/out" 2>/dev/null
	says "procmap: 0 of 1 addresses, symbols of red\\033[31m" &&
		says " slow at a.c:1 in" || return
	# Not so a file
	pm -p "$target" --symbolize="$tmp/tool" "$(get outer)"
	exits 0 && quiet
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
	exits 0 && quiet && lines 2 && json &&
		says '[{"function":"0x5","offset":null,"source":"dir/a:b.c","line":7,' &&
		says '[{"function":"last","offset":null,"source":null,"line":null,'
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

# It says so, and all else works.
t_no_ioctl()
{
	"$bin/tests/target" no-ioctl "$bin/procmap" -V >"$tmp/out"
	says "mappings: the text of /proc/PID/maps; this kernel has no PROCMAP_QUERY"
}

t_other_error()
{
	needs_ioctl || return 0
	shim SHIM_ERRNO=12 -- -p "$target" "$(get lib1)"
	exits 2 && says_nothing && complains "cannot read the mappings" &&
		complains "memory"
}

# goes_away SIGNAL MESSAGE ARGUMENT...: before the third query, or read, of $other
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

# Nothing of what follows is lost.
t_exit_in_stream()
{
	start_other
	lib=$(get lib2 "$other_maps")
	background -p "$other"
	get lib1 "$other_maps" >&5
	wait_until said_lines 2
	stop "$other"
	printf 'gone 0x%s\nthe rest\n' "$lib" >&5
	end_background
	exits 2 && lines 4 && says /lib1 && says "gone 0x$lib" && says "the rest" &&
		complains "process $other exited: from here on, lines pass"
}

t_exec_in_stream()
{
	start_other
	background -p "$other" --json
	get lib1 "$other_maps" >&5
	wait_until said_lines 1
	kill -USR1 "$other"
	wait_until grep -qz wait "/proc/$other/cmdline"
	get lib1 "$other_maps" >&5
	end_background
	exits 2 && lines 2 && json &&
		says "{\"text\":\"$(get lib1 "$other_maps")\",\"answers\":[]}" &&
		complains "process $other executed another program: from here on"
}

t_usage()
{
	error "'x' is not a process ID" -p x &&
		error "'' is not a process ID" -p '' &&
		error "'../1' is not a process ID" -p ../1 &&
		error "'-1' is not a process ID" -p -1 &&
		error "'7f00' is not a process ID" "$target" 7f00 &&
		complains "Addresses go with -p PID" &&
		error "whose addresses" - &&
		error "no process 99999999999" -p 99999999999 &&
		error "'wide' is not a width" --width wide &&
		error "'-' is not an address" -p self 10 - &&
		error "'a\\033' is not an address" -p self "$(printf 'a\033')" ||
		return
	pm --nonsense
	exits 2 && says_nothing && complains "procmap --help"
}

# Nothing is ignored silently.
t_refused()
{
	for what in --next --symbolize=x --elf-address --file-offset \
		--return-addresses; do
		error "--next, --symbolize" -p self $what &&
			error "--next, --symbolize" self $what || return
	done
	error "-p is given twice" -p 1 -p 1 &&
		error "of --symbolize, --elf-address" -p self --symbolize=x --elf-address 10 &&
		error "of --symbolize, --elf-address" -p self --file-offset --elf-address 10 &&
		error "--build-id, --page-size" -p self --elf-address --build-id 10 &&
		error "--build-id, --page-size" -p self --file-offset --page-size 10 &&
		error "--build-id, --page-size" -p self --symbolize=x --width=80 10 &&
		error "--width is of the table" -p self --json --width=80 &&
		error "--next goes neither" -p self --next --elf-address 10 &&
		error "--next goes neither" -p self --next --return-addresses 10 &&
		error "--next goes neither" -p self --next - &&
		error "--answers-only goes with" -p self --answers-only 10 &&
		error "--answers-only goes with" self --answers-only &&
		error "--debug-dir and --debuginfod go with" -p self --debug-dir=/ 10 &&
		error "--debug-dir and --debuginfod go with" -p self --debuginfod 10 &&
		error "--debug-dir and --debuginfod go with" -p self --symbolize=x --debug-dir=/ 10 &&
		error "--debug-dir: '/nowhere': No such file" -p self --debug-dir=/nowhere 10 ||
		return
	needs_libdw || { skip=; return 0; }
	DEBUGINFOD_URLS='' error "--debuginfod: which server" -p self --symbolize \
		--debuginfod 10
}

t_help()
{
	pm --help
	exits 0 && quiet && says "Usage: procmap" && fits 80 || return
	for option in pid read write exec shared file next elf-address file-offset \
		symbolize debug-dir debuginfod return-addresses answers-only \
		build-id page-size json width help version; do
		says "--$option" || return
	done
	pm -V
	exits 0 && quiet && says "procmap 2.0"
}

# Each allocation fails once.
t_no_memory()
{
	set -- -p "$target" --elf-address --json "$(get outer)" "$(get heap)"
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

completion()
{
	file=$(dirname "$0")/../completion/procmap.$1
	command -v "$1" >/dev/null || { skip="no $1"; return 1; }
	[ -f "$file" ] || { skip="no completion file"; return 1; }
}

t_bash()
{
	completion bash || return 0
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
		try procmap $$; [[ " ${COMPREPLY[*]} " == *"$$"* ]] || exit 4
		try procmap -p 1 ""; [[ -z "${COMPREPLY[*]}" ]] || exit 5' bash "$file"
}

t_zsh()
{
	completion zsh || return 0
	zsh -fc 'fpath=("$1" $fpath); autoload -Uz compinit && compinit -Du
		autoload +X _procmap 2>&1; (( ${+_comps} ))' zsh "$(dirname "$file")" &&
		zsh -n "$file"
}

t_fish()
{
	completion fish || return 0
	HOME=$tmp fish -c 'source $argv[1]; complete -C "procmap --page"' "$file" \
		>"$tmp/out" && says --page-size
}

# All of the options are completed, by each shell.
t_complete()
{
	dir=$(dirname "$0")/../completion
	[ -d "$dir" ] || { skip="no completion files"; return; }
	"$bin/procmap" --help | grep -o -e '--[a-z-]*' | sort -u | while read -r option; do
		for shell in bash zsh fish; do
			grep -qE -e "$option|-l ${option#--}( |\$)" \
				"$dir/procmap.$shell" || {
				echo "$shell: no $option"
				exit 1
			}
		done
	done
}

installed()
{
	(cd "$tmp/root" && find . -type f | sort)
}

t_install()
{
	source=$(dirname "$0")/..
	[ -f "$source/Makefile" ] || { skip="no sources"; return; }
	case $bin in *\ *) skip="make cannot do with blanks in names"; return ;; esac
	set -- OUTPUT="$bin" DESTDIR="$tmp/root" prefix=/usr exec_prefix=/opt \
		mandir=/usr/share/man bindir=/opt/tools datadir=/usr/share
	make -s -C "$source" install "$@" || return
	installed >"$tmp/out"
	cat >"$tmp/expected" <<-END
	./opt/tools/procmap
	./usr/share/bash-completion/completions/procmap
	./usr/share/fish/vendor_completions.d/procmap.fish
	./usr/share/man/man1/procmap.1
	./usr/share/zsh/site-functions/_procmap
	END
	same "$tmp/expected" "$tmp/out" && "$tmp/root/opt/tools/procmap" --version &&
		make -s -C "$source" uninstall "$@" && [ -z "$(installed)" ] || return
	# A relative one is relative to the Makefile, for all that is installed.
	cp -r "$source/../../tools" "$tmp/tools" && mkdir "$tmp/Documentation" &&
		cp -r "$source/../../Documentation/man" "$tmp/Documentation" || return
	set -- "$@" DESTDIR=../../root
	make -s -C "$tmp/tools/procmap" install "$@" && installed >"$tmp/out" &&
		same "$tmp/expected" "$tmp/out"
}

echo "TAP version 13"
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
run "walk: PIDs as arguments" t_pids
run "walk: page sizes" t_page_size
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
run "input: stack traces" t_traces
run "input: an address in any form" t_formats
run "input: what is none, or has a name already" t_text
run "input: any bytes" t_bytes
run "input: a line without end" t_long_line
run "input: exit statuses" t_input_statuses
run "input: --answers-only" t_answers_only
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
run "width: paths lose directories from the middle" t_shortened
run "width: the terminal's, or --width" t_terminal
run "width: columns line up" t_lines_up
run "files: the ELF address" t_elf_address
run "files: the file offset" t_file_offset
run "files: any layout, as addr2line sees it" t_layouts
run "files: the segment that is mapped counts" t_segments
run "files: no ELF file, no address" t_no_elf_address
run "files: names with spaces are quoted" t_file_with_spaces
run "files: deleted ones are read all the same" t_deleted_file
run "files: replaced ones are not mistaken" t_replaced_file
run "files: replaced ones are not waited for" t_replaced_by_fifo
run "files: a program that was rebuilt, without privileges" t_rebuilt
run "files: replaced ones that cannot be reached" t_replaced_unreachable
run "files: in another mount namespace" t_namespace
run "files: on an overlay" t_overlay
run "files: in an overlay's lower layer" t_overlay_lower
run "files: on btrfs" t_btrfs
run "files: in a chroot" t_chroot
run "symbolize: libdw" t_libdw
run "symbolize: addr2line" t_addr2line
run "symbolize: llvm-symbolizer" t_llvm
run "symbolize: stripped programs and their debug files" t_stripped
run "symbolize: a debug file in a container" t_debug_in_container
run "symbolize: the vDSO" t_vdso
run "symbolize: just-in-time code" t_jit
run "symbolize: just-in-time code, forged" t_jit_of_others
run "symbolize: return addresses" t_return_addresses
run "symbolize: none that is installed" t_no_symbolizer
run "symbolize: another tool, hostile symbols" t_own_symbolizer
run "symbolize: odd symbols and places" t_odd_symbols
run "symbolize: a tool that fails" t_failing_symbolizer
run "symbolize: progress on a terminal" t_progress
run "error: no such process" t_no_process
run "error: kernel thread" t_kernel_thread
run "error: zombie" t_zombie
run "error: not permitted" t_permission
run "error: a kernel without the ioctl" t_no_ioctl
run "error: any other" t_other_error
run "error: exit during a walk" t_exit_in_walk
run "error: exec during a walk" t_exec_in_walk
run "error: exit during a walk, as JSON" t_exit_in_json
run "error: exit during a lookup" t_exit_in_lookup
run "error: exec during a lookup" t_exec_in_lookup
run "error: exit between lines of input" t_exit_in_stream
run "error: exec between lines of input" t_exec_in_stream
run "error: usage" t_usage
run "error: options that do not go together" t_refused
run "error: no memory" t_no_memory
run "error: output that cannot be written" t_full_disk
run "error: output that is not read to its end" t_no_reader
run "help and version" t_help
run "completion: all options" t_complete
run "completion: bash" t_bash
run "completion: zsh" t_zsh
run "completion: fish" t_fish
run "install and uninstall" t_install

echo "1..$nr"
[ "$failed" -eq 0 ]
