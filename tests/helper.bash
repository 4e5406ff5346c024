# What every test file loads: this checkout's commands first on PATH, one
# locale and time zone, nothing of the user's set-up, a log of the test's own.
#
# EV_BIN names another folder of compiled commands, such as those with
# sanitizers; the scripts still come from bin.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
: "${EV_BIN:=$ROOT/bin}"

for name in "${!EV_@}"; do
	case $name in
	EV_BIN | EV_SANITIZED) ;;
	*) unset "$name" ;;
	esac
done
unset name NO_COLOR COLUMNS GITHUB_TOKEN GH_TOKEN GITHUB_TOKEN_FILE GITHUB_API_URL
# Commands look for the catalogs beside their own folder.
[ -d "$EV_BIN/../schemas" ] || export EV_SCHEMAS=$ROOT/schemas

export ROOT EV_BIN PATH="$EV_BIN:$ROOT/bin:$PATH" LC_ALL=C.UTF-8 TZ=UTC
# For setup_file there is no BATS_TEST_TMPDIR yet.
export XDG_STATE_HOME=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/state
export EV_LOG=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/log.db

# run pipe 'COMMAND | COMMAND...' [ARGUMENT...]: a pipeline, with the arguments
# as $1, $2, ...; its status is that of its last command that failed.
pipe() {
	bash -o pipefail -c "$1" pipe "${@:2}"
}
