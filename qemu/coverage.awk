# SPDX-License-Identifier: GPL-2.0
#
# awk -f coverage.awk -v file=F -v least=PERCENT ADDED NOT-COVERED GCOV: for the
# script "coverage". ADDED has line numbers of file F; NOT-COVERED is the list of
# exceptions; GCOV is what gcov -b -c -t printed. Fails below the floor, and where
# an exception names a line that is not there any more.
#
# Of the branches, those count that a statement decides by itself: with if, for,
# while, switch, ?, !, && or ||. Others come from within what it calls: checks that
# FORTIFY_SOURCE puts into memcpy(), or HARDENED_USERCOPY into copy_to_user(), which
# end in a report of a bug. Where such a call is part of a condition, or where UBSAN
# checks its operand, the list of exceptions names the branch.

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

function percent(part, whole) {
	return whole ? 100 * part / whole : 100
}

function count_of(text, regex) {
	return gsub(regex, "", text)
}

function is_complete(text) {
	if (count_of(text, "\\(") > count_of(text, "\\)"))
		return 0
	return text ~ /[;{}:]$/ || text ~ /(^|[} ])else$/ ||
	       text ~ /^(} *)?(else )?(if|for|while|switch) *\(/
}

# Finds out which lines belong to the same statement, and whether it decides.
function take_code(number, text) {
	gsub(/\/\*[^*]*\*\//, "", text)
	sub(/\/\*.*/, "", text)
	text = trim(text)
	if (!text || text ~ /^\*/ || text ~ /^#/)
		return
	if (!statement)
		first = number
	statement = trim(statement " " text)
	start[number] = first
	if (is_complete(statement)) {
		decides[first] = statement ~ /(^|[^a-z_])(if|for|while|switch)([^a-z_]|$)|&&|\|\||\?|!/
		statement = ""
	}
}

FILENAME == ARGV[1] {
	added[$1] = 1
	next
}

FILENAME == ARGV[2] {
	if (!/^#/ && split($0, field, "\t") == 4 && field[1] == file) {
		excused[field[2]] = field[3]
		reason[field[2]] = field[4]
	}
	next
}

# A line of gcov: "COUNT:NUMBER:TEXT". The headers' sources follow one another.
/^ *[^ :]+: *[0-9]+:/ {
	number = $0
	sub(/^ *[^ :]+: */, "", number)
	text = number
	sub(/^[0-9]+:/, "", text)
	sub(/:.*/, "", number)
	count = $0
	sub(/^ */, "", count)
	sub(/:.*/, "", count)

	if (number == 0 && text ~ /^Source:/)
		inside = substr(text, length(text) - length(file)) == "/" file
	if (inside && number != 0)
		take_code(number, text)
	current = inside && (number in added) ? number : 0
	if (!current)
		next
	source[current] = trim(text)
	there[trim(text)] = 1
	if (count == "-")
		next
	if (!(current in lines)) {
		lines[current] = 0
		order[++n] = current
	}
	if (count !~ /^[#=]/)
		lines[current] = 1
	next
}

/^branch / && current {
	branch[current]++
	if ($0 ~ /taken [1-9]/)
		taken[current]++
}

function take_line(number, text,    left) {
	if (!lines[number] && excused[text] == "line") {
		exceptions = exceptions sprintf("    %d: %s\n        %s\n",
			number, text, reason[text])
		return
	}
	total++
	reached += lines[number]
	if (!lines[number])
		missed = missed sprintf("    %d: %s\n", number, text)

	if (!decides[start[number]]) {
		others += branch[number]
		return
	}
	left = branch[number] - taken[number]
	if (left && excused[text] >= 1 && lines[number]) {
		exceptions = exceptions sprintf("    %d: %s (%d of %d)\n        %s\n",
			number, text, taken[number], branch[number], reason[text])
		if (left > excused[text])
			left -= excused[text]
		else
			left = 0
	} else if (left && lines[number]) {
		partly = partly sprintf("    %d: %s (%d of %d)\n", number, text,
			taken[number], branch[number])
	}
	branches += taken[number] + left
	branches_taken += taken[number]
}

END {
	for (i = 1; i <= n; i++)
		take_line(order[i], source[order[i]])
	for (text in reason) {
		if (!(text in there))
			stale = stale sprintf("    %s\n", text)
	}
	printf "%s\n  lines:    %d of %d, %.1f%%\n  branches: %d of %d, %.1f%%; %d more within what is called\n",
		file, reached, total, percent(reached, total), branches_taken,
		branches, percent(branches_taken, branches), others
	if (missed)
		printf "  Lines that no test reaches:\n%s", missed
	if (partly)
		printf "  Lines with branches that no test takes:\n%s", partly
	if (exceptions)
		printf "  Exceptions (qemu/not-covered):\n%s", exceptions
	if (stale)
		printf "  Exceptions whose line is not there any more (qemu/not-covered):\n%s", stale
	exit !n || missed || stale || percent(branches_taken, branches) < least
}
