# SPDX-License-Identifier: GPL-2.0
#
# awk -f coverage.awk -v file=F -v least=PERCENT ADDED NOT-COVERED GCOV: for the
# script "coverage". ADDED has line numbers of file F; NOT-COVERED has a file, a
# line of it and the reason why no test reaches it, separated by tabs; GCOV is
# what gcov -b -c -t printed. Fails below the floor.

function trim(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

function percent(part, whole) {
	return whole ? 100 * part / whole : 100
}

FILENAME == ARGV[1] {
	added[$1] = 1
	next
}

FILENAME == ARGV[2] {
	if (split($0, field, "\t") == 3 && field[1] == file)
		reason[trim(field[2])] = field[3]
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
	current = inside && (number in added) ? number : 0
	if (!current)
		next
	source[current] = trim(text)
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

END {
	for (i = 1; i <= n; i++) {
		number = order[i]
		text = source[number]
		if (!lines[number] && text in reason) {
			used[text] = 1
			excused = excused sprintf("    %d: %s\n        %s\n",
				number, text, reason[text])
			continue
		}
		total++
		reached += lines[number]
		if (!lines[number])
			missed = missed sprintf("    %d: %s\n", number, text)
		if (text in reason)
			used[text] = 1
		branches += branch[number]
		branches_taken += taken[number]
		if (lines[number] && taken[number] < branch[number])
			partly = partly sprintf("    %d: %s (%d of %d)\n", number,
				text, taken[number], branch[number])
	}
	printf "%s\n  lines:    %d of %d, %.1f%%\n  branches: %d of %d, %.1f%%\n",
		file, reached, total, percent(reached, total), branches_taken,
		branches, percent(branches_taken, branches)
	if (missed)
		printf "  Lines that no test reaches:\n%s", missed
	if (excused)
		printf "  Lines that need not be reached (qemu/not-covered):\n%s", excused
	if (partly)
		printf "  Lines with branches that no test takes:\n%s", partly
	exit !n || missed || percent(branches_taken, branches) < least
}
