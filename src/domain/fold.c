#include "domain/fold_parts.h"

/*
 * An event is folded in two halves. First everything is worked out that the
 * event means: which documents, which operations, with which values; any of
 * this may fail, and nothing has changed. Then the operations are done, and
 * none can fail, unless one could get into another's way. So values that a rule reads are those before the event.
 */

/* ---- rules */

static bool
needs_document(const struct ev_rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++) {
		const struct ev_condition *c = &rule->conditions[i];

		if (c->path.root == EV_ROOT_DOCUMENT)
			return true;
		for (size_t k = 0; k < c->count; k++)
			if (c->values[k].kind == EV_SOURCE_PATH &&
			    c->values[k].path.root == EV_ROOT_DOCUMENT)
				return true;
	}
	return false;
}

/* Finds the document that the rule is about. Rules without a key of their own
   are all about the same one, which is sought once. */
static enum ev_status
find_document(struct run *run, const struct ev_projection *p,
              const struct ev_rule *rule)
{
	bool own = rule->key_count > 0;
	struct ev_buf *key = &run->fold->key;
	enum ev_status status;

	if (!own && run->usual) {
		run->document = run->usual;
		return EV_OK;
	}
	ev_buf_reset(key);
	if (p != run->fold->projection)
		ev_buf_add_char(key, EV_FOLD_NOTE);
	status = fold_key(run, own ? rule->keys : p->keys,
	                  own ? rule->key_count : p->key_count, key);
	if (!status)
		status = fold_document(run, ev_buf_str(key), &run->document);
	if (!status && !own)
		run->usual = run->document;
	return status;
}

static bool
all_hold(struct run *run, const struct ev_projection *p,
         const struct ev_rule *rule)
{
	run->document = NULL;
	if (needs_document(rule))
		find_document(run, p, rule); /* without one it is missing */
	for (size_t i = 0; i < rule->condition_count; i++)
		if (!fold_holds(run, &rule->conditions[i]))
			return false;
	return true;
}

/* The rule's operations on one document. */
static enum ev_status
prepare_rule(struct run *run, const struct ev_projection *p,
             const struct ev_rule *rule)
{
	const struct ev_rule *parts[] = { &p->always, rule };
	enum ev_status status;

	if (!run->document && (status = find_document(run, p, rule)))
		return status;
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < parts[i]->operation_count; k++) {
			status = fold_prepare(run, run->document,
			                      &parts[i]->operations[k]);
			if (status)
				return status;
		}
	}
	/* touched even if there is nothing to do, as an event made it */
	fold_add_step(run->fold)->document = run->document;
	return EV_OK;
}

static enum ev_status
prepare_each(struct run *run, const struct ev_projection *p,
             const struct ev_rule *rule)
{
	struct ev_str list = fold_path(run, &rule->each);
	struct ev_scan scan = ev_scan_begin(list);
	enum ev_status status = EV_OK;

	if (!list.ptr || ev_scan_is_null(list))
		return EV_OK;
	if (*list.ptr != '[')
		return ev_err_set(run->err, EV_BAD_INPUT,
		                  "'%.*s' is no list, so there is no 'each'",
		                  EV_FMT(rule->each.text));
	run->each = true;
	while (!status && ev_scan_element(&scan, &run->element)) {
		run->document = NULL; /* the element may be part of its key */
		status = prepare_rule(run, p, rule);
	}
	run->element = (struct ev_str){ 0 };
	return status;
}

/* EV_NO: none of the rules applies. */
static enum ev_status
prepare_handler(struct run *run, const struct ev_projection *p,
                const struct ev_handler *handler)
{
	/* of notes it may have been sought already */
	run->usual = p == run->fold->projection ? NULL : run->note;
	for (size_t i = 0; i < handler->count; i++) {
		const struct ev_rule *rule = &handler->rules[i];

		if (!all_hold(run, p, rule))
			continue;
		return rule->each.text.ptr ? prepare_each(run, p, rule)
		                           : prepare_rule(run, p, rule);
	}
	return EV_NO;
}

/* ---- events */

static void
touch(struct ev_fold *fold, struct document *document, int64_t position)
{
	document->head.exists = true;
	document->head.position = position;
	if (document->head.touched)
		return;
	document->head.touched = true;
	document->head.next_touched = fold->touched;
	fold->touched = &document->head;
}

static void
forget_run(struct ev_fold *fold)
{
	for (size_t i = 0; i < fold->steps.count; i++)
		ev_number_release(&fold->steps.list[i].number);
	fold->steps.count = 0;
	fold->members.walked = false;
	fold->failure = EV_OK;
	ev_arena_reset(&fold->scratch);
}

/* Is what one step changes what the other was checked against, or a part of it?
   Of fixed members the projection's own check knows. */
static bool
do_collide(const struct step *a, const struct step *b)
{
	const struct ev_target *x = &a->operation->target;
	const struct ev_target *y = &b->operation->target;

	if (a->document != b->document || x->slot != y->slot)
		return false;
	for (size_t i = 0; i < x->count && i < y->count; i++)
		if (!ev_str_equal(a->names[i], b->names[i]))
			return false;
	return true;
}

static bool
any_collide(const struct run *run)
{
	const struct steps *s = &run->fold->steps;

	/* many elements, often about one member */
	if (run->each)
		return true;
	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0; s->list[i].operation &&
		     s->list[i].operation->target.count && k < i; k++)
			if (s->list[k].operation &&
			    do_collide(&s->list[i], &s->list[k]))
				return true;
	return false;
}

/* A document as it was. */
struct kept {
	struct kept *next;
	struct document *document;
	struct ev_str json;
};

static struct kept *
keep(struct ev_fold *fold, struct kept *others, struct document *document)
{
	struct kept *kept;
	struct ev_buf json = { 0 };

	if (document->kept)
		return others;
	ev_fold_write(fold, &document->head, EV_FOLD_STORED, &json);
	kept = ev_arena_alloc(&fold->scratch, sizeof *kept);
	*kept = (struct kept){ others, document,
	                       fold_copy(fold, ev_buf_str(&json)) };
	document->kept = true;
	ev_buf_release(&json);
	return kept;
}

/* Does what may get into its own way: all of it, or nothing. */
static enum ev_status
apply_carefully(struct run *run)
{
	struct ev_fold *fold = run->fold;
	struct steps *s = &fold->steps;
	enum ev_status status = EV_OK;
	struct kept *kept = NULL;

	for (size_t i = 0; i < s->count; i++)
		kept = keep(fold, kept, s->list[i].document);
	for (size_t i = 0; !status && i < s->count; i++)
		if (s->list[i].operation)
			status = fold_apply_checked(run, &s->list[i]);
	for (; kept; kept = kept->next) {
		kept->document->kept = false;
		if (status)
			ev_fold_restore(fold, kept->document, kept->json);
	}
	return status;
}

static enum ev_status
apply_all(struct run *run)
{
	struct steps *s = &run->fold->steps;

	if (any_collide(run))
		return apply_carefully(run);
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].operation)
			fold_apply(run->fold, &s->list[i]);
	return EV_OK;
}

static enum ev_status
fold_run(struct run *run, const struct ev_handler *handler,
         const struct ev_handler *noted)
{
	struct ev_fold *fold = run->fold;
	enum ev_status status = EV_NO, other = EV_NO;

	forget_run(fold);
	if (handler)
		status = prepare_handler(run, fold->projection, handler);
	if (noted && (!status || status == EV_NO))
		other = prepare_handler(run, fold->projection->notes, noted);
	if (fold->failure)
		status = fold->failure;
	else if (status == EV_NO || other > EV_NO)
		status = other;
	if (!status)
		status = apply_all(run);
	for (size_t i = 0; !status && i < fold->steps.count; i++)
		touch(fold, fold->steps.list[i].document,
		      run->line->position);
	return status;
}

enum ev_status
ev_fold_event(struct ev_fold *fold, const struct ev_line *line,
              struct ev_err *err)
{
	const struct handled *handled = ev_fold_handled(fold, line);
	struct run run = { .fold = fold, .line = line, .err = err };

	if (!handled->handler && !handled->noted)
		return EV_NO;
	return fold_run(&run, handled->handler, handled->noted);
}

enum ev_status
ev_fold_document(struct ev_fold *fold, struct ev_str key, int64_t position,
                 struct ev_str json, struct ev_err *err)
{
	const struct ev_line line = { .position = position, .stream = key,
	                              .data = json };
	struct run run = { .fold = fold, .line = &line, .err = err };

	if (!fold->projection->handler_count)
		return EV_NO;
	return fold_run(&run, fold->projection->handlers, NULL);
}
