#include "cmd/serve_settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/time.h"
#include "cmd/serve_host.h"
#include "cmd/serve_tokens.h"
#include "cmd/yaml_file.h"
#include "domain/json.h"
#include "domain/yaml.h"

static const char usage[] =
"usage: ev-serve [-l LOG] [options]\n"
"Serve the log over HTTP: an API, events as they come, and a dashboard.\n"
"\n"
"  -a, --address ADDRESS      listen on this numeric address (127.0.0.1)\n"
"  -l, --log LOG              the log (default: $EV_LOG, else\n"
"                             $XDG_STATE_HOME/ev/log.db)\n"
"  -p, --port PORT            listen on this port (8080), 0: on a free one\n"
"  -q, --quiet                say only what is wrong\n"
"      --check-config         say whether all settings are fine, and end\n"
"      --config FILE          settings, by their long names (default:\n"
"                             $EV_SERVE)\n"
"      --dashboard DIR        the dashboard's files\n"
"      --github-secret FILE   what GitHub signs its webhooks with\n"
"      --heartbeat SECONDS    what a silent stream gets a comment after (15)\n"
"      --host NAME            a name that callers know this server by; may\n"
"                             be given again\n"
"      --keep-logs SPAN       drop logs of agents when so old (7d)\n"
"      --keep-logs-size BYTES\n"
"                             drop the oldest when they have more (67108864)\n"
"      --max-body BYTES       the longest request (1048576)\n"
"      --max-connections N    how many at once (4096)\n"
"      --max-streams N        how many of them may stay to listen (3000)\n"
"      --new-token NAME=SCOPES\n"
"                             add a token to --tokens, print it, and end;\n"
"                             SCOPES: read, append, admin, with commas\n"
"      --no-sandbox           keep all rights, to find what needs them\n"
"      --origin URL           a site whose pages may call this server; may\n"
"                             be given again\n"
"      --rate N               requests a second of one address; 0: any\n"
"                             (200, and any of this machine)\n"
"      --rig FILE             the rig's configuration, rig.yaml(5) (default:\n"
"                             $EV_RIG)\n"
"      --socket PATH          listen on a unix socket instead\n"
"      --tls-cert FILE        speak TLS, with this certificate\n"
"      --tls-key FILE         and its key\n"
"      --tokens FILE          who may do what; without, who is on this\n"
"                             machine may read and append\n"
"  -h, --help                 print this\n"
"      --version              print versions\n"
"\n"
"Exit status: 0 it was told to end, or a check found nothing, 1 there is a\n"
"token of that name, 64 usage, 65 a setting or a file that it names is wrong,\n"
"69 log unreachable, or cannot listen, 74 reading or writing failed.\n";

enum {
	OPT_CHECK_CONFIG = 256, OPT_CONFIG, OPT_DASHBOARD, OPT_GITHUB_SECRET,
	OPT_HEARTBEAT, OPT_HOST, OPT_KEEP_LOGS, OPT_KEEP_LOGS_SIZE,
	OPT_MAX_BODY, OPT_MAX_CONNECTIONS, OPT_MAX_STREAMS, OPT_NEW_TOKEN,
	OPT_NO_SANDBOX, OPT_ORIGIN, OPT_RATE, OPT_RIG, OPT_SOCKET,
	OPT_TLS_CERT, OPT_TLS_KEY, OPT_TOKENS, OPT_VERSION
};

static const struct option long_options[] = {
	{ "address", required_argument, NULL, 'a' },
	{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "dashboard", required_argument, NULL, OPT_DASHBOARD },
	{ "github-secret", required_argument, NULL, OPT_GITHUB_SECRET },
	{ "heartbeat", required_argument, NULL, OPT_HEARTBEAT },
	{ "help", no_argument, NULL, 'h' },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "keep-logs", required_argument, NULL, OPT_KEEP_LOGS },
	{ "keep-logs-size", required_argument, NULL, OPT_KEEP_LOGS_SIZE },
	{ "log", required_argument, NULL, 'l' },
	{ "max-body", required_argument, NULL, OPT_MAX_BODY },
	{ "max-connections", required_argument, NULL, OPT_MAX_CONNECTIONS },
	{ "max-streams", required_argument, NULL, OPT_MAX_STREAMS },
	{ "new-token", required_argument, NULL, OPT_NEW_TOKEN },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "origin", required_argument, NULL, OPT_ORIGIN },
	{ "port", required_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "rig", required_argument, NULL, OPT_RIG },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "tokens", required_argument, NULL, OPT_TOKENS },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* ---- settings by name, from either side */

enum kind {
	KIND_ADDRESS, /* const char * */
	KIND_FILE,    /* likewise; in a file it begins where that is */
	KIND_LOG,     /* likewise, if it is one */
	KIND_PORT,    /* uint16_t */
	KIND_COUNT,   /* unsigned */
	KIND_SIZE,    /* size_t */
	KIND_BYTES,   /* int64_t */
	KIND_SPAN,    /* int64_t, seconds */
	KIND_SECONDS, /* int, milliseconds */
	KIND_HOST,    /* struct ev_list */
	KIND_ORIGIN,  /* likewise */
	KIND_FLAG,    /* bool */
	KIND_NOT      /* likewise, the other way round */
};

#define AT(member) offsetof(struct serve_settings, member)

static const struct setting {
	const char *name;
	int option;
	enum kind kind;
	size_t offset;
	int64_t min, max; /* of numbers */
} known[] = {
	{ "address", 'a', KIND_ADDRESS, AT(address), 0, 0 },
	{ "dashboard", OPT_DASHBOARD, KIND_FILE, AT(dashboard), 0, 0 },
	{ "github-secret", OPT_GITHUB_SECRET, KIND_FILE, AT(github_secret), 0,
	  0 },
	{ "heartbeat", OPT_HEARTBEAT, KIND_SECONDS, AT(heartbeat_ms), 1, 3600 },
	{ "host", OPT_HOST, KIND_HOST, AT(hosts), 0, 0 },
	{ "keep-logs", OPT_KEEP_LOGS, KIND_SPAN, AT(logs_age_s), 0, 0 },
	{ "keep-logs-size", OPT_KEEP_LOGS_SIZE, KIND_BYTES, AT(logs_bytes),
	  1024 * 1024, INT64_MAX },
	{ "log", 'l', KIND_LOG, AT(log), 0, 0 },
	{ "max-body", OPT_MAX_BODY, KIND_SIZE, AT(body_max), 1024,
	  EV_JSON_SIZE_MAX },
	{ "max-connections", OPT_MAX_CONNECTIONS, KIND_COUNT, AT(connections),
	  4, 100000 },
	{ "max-streams", OPT_MAX_STREAMS, KIND_COUNT, AT(streams), 0, 100000 },
	{ "no-sandbox", OPT_NO_SANDBOX, KIND_NOT, AT(sandbox), 0, 0 },
	{ "origin", OPT_ORIGIN, KIND_ORIGIN, AT(origins), 0, 0 },
	{ "port", 'p', KIND_PORT, AT(port), 0, 65535 },
	{ "quiet", 'q', KIND_FLAG, AT(quiet), 0, 0 },
	{ "rate", OPT_RATE, KIND_COUNT, AT(rate), 0, 100000 },
	{ "rig", OPT_RIG, KIND_FILE, AT(rig), 0, 0 },
	{ "socket", OPT_SOCKET, KIND_FILE, AT(socket), 0, 0 },
	{ "tls-cert", OPT_TLS_CERT, KIND_FILE, AT(certificate), 0, 0 },
	{ "tls-key", OPT_TLS_KEY, KIND_FILE, AT(key), 0, 0 },
	{ "tokens", OPT_TOKENS, KIND_FILE, AT(tokens), 0, 0 },
};
enum { KNOWN = sizeof known / sizeof *known };

static const struct setting *
find_option(int option)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].option == option)
			return &known[i];
	return NULL;
}

static void *
place_of(struct serve_settings *settings, const struct setting *setting)
{
	return (char *)settings + setting->offset;
}

static bool
is_address(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	return inet_pton(AF_INET, text, &four) == 1 ||
	       inet_pton(AF_INET6, text, &six) == 1;
}

static enum ev_status
set_number(struct serve_settings *settings, const struct setting *setting,
           const char *text, struct ev_err *err)
{
	void *place = place_of(settings, setting);
	int64_t number;

	if (!ev_opt_int(text, setting->min, setting->max, &number)) {
		if (setting->max == INT64_MAX)
			return ev_err_set(err, EV_USAGE, "expected a number "
			                  "from %lld", (long long)setting->min);
		return ev_err_set(err, EV_USAGE, "expected a number from %lld "
		                  "to %lld", (long long)setting->min,
		                  (long long)setting->max);
	}
	if (setting->kind == KIND_PORT)
		*(uint16_t *)place = (uint16_t)number;
	else if (setting->kind == KIND_COUNT)
		*(unsigned *)place = (unsigned)number;
	else if (setting->kind == KIND_SIZE)
		*(size_t *)place = (size_t)number;
	else
		*(int64_t *)place = number;
	return EV_OK;
}

static enum ev_status
set_span(struct serve_settings *settings, const struct setting *setting,
         const char *text, struct ev_err *err)
{
	int64_t span;

	if (!ev_time_parse_span(ev_str(text), &span) || span < 1000000)
		return ev_err_set(err, EV_USAGE, "expected a span such as 12h "
		                  "or 7d");
	*(int64_t *)place_of(settings, setting) = span / 1000000;
	return EV_OK;
}

static enum ev_status
set_seconds(struct serve_settings *settings, const struct setting *setting,
            const char *text, struct ev_err *err)
{
	int milliseconds;

	if (!ev_opt_seconds(text, &milliseconds) ||
	    milliseconds < setting->min * 1000 ||
	    milliseconds > setting->max * 1000)
		return ev_err_set(err, EV_USAGE, "expected seconds, from %lld "
		                  "to %lld", (long long)setting->min,
		                  (long long)setting->max);
	*(int *)place_of(settings, setting) = milliseconds;
	return EV_OK;
}

static enum ev_status
add_name(struct serve_settings *settings, const struct setting *setting,
         const char *text, struct ev_err *err)
{
	struct serve_origin origin;
	struct serve_host host;

	if (setting->kind == KIND_HOST &&
	    (!serve_host_parse(&host, ev_str(text)) || host.port >= 0))
		return ev_err_set(err, EV_USAGE, "expected the name of a host, "
		                  "without a port");
	if (setting->kind == KIND_ORIGIN &&
	    !serve_origin_parse(&origin, ev_str(text)))
		return ev_err_set(err, EV_USAGE, "expected a site such as "
		                  "https://rig.example.com, without a path");
	ev_list_add(place_of(settings, setting), ev_str(text));
	return EV_OK;
}

/* Takes a value, which has to live as long as the settings. EV_USAGE: what was
   expected instead. */
static enum ev_status
take(struct serve_settings *settings, const struct setting *setting,
     const char *text, struct ev_err *err)
{
	void *place = place_of(settings, setting);

	switch (setting->kind) {
	case KIND_ADDRESS:
		if (!is_address(text))
			return ev_err_set(err, EV_USAGE, "expected a numeric "
			                  "address such as 127.0.0.1 or ::1");
		*(const char **)place = text;
		return EV_OK;
	case KIND_FILE:
	case KIND_LOG:
		if (!*text)
			return ev_err_set(err, EV_USAGE, "expected a file");
		*(const char **)place = text;
		return EV_OK;
	case KIND_PORT:
	case KIND_COUNT:
	case KIND_SIZE:
	case KIND_BYTES:
		return set_number(settings, setting, text, err);
	case KIND_SPAN:
		return set_span(settings, setting, text, err);
	case KIND_SECONDS:
		return set_seconds(settings, setting, text, err);
	case KIND_HOST:
	case KIND_ORIGIN:
		return add_name(settings, setting, text, err);
	case KIND_FLAG:
	case KIND_NOT:
		break;
	}
	*(bool *)place = setting->kind == KIND_FLAG;
	return EV_OK;
}

/* ---- the file */

struct config {
	struct serve_settings *settings;
	const char *path;
	bool given[KNOWN]; /* by the file */
	bool wrong;
};

static void
report(void *context, struct ev_place place, const char *message)
{
	struct config *config = context;

	config->wrong = true;
	cli_say(EV_BAD_INPUT, "%s:%zu:%zu: %s", config->path, place.line,
	        place.column, message);
}

static void
__attribute__((format(printf, 3, 4)))
reportf(struct config *config, struct ev_place place, const char *format, ...)
{
	struct ev_err err;
	va_list arguments;

	va_start(arguments, format);
	ev_err_vset(&err, EV_BAD_INPUT, format, arguments);
	va_end(arguments);
	report(config, place, err.text);
}

static void
report_unknown(struct config *config, const struct ev_yaml *key)
{
	char name[64] = "";
	const char *near = NULL;
	int least = 3;

	if (key->text.len < sizeof name && key->text.len)
		memcpy(name, key->text.ptr, key->text.len);
	for (size_t i = 0; i < KNOWN && *name; i++) {
		int distance = ev_opt_distance(name, known[i].name);

		if (distance < least) {
			least = distance;
			near = known[i].name;
		}
	}
	if (near)
		reportf(config, key->place, "'%.*s': there is no such setting; "
		        "did you mean '%s'?", EV_FMT(key->text), near);
	else
		reportf(config, key->place, "'%.*s': there is no such setting; "
		        "ev-serve -h tells which there are",
		        EV_FMT(key->text));
}

/* A file's name begins where the configuration is, unless it begins at /. */
static const char *
file_text(struct config *config, struct ev_str text)
{
	const char *slash = strrchr(config->path, '/');
	struct ev_arena *arena = &config->settings->arena;
	struct ev_buf path = { 0 };
	struct ev_str found;

	if (!text.len || *text.ptr == '/' || !slash)
		return ev_arena_dup(arena, text).ptr;
	ev_buf_add(&path, config->path, (size_t)(slash - config->path) + 1);
	ev_buf_add_str(&path, text);
	found = ev_arena_dup(arena, ev_buf_str(&path));
	ev_buf_release(&path);
	return found.ptr;
}

static bool
is_number(enum kind kind)
{
	return kind == KIND_PORT || kind == KIND_COUNT || kind == KIND_SIZE ||
	       kind == KIND_BYTES || kind == KIND_SECONDS;
}

static void
take_scalar(struct config *config, const struct setting *setting,
            const struct ev_yaml *node)
{
	bool flag = setting->kind == KIND_FLAG || setting->kind == KIND_NOT;
	enum ev_yaml_kind wanted = flag ? EV_YAML_BOOLEAN
	                           : is_number(setting->kind) ? EV_YAML_NUMBER
	                                                      : EV_YAML_STRING;
	struct ev_err err;
	const char *text;

	if (node->kind != wanted) {
		reportf(config, node->place, "'%s': expected %s", setting->name,
		        flag ? "true or false"
		        : wanted == EV_YAML_NUMBER ? "a number" : "a text");
		return;
	}
	if (flag) {
		*(bool *)place_of(config->settings, setting) =
			ev_str_equal(node->text, EV_STR("true")) ==
			(setting->kind == KIND_FLAG);
		return;
	}
	if (node->text.len && memchr(node->text.ptr, '\0', node->text.len)) {
		reportf(config, node->place, "'%s': there is a NUL in it",
		        setting->name);
		return;
	}
	text = ev_arena_dup(&config->settings->arena, node->text).ptr;
	if (setting->kind == KIND_FILE ||
	    (setting->kind == KIND_LOG && !strstr(text, "://")))
		text = file_text(config, node->text);
	if (take(config->settings, setting, text, &err))
		reportf(config, node->place, "'%s': %s", setting->name,
		        err.text);
}

static void
take_member(struct config *config, const struct ev_yaml *node)
{
	const struct setting *setting = NULL;

	for (size_t i = 0; i < KNOWN && !setting; i++)
		if (ev_str_equal(node->key->text, ev_str(known[i].name)))
			setting = &known[i];
	if (!setting) {
		report_unknown(config, node->key);
		return;
	}
	config->given[setting - known] = true;
	if (node->kind != EV_YAML_LIST ||
	    (setting->kind != KIND_HOST && setting->kind != KIND_ORIGIN)) {
		take_scalar(config, setting, node);
		return;
	}
	for (node = node->first; node; node = node->next)
		take_scalar(config, setting, node);
}

static enum ev_status
read_config(struct config *config, struct ev_err *err)
{
	struct ev_arena arena = { 0 };
	const struct ev_yaml *tree;
	struct ev_buf text = { 0 };

	if (yaml_file_read(&text, config->path, err)) {
		ev_buf_release(&text);
		return EV_BAD_INPUT;
	}
	if (!ev_yaml_is_empty(ev_buf_str(&text))) {
		tree = ev_yaml_parse(&arena, ev_buf_str(&text), report, config);
		if (tree && tree->kind != EV_YAML_MAP)
			report(config, tree->place, "expected a map of "
			       "settings");
		else if (tree)
			for (tree = tree->first; tree; tree = tree->next)
				take_member(config, tree);
	}
	ev_arena_release(&arena);
	ev_buf_release(&text);
	return EV_OK;
}

/* ---- the command line */

struct command_line {
	const char *config;
	const char *new_token;
	bool check;
	struct given {
		const struct setting *setting;
		const char *value;
	} *given;
	size_t count;
};

/* -1: go on, else the exit status. */
static int
read_command_line(struct command_line *line, int argc, char **argv)
{
	const struct setting *setting;
	int c;

	while ((c = getopt_long(argc, argv, "a:hl:p:q", long_options, NULL)) !=
	       -1)
		switch (c) {
		case 'h':
			return cli_help(usage);
		case OPT_CHECK_CONFIG:
			line->check = true;
			break;
		case OPT_CONFIG:
			line->config = optarg;
			break;
		case OPT_NEW_TOKEN:
			line->new_token = optarg;
			break;
		case OPT_VERSION:
			return cli_version();
		default:
			setting = find_option(c);
			if (!setting)
				return cli_bad_option(argv);
			line->given = ev_mem_resize(line->given,
				(line->count + 1) * sizeof *line->given);
			line->given[line->count++] =
				(struct given){ setting, optarg };
		}
	if (argv[optind])
		return cli_usage("'%s': ev-serve takes no operands, -l names "
		                 "the log", argv[optind]);
	if (line->config && !*line->config)
		return cli_usage("--config '': expected a file");
	return -1;
}

static bool
is_given(const struct command_line *line, int option)
{
	for (size_t i = 0; i < line->count; i++)
		if (line->given[i].setting->option == option)
			return true;
	return false;
}

/* What the command line says wins; its lists take the place of the file's. */
static int
take_command_line(struct serve_settings *settings,
                  const struct command_line *line)
{
	struct ev_err err;

	if (is_given(line, OPT_HOST))
		settings->hosts.count = 0;
	if (is_given(line, OPT_ORIGIN))
		settings->origins.count = 0;
	for (size_t i = 0; i < line->count; i++) {
		const struct setting *setting = line->given[i].setting;
		const char *value = line->given[i].value;

		if (take(settings, setting, value, &err))
			return cli_usage("--%s '%s': %s", setting->name, value,
			                 err.text);
	}
	return -1;
}

/* ---- what does not go together */

static bool
is_loopback(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six);
}

/* NULL, or what is wrong. */
static const char *
find_clash(struct serve_settings *settings, const struct command_line *line,
           const struct config *config)
{
	bool socket = is_given(line, OPT_SOCKET);
	bool tcp = is_given(line, 'a') || is_given(line, 'p');
	bool streams = is_given(line, OPT_MAX_STREAMS);
	struct sockaddr_un name;

	if (!config->path)
		config = NULL;
	for (size_t i = 0; i < KNOWN && config; i++) {
		int option = known[i].option;

		streams |= config->given[i] && option == OPT_MAX_STREAMS;
		/* the file's are for when the command line says nothing */
		socket |= config->given[i] && option == OPT_SOCKET &&
		          !is_given(line, 'a') && !is_given(line, 'p');
		tcp |= config->given[i] && (option == 'a' || option == 'p') &&
		       !is_given(line, OPT_SOCKET);
	}
	if (socket && tcp)
		return "--socket is instead of --address and --port";
	if (!socket)
		settings->socket = NULL;
	if (socket && strlen(settings->socket) >= sizeof name.sun_path)
		return "--socket: the path is too long for a unix socket";
	if (!settings->certificate != !settings->key)
		return "--tls-cert and --tls-key go together";
	if (settings->streams >= settings->connections && streams)
		return "--max-streams has to be less than --max-connections, "
		       "for others are to get in, too";
	if (settings->streams >= settings->connections)
		settings->streams = settings->connections / 4 * 3;
	return NULL;
}

/* -1: go on, else the exit status. */
static int
check_together(struct serve_settings *settings,
               const struct command_line *line, const struct config *config)
{
	const char *clash = find_clash(settings, line, config);

	if (clash && config->path) {
		cli_say(EV_BAD_INPUT, "%s ('%s' may say one of them)", clash,
		        config->path);
		return EV_BAD_INPUT;
	}
	if (clash)
		return cli_usage("%s", clash);
	settings->rate_local = is_given(line, OPT_RATE);
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].option == OPT_RATE && config->given[i])
			settings->rate_local = true;
	if (settings->tokens || settings->socket ||
	    is_loopback(settings->address))
		return -1;
	cli_say(EV_BAD_INPUT, "refusing to listen on '%s' without --tokens: "
	        "anybody could read and append; --new-token makes one",
	        settings->address);
	return EV_BAD_INPUT;
}

/* ---- a new token */

static int
print_token(struct serve_tokens_added *added, struct ev_str token)
{
	struct ev_err err;

	printf("%.*s\n", EV_FMT(token));
	if (fflush(stdout) == 0) {
		serve_tokens_keep(added);
		return EV_OK;
	}
	cli_say(EV_IO, "cannot write to standard output: %s; there is no new "
	        "token", strerror(errno));
	if (serve_tokens_drop(added, &err))
		cli_fail(EV_IO, &err);
	return EV_IO;
}

static int
make_token(const struct serve_settings *settings, const char *text)
{
	const char *equals = strchr(text, '=');
	struct serve_tokens_added added;
	struct ev_buf token = { 0 };
	enum ev_status status;
	struct ev_str name;
	struct ev_err err;
	unsigned scopes;
	int result;

	if (!settings->tokens)
		return cli_usage("--new-token '%s': in which file? --tokens "
		                 "names it", text);
	name = (struct ev_str){ text, equals ? (size_t)(equals - text) : 0 };
	if (!serve_tokens_is_name(name))
		return cli_usage("--new-token '%s': expected NAME=SCOPES, the "
		                 "name of up to 64 letters, digits, - and _",
		                 text);
	if (!serve_scopes_parse(&scopes, ev_str(equals + 1)))
		return cli_usage("--new-token '%s': scopes are read, append "
		                 "and admin, with commas between", text);
	ev_crypto_start();
	status = serve_tokens_add(&added, settings->tokens, name, scopes,
	                          &token, &err);
	result = status ? cli_fail(status, &err)
	                : print_token(&added, ev_buf_str(&token));
	ev_buf_release(&token);
	return result;
}

/* ---- the files */

static bool
holds(const struct ev_buf *text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= text->len; i++)
		if (memcmp(text->ptr + i, word, len) == 0)
			return true;
	return false;
}

enum ev_status
serve_settings_read_tls(const struct serve_settings *settings,
                        struct ev_buf *certificate, struct ev_buf *key,
                        struct ev_err *err)
{
	enum ev_status status;

	ev_buf_reset(certificate);
	ev_buf_reset(key);
	if (!settings->certificate)
		return EV_OK;
	status = serve_secret_read(certificate, settings->certificate,
	                           "certificate", 0, err);
	/* some machines let a group read their keys */
	if (!status)
		status = serve_secret_read(key, settings->key, "key", S_IRWXO,
		                           err);
	if (status)
		return status;
	if (!holds(certificate, "-----BEGIN CERTIFICATE-----"))
		return ev_err_set(err, EV_BAD_INPUT, "'%s' holds no "
		                  "certificate: expected PEM",
		                  settings->certificate);
	if (holds(key, "ENCRYPTED"))
		return ev_err_set(err, EV_BAD_INPUT, "the key '%s' is "
		                  "encrypted: nobody is there to be asked for "
		                  "its passphrase", settings->key);
	if (!holds(key, "PRIVATE KEY-----"))
		return ev_err_set(err, EV_BAD_INPUT, "'%s' holds no private "
		                  "key: expected PEM", settings->key);
	return EV_OK;
}

/* Its first line; who could leave that empty, could sign: HMAC takes any
   key. */
static enum ev_status
check_secret(const char *file, struct ev_err *err)
{
	struct ev_buf secret = { 0 };
	enum ev_status status = serve_secret_read(&secret, file, "secret",
	                                          S_IRWXG | S_IRWXO, err);

	if (!status && (!secret.len || strchr("\r\n", *secret.ptr)))
		status = ev_err_set(err, EV_BAD_INPUT, "the secret '%s': its "
		                    "first line is empty", file);
	ev_buf_release(&secret);
	return status;
}

struct check {
	const struct serve_settings *settings;
	bool tell;
	enum ev_status status;
};

static void
__attribute__((format(printf, 2, 3)))
fine(const struct check *check, const char *format, ...)
{
	va_list arguments;

	if (!check->tell)
		return;
	va_start(arguments, format);
	fputs("ok ", stdout);
	vprintf(format, arguments);
	putchar('\n');
	va_end(arguments);
}

static void
wrong(struct check *check, const struct ev_err *err)
{
	check->status = EV_BAD_INPUT;
	cli_fail(EV_BAD_INPUT, err);
}

static void
check_log(struct check *check)
{
	const char *log = check->settings->log;
	const char *slash = strrchr(log, '/');
	char folder[PATH_MAX];
	struct stat info;
	struct ev_err err;

	if (!slash || strstr(log, "://")) {
		(void)ev_err_set(&err, EV_BAD_INPUT, "the log '%s': expected a "
		                 "file", log);
		wrong(check, &err);
		return;
	}
	snprintf(folder, sizeof folder, "%.*s",
	         slash == log ? 1 : (int)(slash - log), log);
	if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode)) {
		fine(check, "log '%s'", log);
		return;
	}
	(void)ev_err_set(&err, EV_BAD_INPUT, "the log '%s': there is no folder "
	                 "'%s'", log, folder);
	wrong(check, &err);
}

static void
check_listening(struct check *check)
{
	const struct serve_settings *settings = check->settings;

	if (settings->socket) {
		fine(check, "socket '%s'", settings->socket);
		return;
	}
	fine(check, "address '%s', port %u", settings->address,
	     (unsigned)settings->port);
	if (!settings->certificate && !is_loopback(settings->address) &&
	    !settings->quiet)
		cli_say(EV_OK, "'%s' without TLS: whoever is on the way can "
		        "read the tokens; --tls-cert, or a proxy with TLS and "
		        "--socket", settings->address);
}

static void
check_tokens(struct check *check)
{
	const char *file = check->settings->tokens;
	struct serve_tokens tokens = { 0 };
	struct ev_err err;

	if (!file)
		return;
	if (serve_tokens_read(&tokens, file, &err)) {
		wrong(check, &err);
	} else if (!tokens.count) {
		(void)ev_err_set(&err, EV_BAD_INPUT, "the tokens '%s': there "
		                 "is none, so that nobody could do anything; "
		                 "--new-token makes one", file);
		wrong(check, &err);
	} else {
		fine(check, "tokens '%s': %zu", file, tokens.count);
	}
	serve_tokens_release(&tokens);
}

static void
check_secrets(struct check *check)
{
	const struct serve_settings *settings = check->settings;
	struct ev_buf one = { 0 }, other = { 0 };
	struct ev_err err;

	if (serve_settings_read_tls(settings, &one, &other, &err))
		wrong(check, &err);
	else if (settings->certificate)
		fine(check, "certificate '%s', key '%s'", settings->certificate,
		     settings->key);
	if (settings->github_secret &&
	    check_secret(settings->github_secret, &err))
		wrong(check, &err);
	else if (settings->github_secret)
		fine(check, "GitHub's secret '%s'", settings->github_secret);
	ev_buf_release(&one);
	ev_buf_release(&other);
}

static void
check_rig(struct check *check)
{
	struct config config = { .path = check->settings->rig };
	struct ev_arena arena = { 0 };
	const struct ev_yaml *tree;
	struct ev_buf text = { 0 };
	struct ev_err err;

	if (!config.path)
		return;
	if (yaml_file_read(&text, config.path, &err)) {
		wrong(check, &err);
	} else if (!ev_yaml_is_empty(ev_buf_str(&text))) {
		tree = ev_yaml_parse(&arena, ev_buf_str(&text), report,
		                     &config);
		if (tree && tree->kind != EV_YAML_MAP)
			report(&config, tree->place, "expected a map");
	}
	if (config.wrong)
		check->status = EV_BAD_INPUT;
	else if (text.ptr)
		fine(check, "rig '%s'", config.path);
	ev_arena_release(&arena);
	ev_buf_release(&text);
}

/* Without the files that come with it, the API is there all the same. */
static void
check_dashboard(struct check *check)
{
	const char *folder = check->settings->dashboard;
	struct ev_buf path = { 0 };
	struct ev_err err;

	if (!folder)
		return;
	ev_buf_printf(&path, "%s/index.html", folder);
	ev_buf_add_char(&path, '\0');
	if (access(path.ptr, R_OK) == 0) {
		fine(check, "dashboard '%s'", folder);
	} else {
		(void)ev_err_set(&err, EV_BAD_INPUT, "the dashboard '%s': "
		                 "cannot read '%s': %s", folder, path.ptr,
		                 strerror(errno));
		wrong(check, &err);
	}
	ev_buf_release(&path);
}

enum ev_status
serve_settings_check(const struct serve_settings *settings, bool tell)
{
	struct check check = { .settings = settings, .tell = tell };

	check_log(&check);
	check_listening(&check);
	check_tokens(&check);
	check_secrets(&check);
	check_rig(&check);
	check_dashboard(&check);
	if (tell && fflush(stdout) != 0 && !check.status) {
		cli_say(EV_IO, "cannot write to standard output: %s",
		        strerror(errno));
		return EV_IO;
	}
	return check.status;
}

/* ---- all together */

static void
init(struct serve_settings *settings)
{
	const char *rig = getenv("EV_RIG");

	*settings = (struct serve_settings){
		.address = "127.0.0.1",
		.port = 8080,
		.rig = rig && *rig ? rig : NULL,
		.body_max = 1024 * 1024,
		.connections = 4096,
		.per_address = 256,
		.streams = 3000,
		.rate = 200,
		.readers = 2,
		.heartbeat_ms = 15 * 1000,
		.idle_ms = 60 * 1000,
		.header_ms = 10 * 1000,
		.body_ms = 30 * 1000,
		.stop_ms = 8 * 1000,
		.logs_age_s = 7 * 24 * 60 * 60,
		.logs_bytes = 64 * 1024 * 1024,
		.sandbox = true,
	};
}

/* The folder beside bin/ that comes with this program; NULL: there is none. */
static const char *
own_dashboard(struct ev_arena *arena)
{
	static const char *const folders[] = { "share/dashboard",
	                                       "share/ev/dashboard" };
	struct ev_buf path = { 0 };
	const char *found = NULL;
	char bin[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", bin, sizeof bin - 1);

	if (len <= 0)
		return NULL;
	bin[len] = '\0';
	for (int i = 0; i < 2; i++)
		if (strrchr(bin, '/'))
			*strrchr(bin, '/') = '\0';
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !found;
	     i++) {
		struct stat info;

		ev_buf_reset(&path);
		ev_buf_printf(&path, "%s/%s", bin, folders[i]);
		ev_buf_add_char(&path, '\0');
		if (stat(path.ptr, &info) == 0 && S_ISDIR(info.st_mode))
			found = ev_arena_dup(arena, ev_str(path.ptr)).ptr;
	}
	ev_buf_release(&path);
	return found;
}

/* As an absolute path, whatever names it. The default's folder is made. */
static int
find_log(struct serve_settings *settings)
{
	const char *named = getenv("EV_LOG");
	bool is_default = !settings->log && !(named && *named);
	struct ev_buf path = { 0 };

	cli_log_path(settings->log, &path);
	if (!path.len) {
		ev_buf_release(&path);
		return cli_usage("which log? name it with -l or EV_LOG");
	}
	ev_buf_add_char(&path, '\0');
	for (char *p = path.ptr + 1; is_default && *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(path.ptr, 0700);
			*p = '/';
		}
	settings->log = ev_arena_dup(&settings->arena, ev_str(path.ptr)).ptr;
	ev_buf_release(&path);
	return -1;
}

static int
parse(struct serve_settings *settings, struct command_line *line, int argc,
      char **argv)
{
	struct config config = { .settings = settings };
	struct ev_err err;
	int result;

	if ((result = read_command_line(line, argc, argv)) >= 0)
		return result;
	config.path = line->config ? line->config : getenv("EV_SERVE");
	if (config.path && !*config.path)
		config.path = NULL;
	if (config.path && read_config(&config, &err))
		return cli_fail(EV_BAD_INPUT, &err);
	if ((result = take_command_line(settings, line)) >= 0)
		return result;
	if (config.wrong)
		return EV_BAD_INPUT;
	if (line->new_token)
		return make_token(settings, line->new_token);
	if ((result = check_together(settings, line, &config)) >= 0)
		return result;
	if ((result = find_log(settings)) >= 0)
		return result;
	if (!settings->dashboard)
		settings->dashboard = own_dashboard(&settings->arena);
	if (line->check && config.path)
		printf("ok config '%s'\n", config.path);
	result = (int)serve_settings_check(settings, line->check);
	return line->check || result ? result : -1;
}

int
serve_settings_parse(struct serve_settings *settings, int argc, char **argv)
{
	struct command_line line = { 0 };
	int result;

	init(settings);
	result = parse(settings, &line, argc, argv);
	free(line.given);
	return result;
}

void
serve_settings_release(struct serve_settings *settings)
{
	free(settings->hosts.list);
	free(settings->origins.list);
	ev_arena_release(&settings->arena);
}
