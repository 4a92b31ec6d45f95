# SPDX-License-Identifier: GPL-2.0
#
# Draws results.svg: what ours takes compared with another kernel, and how that
# grows with the number of VMAs. Variables: out and here (folders), peer (the name
# of the other kernel in results.tsv), peer_title, ours_title; third, third_title:
# likewise of a third kernel, or third is empty, and it is bench.marks that is shown.

set terminal svg size 1000,500 font "Helvetica,Arial,sans-serif,13" \
	background "#ffffff"
set output out."/results.svg"
set datafile separator "\t"

ours_color = "#0b5fa5"
peer_color = "#c2570c"
text_color = "#666666"
ink = "#222222"

# Rows: our figure, the peer's, the third, the operation.
bars = "< awk -F '\\t' -v OFS='\\t' -v peer='".peer."' -v third='".third."' '".\
	"/^#/ { next } ".\
	"FNR == NR { mark[$1] = $2; order[++n] = $1; next } ".\
	"$2 == \"instructions\" && !(($1, $3) in v) { v[$1, $3] = $8 } ".\
	"END { for (i = 1; i <= n; i++) { o = order[i]; ".\
	"if (o !~ /text|unknown/ && v[peer, o]) ".\
	"print v[\"ours\", o], v[peer, o], third ? v[third, o] : mark[o], o } }' ".\
	here."/bench.marks ".out."/results.tsv"

# Rows: number of VMAs, figure.
growth(kernel, operation) = sprintf("< awk -F '\\t' -v OFS='\\t' '".\
	"$1 == \"%s\" && $2 == \"instructions\" && $3 == \"%s\" ".\
	"{ print $4, $8 }' '%s/results.tsv'", kernel, operation, out)

percent(a, b) = 100.0 * a / b
label(a, b) = sprintf("%.0f %%", percent(a, b))
# Into the bar
fits(a, b) = percent(a, b) > 20

set multiplot
set tics nomirror textcolor rgb ink
set border linecolor rgb "#999999"
set tmargin at screen 0.88
set bmargin at screen 0.20

set title "{/:Bold Instructions for one operation}" textcolor rgb ink
set lmargin at screen 0.255
set rmargin at screen 0.575
set border 2
set xlabel "per cent of ".peer_title.", less is better" textcolor rgb ink
set xrange [0:*]
set yrange [*:*] reverse
set offsets 0, 0, 0.2, 0.2
set grid xtics linecolor rgb "#dddddd" linetype 1
set ytics scale 0
set xtics scale 0
set arrow from 100, graph 0 to 100, graph 1 nohead linewidth 2 linecolor rgb peer_color front
unset key
# The legend, of both pictures
set label 1 ours_title at screen 0.275, 0.045 point pointtype 5 pointsize 1.2 \
	linecolor rgb ours_color offset 1,0 textcolor rgb ink
set label 2 peer_title at screen 0.455, 0.045 point pointtype 5 pointsize 1.2 \
	linecolor rgb peer_color offset 1,0 textcolor rgb ink
set label 3 (third eq "" ? "marks of 7.3" : third_title) at screen 0.635, 0.045 point pointtype 12 pointsize 0.9 \
	linecolor rgb ink offset 1,0 textcolor rgb ink
plot bars using (percent($1,$2)/2):0:(percent($1,$2)/2):(0.34):ytic(4) \
		with boxxyerror fillstyle solid 1.0 noborder linecolor rgb ours_color, \
	bars using (percent($3,$2)):0 with points pointtype 13 pointsize 1.1 \
		linecolor rgb "#ffffff", \
	bars using (percent($3,$2)):0 with points pointtype 12 pointsize 0.9 \
		linewidth 1.5 linecolor rgb ink, \
	bars using (fits($1,$2) ? 0 : NaN):0:(label($1,$2)) \
		with labels left offset 0.6,0 textcolor rgb "#ffffff", \
	bars using (fits($1,$2) ? NaN : percent($1,$2)):0:(label($1,$2)) \
		with labels left offset 0.6,0 textcolor rgb ink
unset label
unset arrow

set title "{/:Bold Growth with the number of VMAs}"
set lmargin at screen 0.68
set rmargin at screen 0.97
set offsets 0, 0, 0, 0
set border 3
set logscale xy
set xrange [600:72000]
set yrange [1000:3e8] noreverse
set xtics scale 0.5 ("666" 666, "2,000" 2000, "6,500" 6500, "20,000" 20000, "65,000" 65000)
set ytics scale 0.5 ("1,000" 1e3, "10,000" 1e4, "100,000" 1e5, "1 million" 1e6, \
	"10 million" 1e7, "100 million" 1e8)
set grid ytics linecolor rgb "#dddddd" linetype 1
set xlabel "VMAs of the process, both scales logarithmic"
set label "464 addresses by text" at 720, 1.6e7 textcolor rgb ink
set label "executable VMAs by ioctl" at 65000, 3.5e5 right textcolor rgb ink
set label "464 addresses by ioctl" at 65000, 3.4e4 right textcolor rgb ink
set style data linespoints
plot growth("ours", "464 addresses by text") linewidth 2 \
		pointtype 5 pointsize 0.5 linecolor rgb text_color, \
	growth(peer, "iterate executable") linewidth 2 \
		pointtype 7 pointsize 0.5 linecolor rgb peer_color, \
	growth("ours", "iterate executable") linewidth 2 \
		pointtype 7 pointsize 0.5 linecolor rgb ours_color, \
	growth(peer, "464 addresses by ioctl") linewidth 2 \
		pointtype 7 pointsize 0.5 linecolor rgb peer_color, \
	growth("ours", "464 addresses by ioctl") linewidth 2 \
		pointtype 7 pointsize 0.5 linecolor rgb ours_color
unset multiplot
