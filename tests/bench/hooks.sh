#!/bin/sh
# What the hooks cost: git with them beside git with hooks that do nothing, in
# one run and by turns, since a machine has moods. Prints a row for each git
# command: medians in milliseconds, and their difference, which may be 20.
# usage: tests/bench/hooks.sh [ROUNDS]
#
# Exit status: 0 within the budget, 1 over it.

set -eu

rounds=${1:-30}
budget=20
bin=$(cd "$(dirname "$0")/../../bin" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
unset EV_AGENT EV_TIMEOUT GIT_DIR
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" GIT_CONFIG_NOSYSTEM=1 \
    EV_LOG="$scratch/log.db"

git config --global user.name Bench
git config --global user.email bench@example.com
git config --global init.defaultBranch main
git config --global gc.auto 0

# Two repositories that differ in their hooks.
for repo in nothing ours; do
	git init -q "$scratch/$repo.git" --bare
	git init -q "$scratch/$repo"
	cd "$scratch/$repo"
	git remote add origin "$scratch/$repo.git"
	git commit -q --allow-empty -m begin
	rm -f .git/hooks/*
done
for hook in post-checkout post-commit post-merge post-rewrite pre-push; do
	printf '#!/bin/sh\nexit 0\n' >"$scratch/nothing/.git/hooks/$hook"
	chmod +x "$scratch/nothing/.git/hooks/$hook"
done
"$bin/rig-hooks" install -q -C "$scratch/ours" --repo acme/app --agent bench

# What is timed; $1 is the round.
commit() {
	git commit -q --allow-empty -m "commit $1 of the bench"
}
emoji() {
	git commit -q --allow-empty -m "commit $1: \"naïve\" 🎉"
}
checkout() {
	git checkout -q -b "issue-$1"
}
push() {
	git push -q origin "HEAD:refs/heads/issue-$1"
}

clock() {
	date +%s%N
}

median() {
	sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"
}

# row NAME FUNCTION
row() {
	: >"$scratch/nothing.times"
	: >"$scratch/ours.times"
	round=0
	while [ "$round" -lt "$rounds" ]; do
		round=$((round + 1))
		for repo in nothing ours; do
			cd "$scratch/$repo"
			begin=$(clock)
			"$2" "$round$3"
			end=$(clock)
			echo $((end - begin)) >>"$scratch/$repo.times"
		done
	done
	nothing=$(median "$scratch/nothing.times")
	ours=$(median "$scratch/ours.times")
	[ $((ours - nothing)) -le $((budget * 1000000)) ] || over=1
	awk -v name="$1" -v nothing="$nothing" -v ours="$ours" 'BEGIN {
		printf "%-34s %8.1f %8.1f %8.1f\n", name, nothing / 1e6,
		    ours / 1e6, (ours - nothing) / 1e6
	}'
}

over=0
printf '%-34s %8s %8s %8s\n' "git with hooks, ms" nothing ours more
row 'commit' commit ''
row 'commit, odd text' emoji ''
row 'checkout of a new issue branch' checkout ''
row 'push of a branch' push ''

# The log cannot be reached: events go to the spool.
EV_LOG=$scratch/none/log.db
row 'commit, log unreachable' commit ''
row 'commit, that and odd text' emoji ''

# A backlog is sent by the way, a hundred events with each hook.
EV_LOG=$scratch/log.db
row 'commit, sending what waits' commit ''

# Somebody holds the log's lock for the whole row.
mkfifo "$scratch/held"
perl -MFcntl -e '
	open my $lock, "+<", $ARGV[0] or die;
	my $flock = pack "s s l! l! i x64", F_WRLCK, 0, 0, 0, 0;
	fcntl $lock, F_SETLK, $flock or die "cannot lock";
	open my $held, ">", $ARGV[1] or die;
	close $held;
	sleep 600' "$EV_LOG.lock" "$scratch/held" &
holder=$!
read -r _ <"$scratch/held" || :
row 'commit, log busy' commit ''
kill "$holder"

[ "$over" -eq 0 ] || {
	echo "more than $budget ms more"
	exit 1
}
