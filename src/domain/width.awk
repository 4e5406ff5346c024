# Prints the tables of width.h from two files of the Unicode Character Database:
#	awk -f width.awk DerivedGeneralCategory.txt EastAsianWidth.txt
# Ranges with only unassigned code points between them become one, which halves
# the tables and changes nothing that is in use.

function hex(text,    i, n)
{
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789ABCDEF",
		                   toupper(substr(text, i, 1))) - 1
	return n
}

function print_ranges(name, wanted,    code, first, last, line, item)
{
	printf "static const struct ev_width_range %s[] = {\n", name
	first = -1
	for (code = 0; code <= 1114112; code++) {
		if (width[code] == wanted) {
			if (first < 0)
				first = code
			last = code
		} else if (first >= 0 &&
		           (code in assigned || code == 1114112)) {
			item = sprintf("{ 0x%04X, 0x%04X },", first, last)
			if (length(line) + length(item) > 70) {
				print "\t" line
				line = ""
			}
			line = line (line == "" ? "" : " ") item
			first = -1
		}
	}
	print "\t" line
	print "};"
}

/^[0-9A-F]/ {
	sub(/ *#.*/, "")
	split($0, field, / *; */)
	count = split(field[1], ends, /\.\./)
	first = hex(ends[1])
	last = hex(ends[count])
	for (code = first; code <= last; code++) {
		if (field[2] ~ /^(Mn|Me)$/)
			width[code] = "none"
		else if (field[2] ~ /^(W|F)$/ && width[code] == "")
			width[code] = "two"
		if (FNR == NR && field[2] != "Cn")
			assigned[code]
	}
}

END {
	# vowels and final consonants that join the Hangul syllable before them
	for (code = hex("1160"); code <= hex("11FF"); code++)
		width[code] = "none"
	for (code = hex("D7B0"); code <= hex("D7FF"); code++)
		width[code] = "none"
	print_ranges("ev_width_none", "none")
	print ""
	print_ranges("ev_width_two", "two")
}
