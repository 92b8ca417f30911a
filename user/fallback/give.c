// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE /* accept4() */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/clock.h"
#include "user/fallback/control.h"
#include "user/fallback/fallback.h"
#include "user/fallback/give.h"
#include "user/fallback/handover.h"

/* How long each stage may take. */
static const int stage_ms[] = {
	[GIVE_GREETING] = 60000,	/* a new process connects while it has the right to, and loads its zones before HELLO */
	[GIVE_HOLDING] = 5000,
	[GIVE_OFFERED] = 5000,
	[GIVE_RELEASED] = 1500,		/* it settles after TRIAL_MS of take.c */
};

/* One that has been silent for so long makes way for the next. */
#define PATIENCE_MS 5000

static void give_release(struct fallback *fallback);
static void give_offer(struct fallback *fallback);
static void give_leave(struct fallback *fallback);
static void give_back(struct fallback *fallback, const char *why);

static void give_enter(struct give *give, enum give_stage stage)
{
	give->stage = stage;
	give->until = clock_ms() + stage_ms[stage];
}

int give_is_free(const struct give *give)
{
	int64_t silent_from = give->until - stage_ms[GIVE_GREETING];

	return give->listener >= 0 &&
	       (give->peer < 0 || (give->stage == GIVE_GREETING && clock_ms() >= silent_from + PATIENCE_MS));
}

void give_accept(struct fallback *fallback)
{
	struct give *give = &fallback->give;
	int fd = accept4(give->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	pid_t process;

	if (fd < 0)
		return;
	if (control_judge(fd, -1, &process)) {
		log_warning("process %d wants to take over, but is neither ours nor root's", process);
		handover_refuse(fd, "only root and its own user may take over");
		close(fd);
		return;
	}
	if (give->peer >= 0)
		give_back(fallback, "another process came while it said nothing");
	give->peer = fd;
	give->process = process;
	give_enter(give, GIVE_GREETING);
}

/* Whatever does not belong at this point of the conversation ends it; while workers are waited for, that is anything. */
static int give_expects(enum give_stage stage, uint32_t kind)
{
	return (stage == GIVE_GREETING && kind == HANDOVER_HELLO) || (stage == GIVE_OFFERED && kind == HANDOVER_READY) ||
	       (stage == GIVE_RELEASED && kind == HANDOVER_SETTLED);
}

void give_hear(struct fallback *fallback)
{
	struct give *give = &fallback->give;
	struct handover_message message;
	size_t none;
	int code = handover_receive(give->peer, &message, NULL, 0, &none);

	if (code == -EAGAIN)
		return;
	if (code == -EPIPE)
		give_back(fallback, NULL);
	else if (code == -EPROTONOSUPPORT)
		give_back(fallback, "it speaks another version of the hand-over");
	else if (code || !give_expects(give->stage, message.kind))
		give_back(fallback, "it says what makes no sense at this point");
	else if (give->stage == GIVE_RELEASED)
		give_leave(fallback);
	else if (give->stage == GIVE_OFFERED)
		give_release(fallback);
	else {
		crew_order(&fallback->crew, WORKER_HOLD);
		give_enter(give, GIVE_HOLDING);
	}
}

/* From here on both serve. */
static void give_release(struct fallback *fallback)
{
	give_enter(&fallback->give, GIVE_RELEASED);
	if (handover_send(fallback->give.peer, &(struct handover_message){ .kind = HANDOVER_RELEASED }, NULL, 0))
		give_back(fallback, NULL);
}

void give_look(struct fallback *fallback)
{
	struct give *give = &fallback->give;

	if (give->peer < 0)
		return;
	if (give->stage == GIVE_HOLDING && crew_has_done(&fallback->crew, WORKER_HOLD)) {
		give_offer(fallback);
	} else if (clock_ms() >= give->until) {
		give_back(fallback, give->stage == GIVE_HOLDING ? "a worker of ours does not answer" : "it did not go on in time");
	}
}

/* Sends `count` sockets, some at once. 0 or -errno. */
static int give_sockets(int peer, const int *fds, size_t count)
{
	int code = 0;

	for (size_t at = 0, some; at < count && !code; at += some) {
		some = count - at < HANDOVER_SOCKETS_AT_ONCE ? count - at : HANDOVER_SOCKETS_AT_ONCE;
		code = handover_send(peer, &(struct handover_message){ .kind = HANDOVER_SOCKETS, .count = some }, fds + at, some);
	}
	return code;
}

static void give_offer(struct fallback *fallback)
{
	size_t count = crew_sockets(&fallback->crew, NULL, 0);
	struct handover_message offer = { .kind = HANDOVER_OFFER, .count = count };
	struct give *give = &fallback->give;
	int *fds = calloc(count ? count : 1, sizeof(*fds)), code = -ENOMEM;

	if (fds) {
		crew_sockets(&fallback->crew, fds, count);
		code = handover_send(give->peer, &offer, &give->listener, 1);
	}
	if (!code)
		code = give_sockets(give->peer, fds, count);
	free(fds);
	if (code)
		give_back(fallback, strerror(-code));
	else
		give_enter(give, GIVE_OFFERED);
}

static void give_close(struct give *give)
{
	close(give->peer);
	give->peer = -1;
}

/* The new process serves. */
static void give_leave(struct fallback *fallback)
{
	struct give *give = &fallback->give;
	char text[128];

	snprintf(text, sizeof(text), "process %d has taken over", give->process);
	log_notice("%s; connections end with this process", text);
	give_close(give);
	close(give->listener);
	give->listener = -1;
	fallback_leave(fallback, WORKER_LEAVE, text);
}

/*
 * The take-over does not take place (`why`; null: the new process is gone). A SETTLED that was under way comes in before
 * the connection is closed to it, and counts; the new process cannot send one afterwards.
 */
static void give_back(struct fallback *fallback, const char *why)
{
	struct give *give = &fallback->give;
	struct handover_message last;
	size_t none;

	if (why)
		handover_refuse(give->peer, why);
	shutdown(give->peer, SHUT_RDWR);
	if (why && give->stage == GIVE_RELEASED && !handover_receive(give->peer, &last, NULL, 0, &none) &&
	    last.kind == HANDOVER_SETTLED) {
		give_leave(fallback);
		return;
	}
	give_close(give);
	if (give->stage == GIVE_GREETING && !why)
		return;		/* somebody looked whether we are alive */
	log_warning("process %d does not take over: %s; going on", give->process, why ? why : "it is gone");
	crew_order(&fallback->crew, WORKER_SERVE);
}

void give_stop(struct fallback *fallback)
{
	struct give *give = &fallback->give;

	if (give->peer >= 0 && give->stage != GIVE_RELEASED)
		give_back(fallback, "the old process has been told to stop");
	else if (give->peer >= 0)
		give_close(give);
	if (give->listener >= 0)
		close(give->listener);
	give->listener = -1;
}
