# Reads apt's sources, one-line and deb822, and prints a deb822 entry for
# another suite on the mirror `uri`, trusting the keys that the entry of that
# mirror trusts. Of its options only those are taken over that say which keys
# to trust and how old the mirror may be (a snapshot is old).
#
# Variables: uri as apt-get indextargets prints it; suite, component and arch
# wanted; key, trusted when no entry has the mirror.

function entry(uri, options) {
	print "Types: deb\nURIs: " uri "\nSuites: " suite
	print "Components: " component "\nArchitectures: " arch
	printf "%s", options
	found = 1
	exit
}

# As apt writes it: mirror+file:/list/, http://host/debian/.
function same(u) {
	sub(/:\/\/\//, ":/", u)
	sub(/\/*$/, "/", u)
	return u == uri
}

function stanza(	options, name, u, n, i) {
	n = split(field["uris"], u, /[ \t]+/)
	for (name in kept)
		options = options kept[name] "\n"
	for (i = 1; i <= n; i++)
		if (same(u[i]))
			entry(u[i], options)
	split("", field)
	split("", kept)
	current = ""
}

function one_line(	options, option, n, i) {
	sub(/#.*/, "")
	if (match($0, /^[ \t]*deb[ \t]+\[[^]]*\]/)) {
		n = split(substr($0, 1, RLENGTH - 1), option, /[ \t[]+/)
		for (i = 1; i <= n; i++)
			if (option[i] ~ /^(signed-by|check-[a-z-]+)=/) {
				sub(/=/, ": ", option[i])
				options = options option[i] "\n"
			}
		$0 = substr($0, RLENGTH + 1)
	} else if (!sub(/^[ \t]*deb[ \t]+/, ""))
		return
	if (same($1))
		entry($1, options)
}

FNR == 1 { stanza() }
FILENAME !~ /\.sources$/ { one_line(); next }
/^#/ { next }
/^[ \t]*$/ { stanza(); next }
/^[^ \t]/ {
	current = tolower($0)
	sub(/[ \t]*:.*/, "", current)
	field[current] = $0
	sub(/^[^:]*:[ \t]*/, "", field[current])
	if (current ~ /^(signed-by|check-(valid-until|date))$/)
		kept[current] = $0
	next
}
current != "" {
	field[current] = field[current] " " $0
	if (current in kept)
		kept[current] = kept[current] "\n" $0
}
END {
	if (!found)
		stanza()
	if (!found)
		entry(uri, "Signed-By: " key "\n")
}
