// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "user/common/log.h"
#include "user/fallback/clock.h"
#include "user/fallback/endpoints.h"
#include "user/fallback/tcp.h"
#include "user/fallback/udp.h"
#include "user/fallback/worker.h"

#define EVENTS_AT_ONCE 64
/* How long the worker sleeps at most: idle connections end, and addresses that could not be had are tried again. */
#define SLEEP_MS 1000
#define SLEEP_LAST_MS 50
/* A client of the process that took over is served here until it has been idle; a busy one is asked to come again. */
#define LEAVE_MS 30000
/* For clients to take their replies and close, in the end. */
#define FINISH_MS 2000

#define ORDERS (WORKER_ENDED + 1)

struct worker {
	struct serve serve;
	struct endpoints endpoints;
	struct udp *udp;
	struct tcp *tcp;
	int epoll;			/* the endpoints' set as one, the wake-up, the connections */
	int wake;			/* eventfd */
	int news;			/* the caller's */
	uint32_t order, done;		/* as it came last, and as it has been carried out: ORDERS * number + what to do */
	enum worker_order state;	/* the thread's own */
	int64_t until;			/* the end, once it is near */
	uint32_t rounds;
	pthread_t thread;
	int running;
};

static void *worker_run(void *argument);
static void worker_obey(struct worker *worker);
static void worker_turn(struct worker *worker, enum worker_order order);
static void worker_free(struct worker *worker);

static int worker_watch(struct worker *worker, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

	return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int worker_init(struct worker *worker, const struct policy *policy, uint16_t port)
{
	int code;

	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->udp = udp_new();
	worker->tcp = tcp_new(worker->epoll, policy);
	worker->endpoints = (struct endpoints){
		.udp = worker->udp, .tcp = worker->tcp, .serve = &worker->serve, .port = port,
	};
	code = endpoints_init(&worker->endpoints);
	if (!worker->udp || !worker->tcp)
		return -ENOMEM;
	return code ? code : worker_watch(worker, worker->wake, &worker->wake);
}

int worker_start(struct generations *generations, const struct policy *policy, unsigned int number, uint16_t port, int news,
		 struct worker **out)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int code;

	if (!worker)
		return -ENOMEM;
	worker->serve.generations = generations;
	worker->serve.policy = policy;
	worker->serve.worker = number;
	worker->news = news;
	code = worker_init(worker, policy, port);
	if (!code)
		code = -pthread_create(&worker->thread, NULL, worker_run, worker);
	if (code) {
		worker_free(worker);
		return code;
	}
	*out = worker;
	return 0;
}

void worker_wake(struct worker *worker)
{
	const uint64_t one = 1;

	/* A counter that is full wakes just as well. */
	if (write(worker->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("waking a worker: %s", strerror(errno));
}

/* With a number of its own, so that an order is not taken for done because an earlier one, to do the same, was. */
void worker_order(struct worker *worker, enum worker_order order)
{
	__atomic_store_n(&worker->order, (worker->order / ORDERS + 1) * ORDERS + order, __ATOMIC_RELEASE);
	worker_wake(worker);
}

int worker_has_done(const struct worker *worker, enum worker_order order)
{
	uint32_t done = __atomic_load_n(&worker->done, __ATOMIC_ACQUIRE);

	return done % ORDERS == WORKER_ENDED || (done % ORDERS == order && done == worker->order);
}

uint32_t worker_rounds(const struct worker *worker)
{
	return __atomic_load_n(&worker->rounds, __ATOMIC_RELAXED);
}

void worker_addresses(const struct worker *worker, uint32_t *wanted, uint32_t *open)
{
	*wanted = __atomic_load_n(&worker->endpoints.wanted, __ATOMIC_RELAXED);
	*open = __atomic_load_n(&worker->endpoints.open, __ATOMIC_RELAXED);
}

int worker_adopt(struct worker *worker, int fd, const uint8_t address[16], int type)
{
	return endpoints_adopt(&worker->endpoints, fd, address, type);
}

size_t worker_sockets(const struct worker *worker, int *fds, size_t room)
{
	return endpoints_sockets(&worker->endpoints, fds, room);
}

void worker_end(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

static void worker_free(struct worker *worker)
{
	endpoints_free(&worker->endpoints);
	tcp_free(worker->tcp);
	udp_free(worker->udp);
	if (worker->wake >= 0)
		close(worker->wake);
	if (worker->epoll >= 0)
		close(worker->epoll);
	free(worker);
}

/* -- the thread -- */

static int worker_sleep_ms(const struct worker *worker)
{
	return worker->until ? SLEEP_LAST_MS : SLEEP_MS;
}

/* The set holds connections, the wake-up, and with no pointer the set of all endpoints. */
static void *worker_run(void *argument)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	struct worker *worker = argument;
	uint64_t wakes;

	while (worker->state != WORKER_ENDED) {
		int count = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, worker_sleep_ms(worker)), look = count <= 0;

		for (int i = 0; i < count; i++) {
			if (!events[i].data.ptr)
				endpoints_serve(&worker->endpoints);
			else if (events[i].data.ptr == &worker->wake)
				look = read(worker->wake, &wakes, sizeof(wakes)) > 0;
			else
				tcp_event(worker->tcp, events[i].data.ptr, events[i].events, &worker->serve);
		}
		tcp_expire(worker->tcp);
		tcp_reap(worker->tcp);
		__atomic_store_n(&worker->rounds, worker->rounds + 1, __ATOMIC_RELAXED);
		if (look || worker->until)
			worker_obey(worker);
	}
	return NULL;
}

static void worker_news(const struct worker *worker)
{
	const uint64_t one = 1;

	if (write(worker->news, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("a worker's news: %s", strerror(errno));
}

static void worker_tell(struct worker *worker, uint32_t done)
{
	__atomic_store_n(&worker->done, done, __ATOMIC_RELEASE);
	worker_news(worker);
}

static void worker_follow(struct worker *worker)
{
	const struct generation *generation = generation_hold(worker->serve.generations, worker->serve.worker);
	uint32_t wanted = worker->endpoints.wanted, open = worker->endpoints.open;

	endpoints_follow(&worker->endpoints, generation);
	generation_release(worker->serve.generations, worker->serve.worker);
	if (wanted != worker->endpoints.wanted || open != worker->endpoints.open)
		worker_news(worker);
}

/* Who leaves stops when clients have had their time, and a stop is for good. */
static enum worker_order worker_choose(const struct worker *worker, enum worker_order order)
{
	if (worker->state == WORKER_STOP || (worker->state == WORKER_LEAVE && clock_ms() >= worker->until))
		return WORKER_STOP;
	return order;
}

static void worker_obey(struct worker *worker)
{
	uint32_t order = __atomic_load_n(&worker->order, __ATOMIC_ACQUIRE);

	worker_turn(worker, worker_choose(worker, order % ORDERS));
	if (worker->state == WORKER_SERVE)
		worker_follow(worker);
	if (order != worker->done)
		worker_tell(worker, order);
	if (!worker->until)
		return;
	if (!tcp_is_empty(worker->tcp) && (worker->state == WORKER_LEAVE || clock_ms() < worker->until))
		return;
	worker->state = WORKER_ENDED;
	worker_tell(worker, WORKER_ENDED);
}

/* From what it did until now to what it is to do. */
static void worker_turn(struct worker *worker, enum worker_order order)
{
	int looked = worker->state == WORKER_SERVE || worker->state == WORKER_HOLD;
	int looks = order == WORKER_SERVE || order == WORKER_HOLD;

	if (order == worker->state)
		return;
	worker->state = order;
	if (looks && !looked && worker_watch(worker, worker->endpoints.epoll, NULL))
		log_error("a worker cannot look at its sockets: %s", strerror(errno));
	if (order == WORKER_LEAVE) {
		endpoints_free(&worker->endpoints);
		worker->until = clock_ms() + LEAVE_MS;
	}
	if (order == WORKER_STOP) {
		if (looked)
			endpoints_finish(&worker->endpoints);
		endpoints_free(&worker->endpoints);
		tcp_finish(worker->tcp, &worker->serve);
		tcp_reap(worker->tcp);
		worker->until = clock_ms() + FINISH_MS;
	}
}
