# ev: an event store for the shell. `make help` lists the targets.
.SUFFIXES:

VERSION = 0.1.0
PREFIX = /usr/local
DESTDIR =
CC = cc
CFLAGS = -O2 -g
LDFLAGS =
BUILD = build
BIN = bin

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wvla -Wundef -Wwrite-strings
ALL_CFLAGS = -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE \
	-DEV_VERSION='"$(VERSION)"' -Isrc -include src/base/banned.h -MMD -MP \
	-fstack-protector-strong -pthread $(WARNINGS) $(CFLAGS)
# Linked statically where there is an archive: that saves a one-shot command a
# fifth of its time. yyjson comes as a shared library only.
LIBS = -Wl,--as-needed -Wl,-Bstatic -lsqlite3 -lyaml -lcrypto -lgmp \
	-Wl,-Bdynamic -lyyjson -lm -ldl -pthread
# What starts once is linked as usual.
SERVE_LIBS = -Wl,--as-needed -lsqlite3 -lyaml -lcrypto -lgmp -lyyjson \
	-lmicrohttpd -ljq -lseccomp -lm -ldl -pthread

BASE = buf err lines mem opt out str time uuid
DOMAIN = catalog catalog_check compat decimal event filter fold fold_step \
	fold_store fold_value format_cloudevent format_native format_table \
	grid json line line_reader number projection projection_check \
	projection_compile projection_look projection_operation \
	projection_path projection_rule scan schema schema_check \
	schema_look schema_validate shown template topic upcast value yaml
ADAPTER = catalog_files crypto files open projection_files versions \
	sqlite/agent_logs sqlite/append sqlite/catalogs sqlite/chain \
	sqlite/consumers sqlite/inline sqlite/lock sqlite/models sqlite/open \
	sqlite/postings sqlite/process sqlite/query sqlite/schema \
	sqlite/streams sqlite/verify
CLI = appender cli definitions each_child each_env each_feed each_guard \
	each_queue each_run each_show each_work expectations feed \
	filter_options history printer project project_diff project_follow \
	project_list projector stretch table terminal view where why yaml_file
# What ev-serve alone needs: each adapter has one library.
HTTP = http/exchange http/request http/server jq sandbox
SERVE = serve serve_access serve_agents serve_cache serve_commands \
	serve_costs serve_entries serve_events serve_files serve_flow \
	serve_github serve_host serve_issues serve_jq serve_live serve_logs \
	serve_look serve_metrics serve_models serve_post serve_process \
	serve_readers serve_reviews serve_rigs serve_routes serve_runner \
	serve_sandbox serve_settings serve_status serve_tail serve_tokens \
	serve_writer
COMMANDS = ev ev-append ev-bisect ev-cat ev-check ev-each ev-fold ev-from-yaml \
	ev-get ev-project ev-serve ev-table ev-verify ev-watch ev-why
SCRIPTS = ev-from-github rig-approve rig-assign rig-claim rig-close-duplicates \
	rig-cost rig-demo rig-doctor rig-gate rig-heartbeat rig-hooks rig-log \
	rig-merge rig-milestone rig-next rig-notify rig-orphans rig-queue \
	rig-recover rig-release rig-remind rig-status rig-stuck rig-timeline
COMPLETED = $(filter-out ev,$(COMMANDS)) $(SCRIPTS)
SERVER = $(BUILD)/serve.a $(BUILD)/http.a
LIBRARIES = $(BUILD)/cli.a $(BUILD)/adapter.a $(BUILD)/domain.a $(BUILD)/base.a
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))

.PHONY: all help demo check check-lint check-unit check-bats check-asan unit \
	asan bench lint install uninstall dist clean

all: $(COMMANDS:%=$(BIN)/%)

help:
	@echo 'make            build the commands into bin/'
	@echo 'make demo       install what is missing, build, show the main job'
	@echo 'make check      install what is missing, build, run every test'
	@echo 'make bench      measure the budgets, each beside its peer'
	@echo 'make lint       compilers, clang-tidy, shellcheck, mandoc, layers'
	@echo 'make asan       build with ASan and UBSan into build-asan/bin'
	@echo 'make install    into $$(DESTDIR)$$(PREFIX), now $(PREFIX)'
	@echo 'make uninstall, make dist, make clean'

demo:
	@.ci/setup build
	@$(MAKE) -s -j2 all
	@bin/rig-demo

check:
	@.ci/setup check
	@tests/run

lint:
	@tests/lint

asan:
	@$(MAKE) -s -j2 BUILD=build-asan BIN=build-asan/bin all unit \
	    CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all'
	@ln -sfn ../schemas build-asan/schemas
	@ln -sfn ../share build-asan/share

bench:
	@.ci/setup bench
	@$(MAKE) -s -j2 all
	@tests/bench/run

unit: $(UNIT)

$(patsubst %,$(BIN)/%,$(filter-out ev-serve,$(COMMANDS))): \
$(BIN)/%: $(BUILD)/cmd/%.o $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BIN)/ev-serve: $(BUILD)/cmd/ev-serve.o $(SERVER) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(SERVE_LIBS)

$(UNIT): $(BUILD)/unit/%: tests/unit/%.c $(SERVER) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(SERVER) $(LIBRARIES) \
	    $(SERVE_LIBS)

$(BUILD)/unit/test_http: SERVE_LIBS += -lgnutls

$(BUILD)/serve.a: $(SERVE:%=$(BUILD)/cmd/%.o)
$(BUILD)/http.a: $(HTTP:%=$(BUILD)/adapter/%.o)
$(BUILD)/cli.a: $(CLI:%=$(BUILD)/cmd/%.o)
$(BUILD)/base.a: $(BASE:%=$(BUILD)/base/%.o)
$(BUILD)/domain.a: $(DOMAIN:%=$(BUILD)/domain/%.o)
$(BUILD)/adapter.a: $(ADAPTER:%=$(BUILD)/adapter/%.o)
$(LIBRARIES) $(SERVER):
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/ev
	install -m 755 $(COMMANDS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin
	for s in $(SCRIPTS); do \
	    sed '/^\. "/s|/share/rig/|/share/ev/rig/|' bin/$$s \
	        >$(DESTDIR)$(PREFIX)/bin/$$s && \
	    chmod 755 $(DESTDIR)$(PREFIX)/bin/$$s || exit; \
	done
	cp -R schemas $(DESTDIR)$(PREFIX)/share/ev
	cp -R share/cron share/dashboard share/demo share/hooks share/projections share/rig \
	    share/systemd $(DESTDIR)$(PREFIX)/share/ev
	sed -i 's|/usr/local/|$(PREFIX)/|g' $(DESTDIR)$(PREFIX)/share/ev/cron/* \
	    $(DESTDIR)$(PREFIX)/share/ev/systemd/*
	cd share && find man -type f -exec install -D -m 644 {} \
	    $(DESTDIR)$(PREFIX)/share/{} \;
	install -D -m 644 completions/bash/ev \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ev
	for c in $(COMPLETED); do \
	    ln -sf ev $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$c; \
	done
	install -D -m 644 completions/zsh/_ev \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ev
	install -D -m 644 completions/fish/ev.fish \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ev.fish
	for c in $(COMPLETED); do \
	    ln -sf ev.fish \
	        $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/$$c.fish; \
	done

uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f $(COMMANDS) $(SCRIPTS)
	rm -rf $(DESTDIR)$(PREFIX)/share/ev
	cd share && find man -type f -exec rm -f \
	    $(DESTDIR)$(PREFIX)/share/{} \;
	cd $(DESTDIR)$(PREFIX)/share && rm -f zsh/site-functions/_ev \
	    $(COMPLETED:%=bash-completion/completions/%) \
	    bash-completion/completions/ev \
	    $(COMPLETED:%=fish/vendor_completions.d/%.fish) \
	    fish/vendor_completions.d/ev.fish

dist:
	git archive --prefix=ev-$(VERSION)/ -o ev-$(VERSION).tar.gz HEAD

clean:
	rm -rf build build-* $(COMMANDS:%=bin/%)
