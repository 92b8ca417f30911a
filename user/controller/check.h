/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One check of one member, whatever its type: it begins, and ends with a result or by being cancelled. Everything
 * happens in the loop's thread, and nothing in it waits.
 *
 * check.c has what is common; check_kind.h what a type has to bring; check_tcp.c and the others bring it.
 */
#ifndef ECSDNS_CONTROLLER_CHECK_H
#define ECSDNS_CONTROLLER_CHECK_H

#include "user/controller/config.h"
#include "user/controller/health.h"

#include <uv.h>

/* To be counted, and for programs; people read the text. */
#define CHECK_REASONS(X)											\
	X(ok, "the check succeeded")										\
	X(unable, "the check could not be run: no matter of the member")					\
	X(refused, "the connection was refused")								\
	X(unreachable, "no way to the address")									\
	X(timeout, "no result in time")										\
	X(closed, "the connection ended early")									\
	X(protocol, "the reply makes no sense")									\
	X(tls, "no TLS session")										\
	X(certificate, "the certificate is not to be trusted")							\
	X(status, "another HTTP status")									\
	X(content, "the reply does not have what it must")							\
	X(rcode, "another rcode")										\
	X(exit, "the command failed")										\
	X(file, "the file says down, or is not there")
enum check_reason {
#define X(name, text) CHECK_##name,
	CHECK_REASONS(X)
#undef X
	CHECK_REASON_COUNT
};
extern const char *const check_reason_names[CHECK_REASON_COUNT];

struct check_result {
	enum check_reason reason;
	char text[HEALTH_REASON_OCTETS];	/* "connection refused", "timed out after 2 s", "status 503", ... */
};

static inline enum health_outcome check_outcome(const struct check_result *result)
{
	return result->reason == CHECK_ok ? HEALTH_SUCCESS :
	       result->reason == CHECK_unable ? HEALTH_UNABLE : HEALTH_FAILURE;
}

/* What is pointed to has to live as long as the check runs, or until check_retarget(). */
struct check_target {
	const struct config_check *check;
	const char *pool, *member;
	struct config_address address;
};

/* Called once, never from within check_start(). The check is gone when it returns. */
typedef void check_done(void *context, const struct check_result *result);

struct check;
struct check_engine;	/* what checks on one loop share */

struct check_engine *check_engine_new(uv_loop_t *loop);	/* null without memory */
/* No check may run any more. The loop must run on until it has closed its handles: it frees them. */
void check_engine_free(struct check_engine *engine);

/* Null without memory. Whatever else hinders it is a result. */
struct check *check_start(struct check_engine *engine, const struct check_target *target, check_done *done, void *context);

/* The same target, in memory that goes on living, and another context for done(). */
void check_retarget(struct check *check, const struct check_target *target, void *context);

/* done() will not be called. Its sockets are closed when this returns, its processes killed. */
void check_cancel(struct check *check);

#endif
