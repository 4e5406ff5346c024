#ifndef EV_CMD_SERVE_FILES_H
#define EV_CMD_SERVE_FILES_H

#include "cmd/serve.h"

/*
 * What is served as it is: the dashboard's files, and the description of the
 * API. All of it is read into memory at the start, and asked for by its exact
 * name, so that no path leads anywhere else.
 */

/*
 * Reads the files of the folder and of the folders in it whose kind is known
 * by their name's end; names that begin with '.' are passed over. Without
 * --dashboard the folder is share/dashboard beside the bin/ that this program
 * runs from (a checkout), else share/ev/dashboard beside it, and none is fine.
 * EV_BAD_INPUT: one cannot be read, or is wrong, or they are more than 4 MiB.
 */
enum ev_status serve_files_open(struct serve *serve, struct ev_err *err);
void serve_files_close(struct serve *serve);

/* Routes: "/", "/{}" and "/{}/{}"; "/api/openapi.yaml"; "/api/openapi.json". */
void serve_files_get(struct serve_request *request);
void serve_files_openapi_yaml(struct serve_request *request);
void serve_files_openapi_json(struct serve_request *request);

#endif
