#ifndef EV_ADAPTER_VERSIONS_H
#define EV_ADAPTER_VERSIONS_H

/* "SQLite 3.40.1, yyjson 0.10.0, libyaml 0.2.5, OpenSSL 3.0.19" */
const char *ev_versions(void);

#endif
