/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A long text that is made in another thread, so that checks and reactions do not wait for it: one at a time, for all who
 * wait for it together. Everything but make() is called in the loop's thread.
 */
#ifndef ECSDNS_CONTROLLER_PAGE_H
#define ECSDNS_CONTROLLER_PAGE_H

#include <stdbool.h>

#include "user/controller/http.h"

struct page_kind {
	const char *type;	/* Content-Type */
	int (*prepare)(void *context);	/* before each make(): 0 or -errno; may be null */
	int (*make)(void *context, char **text, size_t *length);	/* any thread; the text is of malloc(). 0 or -errno */
	void (*clean)(void *context);	/* after prepare(), whatever came of it; may be null */
};

struct page {
	const struct page_kind *kind;
	void *context;
	uv_loop_t *loop;
	uv_work_t work;
	bool is_making;
	bool is_stopped;
	int fault;			/* of the one that is made, like these: */
	char *text;
	size_t length;
	struct http_request *served;	/* who gets it, linked by `owner` */
	struct http_request *waiting;	/* who gets the next */
	struct http_page *last;		/* null: none */
	uint64_t made;			/* when, in milliseconds of the loop's clock */
};

void page_init(struct page *page, const struct page_kind *kind, uv_loop_t *loop, void *context);

/* Before http_stop(): nobody waits any more, nor will. The loop has to run until it ends by itself, and then page_free(). */
void page_stop(struct page *page);
void page_free(struct page *page);

/*
 * Replies with a page that was made `milliseconds` ago at most, or is being made; for 0, with one whose making begins after
 * this.
 */
void page_reply(struct page *page, struct http_request *request, uint64_t milliseconds);

#endif
