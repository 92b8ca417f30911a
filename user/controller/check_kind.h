/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the types of checks share with check.c, and nobody else needs. */
#ifndef ECSDNS_CONTROLLER_CHECK_KIND_H
#define ECSDNS_CONTROLLER_CHECK_KIND_H

#include "user/controller/check.h"
#include "user/controller/prefixes.h"

#include <curl/curl.h>
#include <sys/socket.h>

struct check_engine {
	uv_loop_t *loop;
	CURLM *curl;			/* check_http.c's: null until the first is needed */
	struct curl_slist *headers;
	uv_timer_t curl_timer;
};

/* A type begins its own struct with this one. */
struct check {
	const struct check_kind *kind;
	struct check_engine *engine;
	struct check_target target;
	check_done *done;
	void *context;
	uv_timer_t timer;		/* the time-out, and then the result */
	uv_poll_t poll;
	int file;			/* that `poll` watches; -1: none */
	unsigned int open_handles;
	uint64_t deadline;		/* of the loop's clock */
	bool is_prolonged;
	bool is_over;			/* there is a result */
	struct check_result result;
};

struct check_kind {
	size_t size;					/* of the type's own struct */
	void (*start)(struct check *check);
	void (*ready)(struct check *check, int events);	/* of check_watch() */
	void (*stop)(struct check *check);		/* gives back what is not check.c's; may be null */
};

extern const struct check_kind check_http, check_tcp, check_dns, check_icmp, check_exec, check_file;

/* The end: every path of a type leads here once, from anywhere but within stop(). The text is cut to fit. */
void check_over(struct check *check, enum check_reason reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Likewise, for an errno of connecting, sending or receiving. */
void check_over_errno(struct check *check, int error);

/*
 * A socket connected to the target, or connecting, from the check's source address. It is watched from then on, and
 * closed at the end. False: the check is over.
 */
bool check_connect(struct check *check, int type, int protocol, uint16_t port);
bool check_connect_file(struct check *check, int socket, uint16_t port);	/* takes the socket */

/* Calls ready() for UV_READABLE, UV_WRITABLE. Takes the file, which must be non-blocking. False: the check is over. */
bool check_watch(struct check *check, int file, int events);
void check_watch_for(struct check *check, int events);	/* 0: for nothing any more */

/* A handle of a type's own, counted in open_handles, is closed with this. */
void check_closed(uv_handle_t *handle);

/* The source address for the target's family, or null. */
const struct config_address *check_source(const struct check *check);

/* What others wrote, on one line of printable ASCII: up to `length` octets, the first line of them. */
void check_printable(char *text, size_t room, const char *octets, size_t length);

/* check_http.c's part of the engine, but for the timer. */
void check_http_free(struct check_engine *engine);

#endif
