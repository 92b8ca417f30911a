// SPDX-License-Identifier: GPL-3.0-or-later
#include "user/controller/page.h"

#include <errno.h>
#include <string.h>

#define PAGE_STOPPED "the controller is stopping"

static int page_begin(struct page *page);

/* -- those who wait -- */

static void list_add(struct http_request **list, struct http_request *request)
{
	request->owner = *list;
	*list = request;
}

static struct http_request *list_take(struct http_request **list)
{
	struct http_request *request = *list;

	if (request)
		*list = request->owner;
	return request;
}

static void list_refuse(struct http_request **list, int status, const char *why)
{
	struct http_request *request;

	while ((request = list_take(list)))
		http_reply(request, status, json_pack("{s:s}", "error", why));
}

/* -- making -- */

static void page_on_work(uv_work_t *work)
{
	struct page *page = work->data;

	page->fault = page->kind->make(page->context, &page->text, &page->length);
}

static void page_clean(struct page *page)
{
	if (page->kind->clean)
		page->kind->clean(page->context);
}

/* Replying may bring the next request, and with it the next page: so all is in order before. */
static void page_on_done(uv_work_t *work, int status)
{
	struct page *page = work->data;
	struct http_request *served = page->served, *request;
	struct http_page *made = page->fault ? NULL : http_page_new(page->text, page->length, page->kind->type);
	int fault = page->fault ? page->fault : -ENOMEM;

	(void)status;
	page_clean(page);
	http_page_drop(page->last);
	page->last = made;
	page->made = uv_now(page->loop);
	page->served = NULL;
	page->is_making = false;
	if (page->waiting && page_begin(page))
		list_refuse(&page->waiting, 500, strerror(ENOMEM));
	if (!made) {
		list_refuse(&served, 500, strerror(-fault));
		return;
	}
	http_page_keep(made);
	while ((request = list_take(&served)))
		http_reply_page(request, made);
	http_page_drop(made);
}

/* For those who wait now. 0 or -errno: nothing is made. */
static int page_begin(struct page *page)
{
	int fault = page->kind->prepare ? page->kind->prepare(page->context) : 0;

	if (!fault)
		fault = uv_queue_work(page->loop, &page->work, page_on_work, page_on_done);
	if (fault) {
		page_clean(page);
		return fault;
	}
	page->is_making = true;
	page->served = page->waiting;
	page->waiting = NULL;
	return 0;
}

void page_reply(struct page *page, struct http_request *request, uint64_t milliseconds)
{
	bool is_served = !page->is_making || milliseconds;
	int fault = 0;

	if (page->is_stopped) {
		http_reply(request, 503, json_pack("{s:s}", "error", PAGE_STOPPED));
		return;
	}
	if (page->last && !page->is_making && uv_now(page->loop) - page->made < milliseconds) {
		http_reply_page(request, page->last);
		return;
	}
	if (!page->is_making)
		fault = page_begin(page);
	if (fault) {
		http_reply(request, 500, json_pack("{s:s}", "error", strerror(-fault)));
		return;
	}
	http_wait(request);
	list_add(is_served ? &page->served : &page->waiting, request);
}

/* -- from beginning to end -- */

void page_init(struct page *page, const struct page_kind *kind, uv_loop_t *loop, void *context)
{
	*page = (struct page){.kind = kind, .loop = loop, .context = context};
	page->work.data = page;
}

/* Refusing lets the daemon run, which may bring the next request: who waited when it is stopped would end the process. */
void page_stop(struct page *page)
{
	page->is_stopped = true;
	list_refuse(&page->served, 503, PAGE_STOPPED);
	list_refuse(&page->waiting, 503, PAGE_STOPPED);
}

void page_free(struct page *page)
{
	http_page_drop(page->last);
	page->last = NULL;
}
