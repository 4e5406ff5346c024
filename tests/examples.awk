# Makes a shell script of the examples of a manual page or of README.md.
#
#	awk -v dir=DIR -f examples.awk PAGE >SCRIPT
#
# Examples stand in literal displays (.Bd -literal), in README.md in blocks
# (```console or ```sh). A line '$ COMMAND' is a command, lines '> MORE' after
# it belong to it, and the lines up to the next command or the end of the
# display are what it prints, on standard output and standard error. They may
# be left out. All commands of a page run in one shell that ends at the first
# that fails; one that is to fail says so: '$ COMMAND || echo $?'.
#
# The script leaves what command N printed in DIR/N.out; this program writes
# what the page says it prints to DIR/N.want and the command to DIR/N.cmd.
# README.md's commands that build are left out.

function plain(s) {
	if (!markdown) {
		sub(/^\\&/, "", s)
		gsub(/\\\(aq/, "'", s)
		gsub(/\\\(ga/, "`", s)
		gsub(/\\\(ha/, "^", s)
		gsub(/\\\(ti/, "~", s)
		gsub(/\\e/, "\\", s)
	}
	return s
}

function finish() {
	if (command != "") {
		count++
		printf "%s\n", command >(dir "/" count ".cmd")
		close(dir "/" count ".cmd")
		if (want != "") {
			printf "%s", want >(dir "/" count ".want")
			close(dir "/" count ".want")
		}
		printf "{\n%s\n} >'%s/%d.out' 2>&1\n", command, dir, count
	}
	command = want = ""
}

BEGIN { print "set -e" }

FNR == 1 { markdown = FILENAME ~ /\.md$/ }

!inside && /^(\.Bd -literal|```(console|sh)$)/ { inside = 1; skipped = 0; next }
inside && /^(\.Ed|```)$/ { finish(); inside = 0; next }
!inside { next }

{ line = plain($0) }

line ~ /^\$ / {
	finish()
	skipped = markdown && line ~ /^\$ (make|git clone|cd|sudo)( |$)/
	if (!skipped)
		command = substr(line, 3)
	next
}
skipped || command == "" { next }
line ~ /^> / && want == "" { command = command "\n" substr(line, 3); next }
{ want = want line "\n" }
