#!/usr/bin/env bats
# rig-hooks, in git repositories of its own: what each hook tells the log, that
# git neither fails nor waits because of it, that other people's hooks are run
# and put back, and that no text from git is more than text.
#
# shellcheck disable=SC2016 # hostile text is not to be expanded

load helper

setup() {
	unset "${!GIT_@}"
	export HOME=$BATS_TEST_TMPDIR/home XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/home
	export GIT_CONFIG_NOSYSTEM=1
	mkdir "$HOME"
	git config --global user.name Ada
	git config --global user.email ada@example.com
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	repo=$BATS_TEST_TMPDIR/repo
	git init -q "$repo"
	cd "$repo" || return
	git commit -q --allow-empty -m begin
}

# install [OPTION]...: for most tests
install() {
	rig-hooks install -q --repo acme/app --agent dev-e-1 "$@"
}

# events JQ: what it says of an array of all events
events() {
	ev-cat | jq -cs "$1"
}

# is JQ: does it hold of the array of all events?
is() {
	ev-cat | jq -es "$1" >/dev/null || { ev-cat; false; }
}

commit() { # SUBJECT
	git commit -q --allow-empty -m "$1"
}

waiting() {
	rig-hooks status | sed -n 's/^waiting *\([0-9]*\) .*/\1/p'
}

# hook NAME < script
hook() {
	cat >".git/hooks/$1"
	chmod +x ".git/hooks/$1"
}

# Every file below a folder: its name, kind, mode and content.
listing() {
	find "$1" -printf '%P %y %m %l\n' | sort
	find "$1" -type f -exec cksum {} + | sort
}

# ---- what is told

@test "checking an issue branch out tells once that it exists and is worked on" {
	install
	git checkout -q -b issue-42
	git checkout -q main
	git checkout -q issue-42
	is 'map(.type) == ["BRANCH_CREATED", "WORK_STARTED"]'
	is 'map(.streamId) | unique == ["acme/app#42"]'
	is 'map(.actor) | unique == ["dev-e-1"]'
	is 'map(.data) | unique == [{repo: "acme/app", issueNumber: 42,
		agentId: "dev-e-1", branch: "issue-42"}]'
}

@test "another agent starts work on a branch that exists already" {
	install
	git checkout -q -b issue-42
	git checkout -q main
	EV_AGENT=rev-e-1/x7k2p git checkout -q issue-42
	is 'map(.type) == ["BRANCH_CREATED", "WORK_STARTED", "WORK_STARTED"]'
	is '.[2].data.agentId == "rev-e-1/x7k2p"'
	# the same agent in another pod has started long ago
	git checkout -q main
	EV_AGENT=rev-e-1/other git checkout -q issue-42
	is 'length == 3'
	[ ! -e .git/ev ]
}

@test "a branch without an issue, a file and a commit checked out tell nothing" {
	install
	git checkout -q -b tidy-up
	git checkout -q --detach
	git checkout -q -B issue-7
	echo a >a
	git add a
	commit a
	before=$(events length)
	rm a
	git checkout -q -- a
	git checkout -q issue-7 a
	[ "$(events length)" = "$before" ]
	is 'map(select(.type == "BRANCH_CREATED").data.branch) == ["issue-7"]'
}

@test "a commit on an issue branch is a heartbeat in the issue's stream" {
	install
	git checkout -q -b fix/issue-42-totals
	commit 'Round half to even'
	sha=$(git rev-parse HEAD)
	is '.[-1].type == "HEARTBEAT" and .[-1].streamId == "acme/app#42"'
	is ".[-1].data == {agentId: \"dev-e-1\", status: \"working\",
		currentIssue: 42, currentRepo: \"acme/app\", activity: \"commit\",
		branch: \"fix/issue-42-totals\", commit: \"$sha\",
		author: \"ada@example.com\", subject: \"Round half to even\"}"
}

@test "a commit elsewhere is a heartbeat in the agent's stream" {
	install
	commit one
	git checkout -q --detach
	commit two
	is 'map([.streamId, .data.branch, .data.currentIssue]) ==
		[["dev-e-1", "main", null], ["dev-e-1", "", null]]'
}

@test "without an agent's name the e-mail address of git stands for it" {
	rig-hooks install -q --repo acme/app
	commit one
	GIT_AUTHOR_EMAIL=bob@example.com commit two
	git -c author.email=eve@example.com commit -q --allow-empty -m three
	is 'map([.data.agentId, .actor]) == [["ada@example.com", "git:ada@example.com"],
		["bob@example.com", "git:bob@example.com"],
		["eve@example.com", "git:eve@example.com"]]'
}

@test "an amended commit is one heartbeat more" {
	install
	git checkout -q -b 42-x
	commit one
	git commit -q --amend --allow-empty -m two
	is 'map(select(.type == "HEARTBEAT").data.subject) == ["one", "two"]'
}

@test "two agents that make the same commit are both heard" {
	install
	export GIT_AUTHOR_DATE='@1700000000 +0000' GIT_COMMITTER_DATE='@1700000000 +0000'
	git worktree add -q -b issue-1 ../one
	git worktree add -q -b issue-2 ../two
	EV_AGENT=a git -C ../one commit -q --allow-empty -m same
	EV_AGENT=b git -C ../two commit -q --allow-empty -m same
	is 'map(select(.type == "HEARTBEAT")) |
		(map(.data.commit) | unique | length == 1) and
		map([.streamId, .data.agentId]) == [["acme/app#1", "a"], ["acme/app#2", "b"]]'
}

@test "a push tells each branch that it sends, before it is sent" {
	git init -q --bare ../origin.git
	git remote add origin ../origin.git
	install
	git branch issue-1
	git branch work
	git tag v1
	git push -q origin issue-1 work:fix/42-x main v1
	sha=$(git rev-parse HEAD)
	is 'map(.data | [.branch, .currentIssue]) | sort ==
		[["fix/42-x", 42], ["issue-1", 1], ["main", null]]'
	is "map(.data | [.activity, .remote, .commit]) | unique ==
		[[\"push\", \"origin\", \"$sha\"]]"
	# neither a deletion nor a tag is work, and nothing is sent a second time
	git push -q origin :fix/42-x :v1
	git push -q origin main
	is 'length == 3'
}

@test "a push to a URL does not tell the password in it" {
	install
	git init -q --bare ../x@y.git
	# a stand-in: what ssh would run there, run here
	printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n' >../ssh
	chmod +x ../ssh
	url=$BATS_TEST_TMPDIR/x@y.git
	GIT_SSH=$BATS_TEST_TMPDIR/ssh GIT_SSH_VARIANT=simple \
		git push -q "ssh://user:secret@localhost$url" main
	is "map(.data.remote) == [\"ssh://localhost$url\"]"
}

@test "a merge is a heartbeat that names what was merged" {
	install
	git checkout -q -b issue-42
	commit work
	git checkout -q main
	git merge -q issue-42
	commit more
	git checkout -q issue-42
	commit 'more work'
	git checkout -q main
	git merge -q --no-edit issue-42
	is 'map(select(.data.activity == "merge")) |
		map([.streamId, .data.branch, .data.merged, .data.currentIssue]) ==
		[["acme/app#42", "main", "issue-42", 42],
		 ["acme/app#42", "main", "issue-42", 42]]'
	is "map(select(.data.activity == \"merge\"))[1].data.commit ==
		\"$(git rev-parse HEAD)\""
	# squashed, nothing is committed yet
	git checkout -q -b issue-43
	commit squashed
	git checkout -q main
	git merge -q --squash issue-43
	is 'map(select(.data.activity == "merge")) | length == 2'
}

@test "everybody who pulls the same commit is heard" {
	git clone -q --bare . ../origin.git
	for agent in a b; do
		git clone -q ../origin.git "../$agent"
		rig-hooks install -q -C "../$agent" --repo acme/app --agent "$agent"
	done
	commit one
	git push -q ../origin.git main
	git -C ../a pull -q
	git -C ../b pull -q
	is 'map([.data.agentId, .data.activity]) == [["a", "merge"], ["b", "merge"]]'
}

@test "a rebase is one heartbeat, however many commits it makes" {
	for backend in merge apply; do
		branch=issue-1-$backend
		git checkout -q -b "$branch" main
		for i in 1 2 3; do
			echo "$i" >"$branch-$i"
			git add .
			commit "$i"
		done
		git checkout -q main
		echo "$backend" >"more"
		git add .
		commit "more $backend"
		git checkout -q "$branch"
		install
		git -c rebase.backend=$backend rebase -q main
		rig-hooks uninstall -q
	done
	is 'map([.data.activity, .data.branch]) ==
		[["rebase", "issue-1-merge"], ["rebase", ""]]'
}

@test "cron and friends: hooks work from a subfolder and with --git-dir" {
	install
	mkdir sub
	cd sub
	commit one
	cd /
	git --git-dir="$repo/.git" --work-tree="$repo" commit -q --allow-empty -m two
	GIT_DIR=$repo/.git commit three
	is 'map(.data.subject) == ["one", "two", "three"]'
}

@test "hooks work in submodules" {
	git init -q ../lib
	git -C ../lib commit -q --allow-empty -m lib
	git -c protocol.file.allow=always submodule --quiet add ../lib lib
	rig-hooks install -q -C lib --repo acme/lib
	git -C lib checkout -q -b issue-5
	is 'map(.streamId) == ["acme/lib#5", "acme/lib#5"]'
}

@test "each example of a branch name gives its issue" {
	# the rule itself; ev-from-github is put to the same examples
	. "$ROOT/share/hooks/common.sh"
	while read -r branch want; do
		read_issue "$branch" || :
		[ "${issue:--}" = "$want" ] || { echo "$branch: $issue"; false; }
	done <"$BATS_TEST_DIRNAME/fixtures/issue-branches"
}

# ---- hostile text

@test "hostile names and subjects are text" {
	rig-hooks install -q --repo acme/app --agent '$(touch pwned)"\`id`'
	branch='issue-42-$(touch${IFS}pwned)`id`"q"&;|<>'"'"'é🎉'
	git checkout -q -b "$branch"
	subject=$'-n %s\t"quoted" \\ $(touch pwned) `touch pwned` é 🎉 \e]0;x\a'
	git commit -q --allow-empty -m "$subject" --author='--eve "$(id)" <-e@$(id)>'
	[ ! -e pwned ]
	is "map(.streamId) | unique == [\"acme/app#42\"]"
	ev-cat | jq -es --arg branch "$branch" --arg subject "$subject" '
		map(.data.branch) == [$branch, $branch, $branch] and
		.[2].data.subject == $subject and
		.[2].data.author == "-e@$(id)" and
		.[2].data.agentId == "$(touch pwned)\"\\`id`"'
	[ "$(waiting)" = 0 ]
}

@test "text that is not UTF-8 becomes valid JSON, where git knows its encoding the right one" {
	install
	printf 'caf\351 na\357ve' >message
	git -c i18n.commitEncoding=ISO-8859-1 commit -q --allow-empty -F message
	git checkout -q -b "$(printf 'issue-9-caf\351')"
	# a commit that claims to be UTF-8 and is not
	git update-ref HEAD "$(
		printf 'tree %s\nauthor \351 <\351@x> 1 +0000\ncommitter e <e@x> 1 +0000\n\nbad \377\300\200 \355\240\200\n' \
			"$(git rev-parse 'HEAD^{tree}')" |
			git hash-object -t commit -w --stdin)"
	.git/hooks/post-commit
	is 'map(.data.subject) == ["café naïve", null, null,
		"bad \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd"]'
	is 'map(.data.branch)[1:] | unique == ["issue-9-caf\ufffd"]'
	is '.[3].data.author == "\ufffd@x"'
	[ "$(waiting)" = 0 ]
}

@test "very long names and subjects are told" {
	long=$(printf '%0100d' 0)
	install --agent "$long$long$long"
	git checkout -q -b "issue-42/$long/$long/$long"
	commit "$long$long$long$long$long$long$long$long$long$long"
	head -c 300000 /dev/zero | tr '\0' x >message
	git commit -q --allow-empty -F message
	is 'map(.streamId) | unique == ["acme/app#42"]'
	is 'length == 4 and (map(.id) | unique | length) == 4'
	is '.[2].data.subject | length == 1000'
	is '.[3].data.subject | length == 4000'
	[ "$(waiting)" = 0 ]
}

@test "newlines in the environment end a text, they do not add members" {
	EV_AGENT=$'dev-e-2\ntype=AGENT_STUCK\n\ntype=ESCALATED' \
		install
	EV_AGENT=$'dev-e-2\ntype=AGENT_STUCK\n\ntype=ESCALATED' commit one
	is 'map([.type, .data.agentId, .actor]) == [["HEARTBEAT", "dev-e-2", "dev-e-2"]]'
}

# ---- the log is away

@test "when the log cannot be reached git goes on, and events come later, once, as of then" {
	install -l "$BATS_TEST_TMPDIR/none/log.db"
	log=$EV_LOG
	unset EV_LOG
	run --separate-stderr git checkout -q -b issue-42
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
	run --separate-stderr git commit -q --allow-empty -m 'one "é"'
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
	[ "$(waiting)" = 3 ]
	at=$(date -u +%Y-%m-%dT%H:%M:%S)
	# the next hook brings them all
	export EV_LOG=$log
	commit two
	[ "$(waiting)" = 0 ]
	is 'map([.type, .data.subject]) == [["BRANCH_CREATED", null],
		["WORK_STARTED", null], ["HEARTBEAT", "one \"é\""],
		["HEARTBEAT", "two"]]'
	is "map(.timestamp)[:3] | all(. < \"${at}Z\")"
	is '.[0:3] | all(.timestamp < .recordedAt)'
	commit three
	is 'length == 5'
}

@test "a hook that finds no ev-append, one that crashes or an awkward log spools as well" {
	install
	sed -i "s|^ev_append=.*|ev_append=/none/ev-append|" .git/hooks/post-commit
	(
		# a PATH without it
		PATH=${PATH//$EV_BIN:/}
		PATH=${PATH//$ROOT\/bin:/}
		commit 'no command'
	)
	commit 'found on PATH'
	is 'map(.data.subject) == ["no command", "found on PATH"]'
	printf '#!/bin/sh\nkill -9 $$\n' >../crash
	chmod +x ../crash
	sed -i "s|^ev_append=.*|ev_append=$BATS_TEST_TMPDIR/crash|" .git/hooks/post-commit
	commit crash
	install
	EV_LOG=$BATS_TEST_TMPDIR commit 'a folder'
	echo 'no log, but a file with text in it that is long enough to look at' >../text
	EV_LOG=$BATS_TEST_TMPDIR/text commit 'a text'
	[ "$(waiting)" = 3 ]
	commit end
	is 'map(.data.subject)[2:] == ["crash", "a folder", "a text", "end"]'
}

@test "a hook does not wait for a log that somebody holds" {
	install
	commit one
	mkfifo ../held ../release
	perl -MFcntl -e '
		open my $lock, "+<", $ARGV[0] or die;
		my $flock = pack "s s l! l! i x64", F_WRLCK, 0, 0, 0, 0;
		fcntl $lock, F_SETLK, $flock or die "cannot lock";
		open my $held, ">", $ARGV[1] or die;
		close $held;
		open my $release, "<", $ARGV[2] or die;' \
		"$EV_LOG.lock" ../held ../release 3>&- &
	: <../held
	SECONDS=0
	EV_TIMEOUT=600 commit two
	[ "$SECONDS" -lt 20 ]
	[ "$(waiting)" = 1 ]
	: >../release
	wait "$!"
	commit three
	is 'map(.data.subject) == ["one", "two", "three"]'
}

@test "flush sends all that waits, in order" {
	install
	good=$EV_LOG
	EV_LOG=$BATS_TEST_TMPDIR/none/log.db commit 0
	# as 250 hooks would have left them
	file=$(echo .git/ev/spool/*)
	for ((i = 1; i <= 250; i++)); do
		sed "s|\"id\":\"git|&/$i|; s|\"subject\":\"0|\"subject\":\"$i|" "$file" \
			>".git/ev/spool/$(printf '9999-%04d' "$i")"
	done
	run -69 --separate-stderr rig-hooks flush -l "$BATS_TEST_TMPDIR/none/log.db"
	[[ $stderr == "rig-hooks: 251 events still wait: "*none/log.db* ]]
	run -0 --separate-stderr rig-hooks flush -l "$good"
	[ "$stderr" = 'rig-hooks: sent 251 events' ]
	is 'map(.data.subject) == [range(251) | tostring]'
	run -0 --separate-stderr rig-hooks flush
	[ "$stderr" = 'rig-hooks: sent 0 events' ]
}

@test "behind a long queue a hook's own event waits for its turn" {
	install
	EV_LOG=$BATS_TEST_TMPDIR/none/log.db commit 0
	file=$(echo .git/ev/spool/*)
	for ((i = 1; i < 75; i++)); do
		sed "s|\"id\":\"git|&/$i|; s|\"subject\":\"0|\"subject\":\"$i|" "$file" \
			>"$file-$(printf '%04d' "$i")"
	done
	commit 75
	is 'map(.data.subject) == [range(50) | tostring]'
	[ "$(waiting)" = 26 ]
	commit 76
	is 'map(.data.subject) == [range(77) | tostring]'
	[ "$(waiting)" = 0 ]
}

@test "sending twice stores once" {
	install
	EV_LOG=$BATS_TEST_TMPDIR/none/log.db commit one
	cp -R .git/ev ../copy
	commit two
	rm -rf .git/ev
	cp -R ../copy .git/ev
	run -0 rig-hooks flush
	is 'map(.data.subject) == ["one", "two"]'
}

@test "what the log refuses is kept aside, named by status, and holds nothing up" {
	install
	mkdir -p .git/ev/spool
	echo '{"type":"HEARTBEAT","id":"bad","agentId":7}' >.git/ev/spool/0
	echo 'no JSON' >.git/ev/spool/1
	commit one
	is 'map(.data.subject) == ["one"]'
	[ "$(waiting)" = 0 ]
	diff - .git/ev/rejected.ndjson <<-'END'
		{"type":"HEARTBEAT","id":"bad","agentId":7}
		no JSON
	END
	run -1 rig-hooks status
	[[ $output == *"rejected        2 events in $repo/.git/ev/rejected.ndjson"* ]]
	[[ $output == *"line 1: "*agentId* ]]
	[[ $output == *"line 2: "* ]]
	echo '{"type":"NO_SUCH_TYPE","id":"bad"}' >.git/ev/spool/0
	run -65 --separate-stderr rig-hooks flush
	[[ $stderr == *"sent 1 events, of which the log refused 1: they are in "* ]]
	[ "$(wc -l <.git/ev/rejected.ndjson)" -eq 3 ]
}

@test "a spool that cannot be written or read does not stop what the log takes" {
	# also for root, whom permissions do not stop
	install
	mkdir .git/ev
	echo 'in the way' >.git/ev/spool
	commit one
	EV_LOG=/dev/null/log commit two
	is 'map(.data.subject) == ["one"]'
	[ "$(ls .git/ev)" = spool ]
	rm .git/ev/spool
	mkdir -p .git/ev/spool/folder
	commit three
	EV_LOG=/dev/null/log commit four
	commit five
	is 'map(.data.subject) == ["one", "three", "four", "five"]'
	run -0 rig-hooks flush
}

@test "a full disk tears nothing" {
	install
	mkdir -p .git/ev
	# as many bytes as a process may write to a file
	(
		ulimit -f 0
		trap '' XFSZ
		EV_LOG=/dev/null/log .git/hooks/post-commit
	)
	[ -z "$(ls .git/ev/spool)" ]
	[ -z "$(find .git/ev -type f)" ]
	EV_LOG=/dev/null/log .git/hooks/post-commit
	commit one
	is 'map(.data.subject) == ["begin", "one"]'
}

@test "catalogs that cannot be read lose no event" {
	install
	mkdir ../broken
	echo 'catalog: [' >../broken/rig.yaml
	EV_SCHEMAS=$BATS_TEST_TMPDIR/broken commit one
	[ "$(waiting)" = 1 ]
	commit two
	is 'map(.data.subject) == ["one", "two"]'
}

@test "four worktrees commit at once: every heartbeat arrives, none twice" {
	install
	for i in 1 2 3 4; do
		git worktree add -q -b "issue-$i" "../work-$i"
	done
	for i in 1 2 3 4; do
		(
			cd "../work-$i" || exit
			export EV_AGENT=agent-$i
			for ((n = 0; n < 12; n++)); do
				# now and then the log is away
				[ $((n % 4)) -ne 1 ] || export EV_LOG=/dev/null/log
				[ $((n % 4)) -ne 2 ] || export EV_LOG=$BATS_TEST_TMPDIR/log.db
				commit "$i-$n" || exit
			done
		) 3>&- &
	done
	wait
	run -0 rig-hooks flush
	is 'map(select(.type == "HEARTBEAT").data.subject) | sort ==
		([range(1; 5) as $i | range(12) | "\($i)-\(.)"] | sort)'
	is 'map(select(.type == "HEARTBEAT")) |
		all(.data.agentId == "agent-\(.data.currentIssue)")'
	[ ! -e .git/ev/rejected.ndjson ]
	[ "$(waiting)" = 0 ]
	run -0 ev-verify
}

# ---- hooks of others

@test "a hook that was there runs first, with its arguments, input and standard output" {
	git init -q --bare ../origin.git
	git remote add origin ../origin.git
	for name in post-checkout post-commit post-merge post-rewrite pre-push; do
		hook "$name" <<-'END'
			#!/bin/sh
			{
				echo "${0##*/} $* $(ev-cat 2>/dev/null | wc -l)"
				[ "${0##*/}" = post-commit ] || cat
			} >>../calls
			echo "said by $1" >&2
		END
	done
	act() {
		rm -rf "$BATS_TEST_TMPDIR/repo" "$EV_LOG"*
		cp -R "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/repo"
		cd "$BATS_TEST_TMPDIR/repo"
		rm -rf "$BATS_TEST_TMPDIR/calls" ../origin.git
		git init -q --bare ../origin.git
		"$@"
		{
			git checkout -q -b issue-1
			commit one
			git commit -q --amend --allow-empty -m two
			git checkout -q main
			git merge -q issue-1
			git push -q origin main issue-1
		} 2>&1 </dev/null
	}
	export GIT_AUTHOR_DATE='@1700000000 +0000' GIT_COMMITTER_DATE='@1700000000 +0000'
	cp -R "$repo" ../before
	alone=$(act : && sed 's/[0-9]*$//' ../calls)
	chained=$(act install && sed 's/[0-9]*$//; s/[.]before-ev//' ../calls)
	[ "$(grep -c . <<<"$alone")" -gt 10 ]
	diff - <(echo "$alone") <<<"$chained"
	# ours came after each: the first saw an empty log
	cd "$repo"
	sed -n '/^post-checkout/{p;q}' ../calls | grep -q ' 1 0$'
	is 'length == 7'
}

@test "a hook that was there still decides how git ends" {
	git init -q --bare ../origin.git
	git remote add origin ../origin.git
	for name in post-checkout pre-push; do
		printf '#!/bin/sh\ncat >/dev/null\nexit 3\n' | hook "$name"
	done
	run git checkout -q -b issue-1
	[ "$status" -ne 0 ]
	alone=$status
	install
	run git checkout -q -b issue-2
	[ "$status" -eq "$alone" ]
	run -3 .git/hooks/post-checkout 0 0 0
	# the branch is there all the same
	is 'map(.data.branch) | unique == ["issue-2"]'
	run -1 git push -q origin issue-2
	[ -z "$(git ls-remote origin)" ]
	is 'map(select(.data.activity == "push")) == []'
}

@test "a hook that is not executable is kept, but not run" {
	echo 'echo ran >>../calls' >.git/hooks/post-commit
	chmod 644 .git/hooks/post-commit
	install
	commit one
	[ ! -e ../calls ]
	is 'length == 1'
	rig-hooks uninstall -q
	[ "$(stat -c %a .git/hooks/post-commit)" = 644 ]
}

@test "installing twice changes nothing" {
	echo 'exit 0' | hook post-commit
	install
	before=$(listing .git; stat -c '%n %i %y' .git/hooks/* .git/config)
	install
	rig-hooks install -q
	after=$(listing .git; stat -c '%n %i %y' .git/hooks/* .git/config)
	[ "$before" = "$after" ]
}

@test "uninstall restores exactly what was there" {
	echo 'echo "mine"' | hook post-commit
	echo 'not executable' >.git/hooks/pre-push
	ln -s ../../no-such-script .git/hooks/post-merge
	git config ev.agent set-before
	before=$(listing .git)
	install -l ../log.db
	[ "$(git config ev.log)" = "$repo/../log.db" ]
	[ "$before" != "$(listing .git)" ]
	git config ev.agent set-before
	rig-hooks uninstall -q
	diff - <(listing .git) <<<"$before"
	rig-hooks uninstall -q
	diff - <(listing .git) <<<"$before"
	commit one
	run -69 ev-cat
}

@test "uninstall takes a folder of hooks away that install made" {
	rm -rf .git/hooks
	install
	[ -x .git/hooks/post-commit ]
	rig-hooks uninstall -q
	[ ! -e .git/hooks ]
	mkdir .git/hooks
	install
	rig-hooks uninstall -q
	[ -d .git/hooks ]
}

@test "uninstall sends what waits, and says what it could not send" {
	install -l "$BATS_TEST_TMPDIR/none/log.db"
	good=$EV_LOG
	unset EV_LOG
	commit one
	run -69 --separate-stderr rig-hooks uninstall
	[[ $stderr == *"1 events still wait: 'rig-hooks flush -l LOG' sends them" ]]
	[ ! -e .git/hooks/post-commit ]
	run -0 rig-hooks flush -l "$good"
	export EV_LOG=$good
	is 'map(.data.subject) == ["one"]'
	install
	EV_LOG=$BATS_TEST_TMPDIR/none/log.db commit two
	run -0 rig-hooks uninstall
	is 'map(.data.subject) == ["one", "two"]'
	[ ! -e .git/ev ]
}

@test "a hook that came later is not overwritten" {
	echo 'exit 0' | hook post-commit
	install
	echo 'echo new' | hook post-commit
	before=$(listing .git)
	run -80 --separate-stderr rig-hooks install
	[[ $stderr == *"cannot install '$repo/.git/hooks/post-commit': "* ]]
	[ "$before" = "$(listing .git)" ]
	run -1 rig-hooks status
	[[ $output == *'post-commit   not installed'* ]]
	# and uninstall leaves it alone
	rig-hooks uninstall -q
	[ "$(cat .git/hooks/post-commit)" = 'echo new' ]
}

@test "core.hooksPath is respected; repositories that share it stay silent" {
	mkdir ../everybody
	git config --global core.hooksPath "$BATS_TEST_TMPDIR/everybody"
	install
	[ -x ../everybody/post-commit ]
	[ ! -e .git/hooks/post-commit ]
	commit one
	git init -q ../other
	git -C ../other commit -q --allow-empty -m other
	is 'map(.data.subject) == ["one"]'
	git config --global core.hooksPath .githooks
	install
	[ -x .githooks/post-commit ]
	mkdir sub
	cd sub
	rig-hooks install -q
	[ ! -e .githooks ]
	commit two
	is 'map(.data.subject) == ["one", "two"]'
}

@test "a worktree installs for all of them" {
	git worktree add -q -b issue-1 ../tree
	rig-hooks install -q -C ../tree --repo acme/app
	commit one
	git -C ../tree commit -q --allow-empty -m two
	is 'map([.data.subject, .streamId]) ==
		[["one", "ada@example.com"], ["two", "acme/app#1"]]'
	EV_LOG=/dev/null/log git -C ../tree commit -q --allow-empty -m three
	[ -d .git/ev/spool ]
	[ "$(waiting)" = 1 ]
}

@test "hooks outlive ev itself" {
	cp -R "$ROOT/bin" "$ROOT/share" ..
	echo 'echo ran >>../calls' | hook post-commit
	"$BATS_TEST_TMPDIR/bin/rig-hooks" install -q --repo acme/app
	rm -rf ../bin ../share
	run --separate-stderr git commit -q --allow-empty -m one
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
	[ "$(cat ../calls)" = ran ]
}

@test "an installation elsewhere, its path with a quote and a blank" {
	place="$BATS_TEST_TMPDIR/it's a place"
	mkdir -p "$place/bin" "$place/share/ev"
	cp "$ROOT/bin/rig-hooks" "$place/bin"
	ln "$ROOT/bin/ev-append" "$place/bin" || cp "$ROOT/bin/ev-append" "$place/bin"
	cp -R "$ROOT/schemas" "$ROOT/share/hooks" "$place/share/ev"
	ln -s "$place/bin/rig-hooks" ../link
	../link install -q --repo acme/app
	grep -q "s a place/bin/ev-append'" .git/hooks/post-commit
	commit one
	is 'map(.data.subject) == ["one"]'
}

# ---- the name of the repository

@test "the repository's name comes from the URL of origin" {
	git remote add origin x
	git config --global url.https://github.com/.insteadOf gh:
	while read -r url want; do
		git remote set-url origin "$url"
		rig-hooks install -q
		[ "$(git config ev.repo)" = "$want" ] || { echo "$url"; false; }
		rig-hooks uninstall -q
	done <<-'END'
		https://github.com/acme/app.git acme/app
		https://github.com/acme/app acme/app
		https://github.com/acme/app/ acme/app
		https://user:token@github.com:8443/acme/app.git acme/app
		ssh://git@example.com:2222/acme/app.git acme/app
		git@github.com:acme/app.git acme/app
		example.com:acme/app acme/app
		git@example.com:/acme/app.git acme/app
		git://example.com/acme/sub/app.git acme/sub/app
		gh:acme/app acme/app
		https://example.com/app.git repo
		/srv/git/acme/app.git repo
		file:///srv/git/acme/app.git repo
		../app.git repo
	END
}

@test "without origin the directory gives the name, and install says so" {
	run -0 --separate-stderr rig-hooks install
	[[ $stderr == *"the URL of origin gives no owner/name: events say 'repo', --repo"* ]]
	git worktree add -q ../tree
	rig-hooks uninstall -q
	run -0 --separate-stderr rig-hooks install -C ../tree
	[ "$(git config ev.repo)" = repo ]
	# what was chosen once stays
	git remote add origin git@github.com:acme/app.git
	rig-hooks install -q
	[ "$(git config ev.repo)" = repo ]
	rig-hooks install -q --repo acme/other
	commit one
	is 'map(.data.currentRepo) == ["acme/other"]'
}

@test "the environment overrules the configuration" {
	install -l "$BATS_TEST_TMPDIR/config.db"
	EV_LOG='' commit one
	EV_LOG=$BATS_TEST_TMPDIR/log.db EV_AGENT=other commit two
	[ "$(ev-cat -l "$BATS_TEST_TMPDIR/config.db" | jq -r .data.agentId)" = dev-e-1 ]
	is 'map(.data.agentId) == ["other"]'
}

# ---- the command itself

@test "status tells where everything is, and whether all is well" {
	run -1 rig-hooks status
	[[ $output == *'post-commit   not installed'* ]]
	echo 'exit 0' | hook post-merge
	install
	run -0 rig-hooks status
	diff - <(echo "$output") <<-END
		repository      acme/app
		agent           dev-e-1
		log             $EV_LOG
		hooks           $repo/.git/hooks
		  post-checkout installed
		  post-commit   installed
		  post-merge    installed, after post-merge.before-ev
		  post-rewrite  installed
		  pre-push      installed
		waiting         0 events
	END
	EV_LOG=/dev/null/log commit one
	run -1 rig-hooks status
	[[ $output == *'waiting         1 events'* ]]
	git config ev.agent $'\e]0;title\a'
	run -1 rig-hooks status
	[[ $output != *$'\e'* ]]
}

@test "wrong usage exits 64 and changes nothing" {
	before=$(listing .git)
	for arguments in '' nonsense 'install uninstall' 'install --nonsense' \
		'install -C' 'install --repo=' 'install --agent /x' \
		'install -C /nowhere' 'install -C /'; do
		# shellcheck disable=SC2086 # several words
		run -64 --separate-stderr rig-hooks $arguments
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
	[ "$before" = "$(listing .git)" ]
	run -0 --separate-stderr rig-hooks --help
	[ "${lines[0]%% \[*}" = 'usage: rig-hooks install' ]
	[ -z "$stderr" ]
}

@test "a folder of hooks that cannot be written exits 74" {
	rm -rf .git/hooks
	echo text >.git/hooks
	run -74 --separate-stderr rig-hooks install
	[[ $stderr == *"cannot make '$repo/.git/hooks'"* ]]
}
