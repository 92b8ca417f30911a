// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/clock.h"
#include "user/fallback/control.h"
#include "user/fallback/fallback.h"
#include "user/fallback/handover.h"
#include "user/fallback/sockets.h"
#include "user/fallback/take.h"

/* Others may be taking over before us. */
#define OFFER_MS 30000
#define STEP_MS 10000
/* A program that fails at its first queries does so within this, and the old one takes its sockets back. */
#define TRIAL_MS 500
/* More than a process of FALLBACK_WORKERS_MAX workers has. */
#define SOCKETS_MAX 65536

static int take_expect(struct fallback *fallback, enum handover_kind kind, struct handover_message *message, int *fds,
		       size_t room, size_t *count, int wait_ms);
static void take_back(struct fallback *fallback, const char *why);
static void take_settled(struct fallback *fallback);

static int take_say(const struct take *take, enum handover_kind kind)
{
	return handover_send(take->peer, &(struct handover_message){ .kind = kind }, NULL, 0);
}

static int take_some(struct fallback *fallback, size_t expected)
{
	struct take *take = &fallback->take;
	struct handover_message message;
	size_t room = expected - take->count, got;
	int code = take_expect(fallback, HANDOVER_SOCKETS, &message, take->sockets + take->count,
			       room < HANDOVER_SOCKETS_AT_ONCE ? room : HANDOVER_SOCKETS_AT_ONCE, &got, STEP_MS);

	if (code)
		return code;
	take->count += got;
	if (got && got == message.count)
		return 0;
	log_error("--take-over: %zu of %u sockets arrived", got, message.count);
	return -EPROTO;
}

int take_sockets(struct fallback *fallback)
{
	struct take *take = &fallback->take;
	struct handover_message offer;
	int control = -1, code;
	size_t got;

	if (take_say(take, HANDOVER_HELLO))
		log_warning("--take-over: process %d does not listen", take->process);	/* what it said, or its end, comes */
	code = take_expect(fallback, HANDOVER_OFFER, &offer, &control, 1, &got, OFFER_MS);
	if (code)
		return code;
	take->control = control;
	take->process = offer.process;	/* the one that listens may have been the one before */
	if (!got || offer.count > SOCKETS_MAX) {
		log_error("--take-over: process %d offers no control socket, or too much", take->process);
		return -EPROTO;
	}
	take->sockets = calloc(offer.count + 1, sizeof(*take->sockets));
	if (!take->sockets)
		return -ENOMEM;
	while (!code && take->count < offer.count)
		code = take_some(fallback, offer.count);
	return code;
}

/* Until the old process says something. 0, -ETIMEDOUT, or -EINTR: we are to stop. */
static int take_wait(struct fallback *fallback, int wait_ms)
{
	struct pollfd polls[] = {
		{ .fd = fallback->take.peer, .events = POLLIN }, { .fd = fallback->signals, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	while (poll(polls, 2, wait_ms) > 0) {
		if (!polls[1].revents)
			return 0;
		if (read(fallback->signals, &signal, sizeof(signal)) != sizeof(signal) || signal.ssi_signo != SIGHUP)
			return -EINTR;
	}
	return -ETIMEDOUT;
}

static void take_tell(pid_t process, int code, const struct handover_message *message)
{
	switch (code) {
	case -EINTR:
		log_notice("--take-over: told to stop; process %d goes on", process);
		break;
	case -ETIMEDOUT:
		log_error("--take-over: process %d does not answer; it goes on", process);
		break;
	case -EPROTONOSUPPORT:
		log_error("--take-over: process %d speaks version %u of the hand-over, this program version %u; stop the "
			  "old one instead", process, message->version, HANDOVER_VERSION);
		break;
	case -EPIPE:
		log_warning("--take-over: process %d has ended", process);
		break;
	case -EMFILE:
		log_error("--take-over: process %d has more sockets than this one may have files open (ulimit -n, "
			  "LimitNOFILE=)", process);
		break;
	case -ECONNREFUSED:
		log_error("--take-over: process %d refuses and goes on: %s", process, message->why);
		break;
	default:
		log_error("--take-over: process %d: %s", process, strerror(-code));
	}
}

/* Waits for a message of this kind, or a signal. 0 or -errno after a line in the log. */
static int take_expect(struct fallback *fallback, enum handover_kind kind, struct handover_message *message, int *fds,
		       size_t room, size_t *count, int wait_ms)
{
	int code = take_wait(fallback, wait_ms);

	*count = 0;
	if (!code)
		code = handover_receive(fallback->take.peer, message, fds, room, count);
	if (!code && message->kind != kind)
		code = message->kind == HANDOVER_REFUSED ? -ECONNREFUSED : -EPROTO;
	if (code)
		take_tell(fallback->take.process, code, message);
	return code;
}

/* -- what they are -- */

struct adopted {
	uint8_t address[16];
	int type;
	int is_foreign;		/* another user's */
};

static unsigned int count_alike(const struct adopted *all, size_t count, const struct adopted *one)
{
	unsigned int alike = 0;

	for (size_t i = 0; i < count; i++)
		alike += one->type == all[i].type && !memcmp(one->address, all[i].address, sizeof(one->address));
	return alike;
}

/* Sockets of two users cannot share an address: a worker that got none would be without one for good. */
static int check_owners(const struct fallback *fallback, const struct adopted *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned int alike = count_alike(all, count, &all[i]);

		if (!all[i].is_foreign || alike >= fallback->crew.count)
			continue;
		log_error("--take-over: the sockets of process %d are another user's, besides which ours cannot open more; say "
			  "--workers %u for this once, or stop the old one instead", fallback->take.process, alike);
		return -EADDRINUSE;
	}
	return 0;
}

static int take_adopt_one(struct fallback *fallback, int fd, struct adopted *all, size_t number)
{
	struct adopted *this = &all[number];
	unsigned int worker;
	struct stat facts;
	uint16_t port;
	int code = fstat(fd, &facts) ? -errno : socket_facts(fd, this->address, &port, &this->type);

	if (code) {
		log_error("--take-over: process %d offers what is no socket of a server", fallback->take.process);
		return code;
	}
	if (port != fallback->arguments.port) {
		log_error("--take-over: process %d listens on port %u; say --port %u, or give this one a --control of its own",
			  fallback->take.process, port, port);
		return -EPROTO;
	}
	this->is_foreign = facts.st_uid != geteuid();
	/* Each worker gets as many as the others of what there is on one address, or one less. */
	worker = count_alike(all, number, this) % fallback->crew.count;
	return worker_adopt(fallback->crew.workers[worker], fd, this->address, this->type);
}

int take_adopt(struct fallback *fallback)
{
	struct take *take = &fallback->take;
	struct adopted *all = calloc(take->count + 1, sizeof(*all));
	int code = all ? 0 : -ENOMEM;
	size_t taken;

	for (taken = 0; taken < take->count && !code; taken++)
		code = take_adopt_one(fallback, take->sockets[taken], all, taken);
	taken -= code != 0 && taken;
	take->count -= taken;
	memmove(take->sockets, take->sockets + taken, take->count * sizeof(*take->sockets));
	if (!code)
		code = check_owners(fallback, all, taken);
	if (!code)
		log_info("%zu sockets taken over from process %d", taken, take->process);
	free(all);
	return code;
}

/* -- from one process to the other -- */

/* An old process that ends now, ends with nothing in its hands: its sockets are ours. */
int take_release(struct fallback *fallback)
{
	struct handover_message released;
	size_t none;
	int code;

	if (take_say(&fallback->take, HANDOVER_READY))
		log_warning("--take-over: process %d does not listen", fallback->take.process);
	code = take_expect(fallback, HANDOVER_RELEASED, &released, NULL, 0, &none, STEP_MS);
	fallback->take.settle_at = clock_ms() + TRIAL_MS;
	return code == -EPIPE ? 0 : code;
}

void take_hear(struct fallback *fallback)
{
	struct handover_message message;
	size_t none;
	int code = handover_receive(fallback->take.peer, &message, NULL, 0, &none);

	if (code == -EAGAIN)
		return;
	if (fallback->stop_by)
		take_end(&fallback->take);
	else if (code == -EPIPE)
		take_settled(fallback);
	else if (!code && message.kind == HANDOVER_REFUSED)
		take_back(fallback, message.why);
	else
		take_back(fallback, "it says what makes no sense");
}

/* As soon as none of ours reads. */
static void take_give_back(struct fallback *fallback)
{
	if (!crew_has_done(&fallback->crew, WORKER_STOP))
		return;
	log_notice("stopping before the take-over was settled: process %d goes on", fallback->take.process);
	take_end(&fallback->take);
}

void take_look(struct fallback *fallback)
{
	struct take *take = &fallback->take;

	if (take->peer < 0)
		return;
	if (fallback->stop_by) {
		take_give_back(fallback);
		return;
	}
	if (clock_ms() < take->settle_at || !crew_has_done(&fallback->crew, WORKER_HOLD))
		return;
	if (take_say(take, HANDOVER_SETTLED))
		take_hear(fallback);	/* it has closed: by its end, or with a word why */
	else
		take_settled(fallback);
}

/* The control socket is ours now; listening anew puts our name on it (SO_PEERCRED). */
static void take_settled(struct fallback *fallback)
{
	struct take *take = &fallback->take;

	close(take->peer);
	take->peer = -1;
	if (listen(take->control, CONTROL_BACKLOG))
		log_warning("the control socket: %s", strerror(errno));
	fallback->give.listener = take->control;
	take->control = -1;
	crew_order(&fallback->crew, WORKER_SERVE);
	log_notice("taken over from process %d", take->process);
}

/* We were too slow, and the old process reads its sockets again. */
static void take_back(struct fallback *fallback, const char *why)
{
	log_error("process %d takes its sockets back: %s; ending", fallback->take.process, why);
	take_end(&fallback->take);
	fallback->has_failed = 1;
	fallback_leave(fallback, WORKER_LEAVE, "the process before takes its sockets back");
}

void take_end(struct take *take)
{
	if (take->peer >= 0)
		close(take->peer);
	if (take->control >= 0)
		close(take->control);
	while (take->count)
		close(take->sockets[--take->count]);
	free(take->sockets);
	*take = (struct take){ .peer = -1, .control = -1 };
}
