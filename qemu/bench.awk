# SPDX-License-Identifier: GPL-2.0
#
# Makes the Markdown report from bench.marks, results.tsv and disturb.tsv, given
# in this order. Variables: kernels="NAME=TITLE;..." with ours first; accel=kvm|tcg.

BEGIN {
	FS = "\t"
	nr_kernels = split(kernels, pair, ";")
	for (i = 1; i <= nr_kernels; i++) {
		kernel[i] = title[i] = pair[i]
		sub(/=.*/, "", kernel[i])
		sub(/[^=]*=/, "", title[i])
	}
	# One kernel without and with the series: the marks are of no use.
	patched = title[1] == "ours on " substr(title[2], index(title[2], " ") + 1)
	if (patched)
		title[1] = "patched"
}

FNR == 1 {
	file++
	head = 1
}
/^#/ { next }
head {
	head = 0
	next
}

file == 1 {
	operations[++nr_operations] = $1
	mark[$1] = $2
	reach[$1] = $3
}

# Each operation is measured for several values of one thing: its x.
file == 2 {
	x = $4
	if ($3 ~ /deep path/)
		x = $5
	else if ($3 ~ /descriptor/)
		x = $6
	value[$1, $2, $3, x] = $8
	if (!(($3, x) in seen)) {
		seen[$3, x] = 1
		xs[$3, ++nr_xs[$3]] = x
	}
}

file == 3 {
	held[$1, $2, $3] = $4 "\t" $5 "\t" $6
}

# 1234567.8 as 1,234,568; what is below 100 with one decimal
function number(n,    s, behind) {
	if (n == "")
		return ""
	if (n < 100 && n != int(n))
		return sprintf("%.1f", n)
	s = sprintf("%.0f", n)
	while (length(s) > 3) {
		behind = "," substr(s, length(s) - 2) behind
		s = substr(s, 1, length(s) - 3)
	}
	return s behind
}

function ratio(a, b) {
	return a == "" || !b ? "" : sprintf("%.2f", a / b)
}

# Prints cells of a row that end_row() ends.
function cell(text) {
	printf "| %s ", text
	nr_cells++
}

function end_row() {
	print "|"
	nr_cells = 0
}

function end_head(    i, n) {
	n = nr_cells
	end_row()
	printf "| :--- "
	for (i = 2; i <= n; i++)
		printf "| ---: "
	print "|"
}

# All operations on the usual process: the first of their x.
function usual_table(unit,    i, k, o, mine, other) {
	cell("operation")
	for (k = nr_kernels; k > 1; k--)
		cell(title[k])
	cell(title[1])
	for (k = 2; k <= nr_kernels; k++)
		cell((patched ? "patched" : "ours") " / " \
		     substr(title[k], index(title[k], " ") + 1))
	if (unit == "instructions" && !patched) {
		cell("marks of 7.3")
		cell("ours / marks")
		cell("to reach")
	}
	end_head()
	for (i = 1; i <= nr_operations; i++) {
		o = operations[i]
		mine = value[kernel[1], unit, o, xs[o, 1]]
		cell(o)
		for (k = nr_kernels; k >= 1; k--)
			cell(number(value[kernel[k], unit, o, xs[o, 1]]))
		for (k = 2; k <= nr_kernels; k++)
			cell(ratio(mine, value[kernel[k], unit, o, xs[o, 1]]))
		if (unit == "instructions" && !patched) {
			cell(number(mark[o]))
			cell(ratio(mine, mark[o]))
			cell(reach[o])
		}
		end_row()
	}
	print ""
}

# How an operation grows with its x; for every kernel, or only for ours.
function growth_table(unit, operation, what, only_ours,    i, k, v) {
	if (value[kernel[1], unit, operation, xs[operation, 1]] == "")
		return
	cell(operation ": " what)
	for (i = 1; i <= nr_xs[operation]; i++)
		cell(number(xs[operation, i]))
	end_head()
	for (k = only_ours ? 1 : nr_kernels; k >= 1; k--) {
		cell(title[k])
		for (i = 1; i <= nr_xs[operation]; i++)
			cell(number(value[kernel[k], unit, operation, xs[operation, i]]))
		end_row()
	}
	print ""
}

# What was measured beside something, as times of what it takes beside @alone.
function disturb_table(operation, alone, besides,    i, j, k, n, list, base, part) {
	cell(operation ", times that beside " alone)
	cell("mean")
	cell("99 %")
	cell("worst")
	end_head()
	n = split(besides, list, ",")
	for (i = 1; i <= n; i++) {
		for (k = nr_kernels; k >= 1; k--) {
			if (!((kernel[k], operation, list[i]) in held))
				continue
			split(held[kernel[k], operation, alone], base, "\t")
			split(held[kernel[k], operation, list[i]], part, "\t")
			cell(title[k] ": beside " list[i])
			for (j = 1; j <= 3; j++)
				cell(base[j] ? sprintf("%.1f", part[j] / base[j]) : "")
			end_row()
		}
	}
	print ""
}

END {
	text = value[kernel[1], "instructions", "464 addresses by text", 666]
	query = value[kernel[1], "instructions", "464 addresses by ioctl", 666]

	print "Instructions executed, counted in an emulated machine (QEMU, -icount): they"
	print "repeat to four digits. Less is better. A process of 666 VMAs; \"skip a VMA\" of"
	print "20,000." (patched ? "\n" : " The marks were measured once on Linux 7.3 with another program of that")
	if (!patched)
		print "shape; \"to reach\" is the ratio to them that is aimed at.\n"
	usual_table("instructions")
	printf "To find the places of 464 addresses in five libraries, the text takes %s\n", number(text)
	printf "instructions, the ioctl %s: %.0f times less.\n\n", number(query), text / query

	print "### Growth with the number of VMAs\n"
	growth_table("instructions", "464 addresses by text", "VMAs", 0)
	growth_table("instructions", "464 addresses by ioctl", "VMAs", 0)
	growth_table("instructions", "point", "VMAs", 0)
	growth_table("instructions", "iterate executable", "VMAs", 0)
	growth_table("instructions", "iterate all", "VMAs", 0)
	growth_table("instructions", "all lines by text", "VMAs", 0)

	print "### Growth with the depth of the path\n"
	growth_table("instructions", "point + name, deep path", "components", 0)

	if (accel == "kvm") {
		print "### Nanoseconds (KVM)\n"
		usual_table("ns")
	}

	printf "### Threads: nanoseconds a query (%s, 2 CPUs)\n\n", accel
	print "Only the figures of one line can be compared.\n"
	growth_table("ns", "point, one descriptor", "threads", 0)
	growth_table("ns", "point, a descriptor each", "threads", 0)

	printf "### Disturbance (%s, 2 CPUs)\n\n", accel
	print "How long a process of 65,000 VMAs takes to map and unmap a page while another"
	print "looks at it without pause; \"scan\" is a query whose filter rejects every VMA. And"
	print "how long a process that is killed takes to be gone. The least of ten rounds each.\n"
	disturb_table("mmap + munmap", "nobody", "text,scan")
	disturb_table("SIGKILL to wait()", "computing", "scan")
}
