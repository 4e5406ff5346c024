#!/bin/sh
# What the demonstration is about, read with '.': a program that knows the
# calendar, the issues that people have with it, and what comes to an agent's
# mind when it thinks about one.

write_program() {
	cat >almanac <<'EOF'
#!/bin/sh
# almanac COMMAND ARGUMENT: what a calendar knows. A command is a function in
# the file of its name in lib.
cd "$(dirname "$0")" || exit
if [ $# -ne 2 ] || [ ! -f "lib/$1.awk" ]; then
	echo 'usage: almanac COMMAND ARGUMENT; these are the commands:' >&2
	ls lib >&2
	exit 64
fi
awk "$(cat lib/*.awk) BEGIN { print $1(ARGV[1]) }" "$2"
EOF
	cat >check <<'EOF'
#!/bin/sh
# Runs the cases in tests: a file for each command; an argument and what is to
# come out, line by line.
cd "$(dirname "$0")" || exit
status=0
for file in tests/*; do
	command=${file#tests/} verdict=ok
	while read -r argument expected; do
		got=$(./almanac "$command" "$argument" 2>&1)
		[ "$got" = "$expected" ] && continue
		echo "$command $argument: expected '$expected', got '$got'"
		verdict='not ok' status=1
	done <"$file"
	echo "$verdict $command"
done
exit "$status"
EOF
	chmod +x almanac check
}

# The cases that come with an issue: what CI looks at.
write_cases() {
	case $1 in
	month) printf '%s\n' '1 January' '12 December' ;;
	leap) printf '%s\n' '2023 no' '2024 yes' '1900 no' '2000 yes' ;;
	weekday)
		printf '%s\n' '1970-01-01 Thursday' '2000-02-29 Tuesday' \
		    '2026-12-31 Thursday'
		;;
	roman) printf '%s\n' '7 VII' '4 IV' '1994 MCMXCIV' '2026 MMXXVI' ;;
	easter) printf '%s\n' '2024 03-31' '2025 04-20' '2038 04-25' ;;
	easterday) printf '%s\n' '1900 105' '2000 114' '2024 91' '2025 110' ;;
	friday13) printf '%s\n' '2024 2' '2025 1' '2026 3' ;;
	nth) printf '%s\n' '1 1st' '4 4th' '22 22nd' '31 31st' ;;
	*) return 1 ;;
	esac
}

# What users try once it runs in staging.
write_smoke() {
	case $1 in
	nth) printf '%s\n' '11 11th' '12 12th' '113 113th' ;;
	*) write_cases "$1" ;;
	esac
}

# How an agent would do $1 at the attempt $2. What comes to mind first is not
# always right, which only a test finds; and it may never come to mind.
write_code() {
	case $1.$2 in
	month.1)
		cat <<'EOF'
function month(number, name) {
	split("January February March April May June July August " \
	    "September October November December", name)
	return name[number]
}
EOF
		;;
	leap.1)
		cat <<'EOF'
function is_leap(year) {
	return year % 4 == 0
}

function leap(year) {
	return is_leap(year) ? "yes" : "no"
}
EOF
		;;
	leap.2)
		cat <<'EOF'
function is_leap(year) {
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

function leap(year) {
	return is_leap(year) ? "yes" : "no"
}
EOF
		;;
	weekday.1)
		cat <<'EOF'
function weekday(date, part, name, shift, year) {
	split(date, part, "-")
	split("0 3 2 5 0 3 5 1 4 6 2 4", shift)
	split("Sunday Monday Tuesday Wednesday Thursday Friday Saturday", name)
	year = part[1] - (part[2] < 3)
	return name[(year + int(year / 4) - int(year / 100) + \
	    int(year / 400) + shift[part[2] + 0] + part[3]) % 7 + 1]
}
EOF
		;;
	roman.1 | roman.2)
		if [ "$2" -eq 1 ]; then
			numerals='1000 M 500 D 100 C 50 L 10 X 5 V 1 I'
		else
			numerals='1000 M 900 CM 500 D 400 CD 100 C 90 XC '
			numerals="${numerals}50 L 40 XL 10 X 9 IX 5 V 4 IV 1 I"
		fi
		cat <<EOF
function roman(number, numeral, count, i, text) {
	count = split("$numerals", numeral)
	for (i = 1; i < count; i += 2)
		for (; number >= numeral[i]; number -= numeral[i])
			text = text numeral[i + 1]
	return text
}
EOF
		;;
	easter.1)
		cat <<'EOF'
function easter(year, golden, century, moon, epact, sunday, late, day) {
	golden = year % 19
	century = int(year / 100)
	moon = century - int(century / 4) - int((8 * century + 13) / 25)
	epact = (moon + 19 * golden + 15) % 30
	epact -= int(epact / 28) * (1 - int(29 / (epact + 1)) * \
	    int((21 - golden) / 11))
	sunday = (year + int(year / 4) + epact + 2 - century + \
	    int(century / 4)) % 7
	late = epact - sunday
	day = 28 + late
	return day > 31 ? sprintf("04-%02d", day - 31) : \
	    sprintf("03-%02d", day)
}
EOF
		;;
	easterday.1)
		cat <<'EOF'
function easterday(year, part) {
	split(easter(year), part, "-")
	return (part[1] == 3 ? 59 : 90) + part[2] + is_leap(year)
}
EOF
		;;
	friday13.1)
		cat <<'EOF'
function friday13(year, month, count) {
	for (month = 1; month <= 12; month++)
		count += weekday(year "-" month "-13") == "Friday"
	return count
}
EOF
		;;
	nth.*)
		case $2 in
		1) but=0 ;;
		2) but='number == 11' ;;
		*) but='number == 11 || number == 12' ;;
		esac
		cat <<EOF
function nth(number, digit) {
	digit = number % 10
	if (digit < 1 || digit > 3 || $but)
		return number "th"
	return number substr("stndrd", 2 * digit - 1, 2)
}
EOF
		;;
	*) return 1 ;;
	esac
}
