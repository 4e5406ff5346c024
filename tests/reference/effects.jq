# jq -rn --slurpfile before FILE --slurpfile after FILE -f effects.jq: what
# differs between two sets of documents, one line each: model, key, member,
# value, or '-' for what is gone, null, 0 or empty.

def leaves:
	. as $doc
	| paths(type != "object") as $p
	| select(all($p[]; type == "string"))
	| {member: ($p | join(".")), value: ($doc | getpath($p))}
	| select(.value | . != null and . != 0 and . != []);

def members:
	[.[]
	| "\(.projection) \(.key)" as $name
	| del(.projection, .key)
	| leaves
	| {key: "\($name) \(.member)", value: .value}]
	| from_entries;

($before | members) as $old
| ($after | members) as $new
| ($old + $new | keys[]) as $member
| select($old[$member] != $new[$member])
| if $new | has($member) then "\($member) \($new[$member] | tojson)"
  else "\($member) -" end
