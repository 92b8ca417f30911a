// SPDX-License-Identifier: GPL-3.0-or-later
/* The main thread, while workers do the work. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/clock.h"
#include "user/fallback/supervise.h"

/* How long the main thread sleeps at most. */
#define SLEEP_MS 1000
/* Workers end within FINISH_MS of worker.c; one that does not is stuck, and nobody waits for it. */
#define STOP_MS 5000

static void take_signal(struct fallback *fallback);
static void take_news(const struct fallback *fallback);
static void retry_addresses(struct fallback *fallback);
static int sleep_ms(const struct fallback *fallback);

enum { SIGNALS, NEWS, CONTROL, GIVE, TAKE, POLLS };

static int wait_for_events(const struct fallback *fallback, struct pollfd polls[POLLS])
{
	const int fds[POLLS] = {
		[SIGNALS] = fallback->signals, [NEWS] = fallback->news,
		[CONTROL] = give_is_free(&fallback->give) ? fallback->give.listener : -1,
		[GIVE] = fallback->give.peer, [TAKE] = fallback->take.peer,
	};

	for (int i = 0; i < POLLS; i++)
		polls[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	return poll(polls, POLLS, sleep_ms(fallback));
}

static void take_events(struct fallback *fallback)
{
	struct pollfd polls[POLLS];

	if (wait_for_events(fallback, polls) <= 0)
		return;
	if (polls[SIGNALS].revents)
		take_signal(fallback);
	if (polls[NEWS].revents)
		take_news(fallback);
	if (polls[GIVE].revents && fallback->give.peer >= 0)
		give_hear(fallback);
	if (polls[CONTROL].revents && give_is_free(&fallback->give))
		give_accept(fallback);
	if (polls[TAKE].revents && fallback->take.peer >= 0)
		take_hear(fallback);
}

int supervise(struct fallback *fallback)
{
	notify_init(&fallback->notify);
	/* On trial we open nothing that would be lost if the old process went on. */
	crew_order(&fallback->crew, fallback->take.peer >= 0 ? WORKER_HOLD : WORKER_SERVE);
	while (!crew_has_done(&fallback->crew, WORKER_ENDED)) {
		if (fallback->stop_by && clock_ms() >= fallback->stop_by) {
			log_error("a worker does not stop; ending without it");
			return -ETIME;
		}
		take_events(fallback);
		take_look(fallback);
		give_look(fallback);
		retry_addresses(fallback);
		notify_look(fallback);
	}
	return fallback->has_failed ? -ECANCELED : 0;
}

static void before(int64_t *until, int64_t other)
{
	if (other < *until)
		*until = other;
}

static int sleep_ms(const struct fallback *fallback)
{
	int64_t now = clock_ms(), until = now + SLEEP_MS;

	if (fallback->stop_by)
		before(&until, fallback->stop_by);
	if (fallback->notify.watch_every)
		before(&until, fallback->notify.watch_at);
	if (fallback->give.peer >= 0)
		before(&until, fallback->give.until);
	if (fallback->take.peer >= 0 && fallback->take.settle_at > now)
		before(&until, fallback->take.settle_at);
	return until > now ? until - now : 0;
}

/* A worker that is busy would not come to try again by itself. */
static void retry_addresses(struct fallback *fallback)
{
	struct crew_addresses addresses = crew_addresses(&fallback->crew);
	int64_t now = clock_ms();

	if (addresses.whole == addresses.wanted || now < fallback->retry_at)
		return;
	fallback->retry_at = now + SLEEP_MS;
	crew_wake(&fallback->crew);
}

/* What it is about, their flags say. */
static void take_news(const struct fallback *fallback)
{
	uint64_t count;

	if (read(fallback->news, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("reading news: %s", strerror(errno));
}

/* All that can change comes through the tables; but who says `systemctl reload` waits for the word that it is done. */
static void reload(struct fallback *fallback)
{
	notify_reloading(&fallback->notify);
	log_notice("nothing to read again: every push is followed at once, and cookie secrets are the controller's");
	notify_reloaded(&fallback->notify);
}

void fallback_leave(struct fallback *fallback, enum worker_order order, const char *status)
{
	__atomic_store_n(&fallback->policy.is_leaving, 1, __ATOMIC_RELAXED);
	notify_stopping(&fallback->notify, status);
	crew_order(&fallback->crew, order);
}

static void stop(struct fallback *fallback, int number)
{
	if (fallback->stop_by)
		return;
	log_info("stopping: %s", strsignal(number));
	fallback->stop_by = clock_ms() + STOP_MS;
	give_stop(fallback);
	fallback_leave(fallback, WORKER_STOP, "answering what has arrived");
}

static void take_signal(struct fallback *fallback)
{
	struct signalfd_siginfo signal;

	if (read(fallback->signals, &signal, sizeof(signal)) != sizeof(signal))
		return;
	if (signal.ssi_signo == SIGHUP)
		reload(fallback);
	else
		stop(fallback, signal.ssi_signo);
}
