#include "cmd/serve_access.h"
#include "cmd/serve_events.h"
#include "cmd/serve_files.h"
#include "cmd/serve_github.h"
#include "cmd/serve_logs.h"
#include "cmd/serve_metrics.h"
#include "cmd/serve_models.h"
#include "cmd/serve_post.h"
#include "cmd/serve_rigs.h"

/*
 * What can be asked for. schemas/http/openapi.yaml says the same to the world;
 * a test compares them.
 */
const struct serve_route serve_routes[] = {
	/* events */
	{ "POST", "/api/events", SERVE_APPEND, SERVE_CHANGES | SERVE_JSON,
	  serve_post_event },
	{ "GET", "/api/events/stream", SERVE_READ, 0, serve_event_stream },
	{ "GET", "/api/v1/events", SERVE_READ, SERVE_STREAM, serve_events },
	{ "GET", "/api/v1/events/{}", SERVE_READ, 0, serve_event },
	{ "GET", "/api/v1/head", SERVE_READ, 0, serve_head },

	/* the rig */
	{ "GET", "/api/status", SERVE_READ, 0, serve_status },
	{ "GET", "/api/issues", SERVE_READ, 0, serve_issues },
	{ "GET", "/api/issues/{}", SERVE_READ, 0, serve_issue },
	{ "GET", "/api/issues/{}/timeline", SERVE_READ, 0,
	  serve_issue_timeline },
	{ "GET", "/api/issues/{}/gate", SERVE_READ, 0, serve_issue_gate },
	{ "GET", "/api/queue", SERVE_READ, 0, serve_queue },
	{ "GET", "/api/agents", SERVE_READ, 0, serve_agents },
	{ "GET", "/api/agents/{}", SERVE_READ, 0, serve_agent },
	{ "GET", "/api/streams/status", SERVE_READ, 0, serve_streams_status },
	{ "GET", "/api/streams/{}", SERVE_READ, 0, serve_stream_queue },
	{ "GET", "/api/flow", SERVE_READ, 0, serve_flow },

	/* what agents ask for; they take what they get, so a page of another
	   site must not ask for it, though it be a GET */
	{ "GET", "/api/assignments/next", SERVE_APPEND, SERVE_CHANGES,
	  serve_assignments_next },
	{ "POST", "/api/assignments/next", SERVE_APPEND, SERVE_CHANGES,
	  serve_assignments_next },
	{ "GET", "/api/reviews/next", SERVE_APPEND, SERVE_CHANGES,
	  serve_reviews_next },
	{ "POST", "/api/reviews/next", SERVE_APPEND, SERVE_CHANGES,
	  serve_reviews_next },
	{ "POST", "/api/merge", SERVE_ADMIN, SERVE_CHANGES | SERVE_JSON,
	  serve_merge },

	/* costs */
	{ "GET", "/api/usage", SERVE_READ, 0, serve_usage },
	{ "GET", "/api/costs/summary", SERVE_READ, 0, serve_costs_summary },
	{ "GET", "/api/costs/daily", SERVE_READ, 0, serve_costs_daily },
	{ "GET", "/api/costs/issue", SERVE_READ, 0, serve_costs_issue },

	/* what agents say at work */
	{ "POST", "/api/agent-logs", SERVE_APPEND, SERVE_CHANGES | SERVE_JSON,
	  serve_logs_post },
	{ "GET", "/api/agent-logs", SERVE_READ, SERVE_STREAM, serve_logs_get },

	/* any read model */
	{ "GET", "/api/models", SERVE_READ, 0, serve_models },
	{ "GET", "/api/models/{}", SERVE_READ, 0, serve_model },
	{ "GET", "/api/models/{}/{}", SERVE_READ, 0, serve_model_document },
	{ "GET", "/api/why", SERVE_READ, 0, serve_why },
	{ "GET", "/api/v1/sessions", SERVE_READ, 0, serve_sessions },
	{ "GET", "/api/v1/sessions/{}", SERVE_READ, 0, serve_ennio_session },

	/* others */
	{ "POST", "/api/webhook/github", SERVE_PUBLIC, SERVE_JSON,
	  serve_github_webhook },
	{ "GET", "/api/session", SERVE_PUBLIC, 0, serve_session_get },
	{ "POST", "/api/session", SERVE_PUBLIC, SERVE_CHANGES | SERVE_JSON,
	  serve_session_post },
	{ "DELETE", "/api/session", SERVE_PUBLIC, SERVE_CHANGES,
	  serve_session_delete },
	{ "GET", "/api/openapi.yaml", SERVE_PUBLIC, 0,
	  serve_files_openapi_yaml },
	{ "GET", "/api/openapi.json", SERVE_PUBLIC, 0,
	  serve_files_openapi_json },
	{ "GET", "/health", SERVE_PUBLIC, 0, serve_health },
	{ "GET", "/api/v1/health", SERVE_PUBLIC, 0, serve_ennio_health },
	{ "GET", "/metrics", SERVE_READ, 0, serve_metrics },

	/* the dashboard */
	{ "GET", "/", SERVE_PUBLIC, 0, serve_files_get },
	{ "GET", "/{}", SERVE_PUBLIC, 0, serve_files_get },
	{ "GET", "/{}/{}", SERVE_PUBLIC, 0, serve_files_get },
};
const size_t serve_route_count = sizeof serve_routes / sizeof *serve_routes;
