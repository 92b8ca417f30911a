// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * flood: asks a DNS server over UDP as fast as it can or is told, looks at every single reply, and fails if one is lost,
 * malformed, a mixture of two configurations, or neither of them. What is right stands in a table (expect.h).
 *
 * A thread per CPU, each with a few connected sockets of both families, each with a window of outstanding queries.
 * Bounded by --count or --seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/judge.h"

#define THREADS_MAX 16
#define SOCKETS_MAX 64
#define WINDOW_MAX 1024			/* a power of two: outstanding queries are found by id modulo this */
#define BATCH 32
#define REPLY_OCTETS 2048
#define WRONG_SHOWN_MAX 5		/* a thread */
#define SECOND 1000000000ULL

struct options {
	const char *table;
	const char *server[2];		/* IPv4, IPv6 */
	uint64_t count;			/* 0: until the time is over */
	double seconds;
	uint64_t rate;			/* queries a second, all threads; 0: no limit */
	unsigned long threads, sockets, window, timeout, transport, port, seed;
	unsigned int ask_flags;
	int kinds;			/* EXPECT_* */
	int only;			/* JUDGE_A or JUDGE_B: nothing else may come; 0 */
	int need_both;
};

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_LOST };

struct slot {
	enum slot_state state;
	uint16_t id;
	uint64_t sent;			/* nanoseconds */
	struct ask ask;
};

struct channel {
	int fd;
	int transport;			/* 4 or 6 */
	uint16_t next_id;
	uint16_t oldest_id;		/* everything before it is free or lost */
	uint32_t outstanding;
	struct slot slots[WINDOW_MAX];
};

/* What came of it all, one a thread. */
struct tally {
	uint64_t sent, received, lost, late, wrong, unasked;
	uint64_t only_a, only_b, either;
	uint64_t slowest;		/* nanoseconds from a query to its reply */
	uint64_t a_until, b_from;	/* when the last query was sent that A alone answered; when B's first reply came; 0: none */
};

struct worker {
	pthread_t thread;
	unsigned long number;
	const struct options *options;
	const struct expect *expect;
	const struct expect_row **rows[2];	/* those for IPv4, for IPv6 */
	size_t row_count[2], row_next[2];	/* every row has its turn */
	struct channel *channels;
	uint64_t seed, begun, quota;
	unsigned int shown;
	struct tally tally;
	int fault;
};

static atomic_int stopped;		/* by a signal: no more queries, then the report */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* -- what comes back -- */

static void worker_show(struct worker *worker, const struct slot *slot, const uint8_t *reply, size_t length,
			const char *why)
{
	size_t i;

	if (worker->shown++ >= WRONG_SHOWN_MAX)
		return;
	flockfile(stdout);
	printf("wrong: %s\n  query", why);
	for (i = 0; slot && i < slot->ask.length; i++)
		printf("%s%02x", i ? "" : " ", slot->ask.octets[i]);
	printf("\n  reply ");
	for (i = 0; i < length; i++)
		printf("%02x", reply[i]);
	printf("\n");
	funlockfile(stdout);
}

static void worker_count(struct worker *worker, int sides, uint64_t sent)
{
	struct tally *tally = &worker->tally;

	if (sides == JUDGE_A) {
		tally->only_a++;
		if (sent > tally->a_until)
			tally->a_until = sent;
	} else if (sides == JUDGE_B) {
		tally->only_b++;
		if (!tally->b_from)
			tally->b_from = now();
	} else {
		tally->either++;
	}
}

static void worker_take(struct worker *worker, struct channel *channel, const uint8_t *reply, size_t length)
{
	uint16_t id = length >= 2 ? reply[0] << 8 | reply[1] : 0;
	struct slot *slot = &channel->slots[id % WINDOW_MAX];
	struct tally *tally = &worker->tally;
	uint64_t waited;
	char why[256] = "";
	int sides;

	if (length < 2 || slot->id != id || slot->state == SLOT_FREE) {
		tally->unasked++;
		worker_show(worker, NULL, reply, length, "nobody asked, or it came twice");
		return;
	}
	if (slot->state == SLOT_LOST) {
		tally->late++;		/* and stays counted as lost */
		slot->state = SLOT_FREE;
		return;
	}
	slot->state = SLOT_FREE;
	channel->outstanding--;
	tally->received++;
	waited = now() - slot->sent;
	if (waited > tally->slowest)
		tally->slowest = waited;
	sides = judge_reply(worker->expect, &slot->ask, reply, length, why);
	if (sides && worker->options->only && !(sides & worker->options->only)) {
		snprintf(why, sizeof(why), "wholly of the other configuration");
		sides = 0;
	}
	if (!sides) {
		tally->wrong++;
		worker_show(worker, slot, reply, length, why);
		return;
	}
	worker_count(worker, sides, slot->sent);
}

static int worker_receive(struct worker *worker, struct channel *channel)
{
	static _Thread_local uint8_t replies[BATCH][REPLY_OCTETS];
	struct iovec pieces[BATCH];
	struct mmsghdr messages[BATCH];
	int count, i;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < BATCH; i++) {
		pieces[i] = (struct iovec){replies[i], REPLY_OCTETS};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(channel->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	for (i = 0; i < count; i++)
		worker_take(worker, channel, replies[i], messages[i].msg_len);
	return count > 0 ? count : 0;
}

/* Ids go round in order, so the oldest query still waiting is the first found. */
static void channel_expire(struct worker *worker, struct channel *channel, uint64_t time)
{
	while (channel->oldest_id != channel->next_id) {
		struct slot *slot = &channel->slots[channel->oldest_id % WINDOW_MAX];

		if (slot->state == SLOT_WAITING && slot->id == channel->oldest_id) {
			if (time - slot->sent < worker->options->timeout * 1000000)
				return;
			slot->state = SLOT_LOST;
			channel->outstanding--;
			worker->tally.lost++;
		}
		channel->oldest_id++;
	}
}

/* -- what goes out -- */

/* How many queries this thread may send now: its share of the rate, its quota, the window. */
static uint64_t worker_allowance(const struct worker *worker, const struct channel *channel, uint64_t time)
{
	const struct options *options = worker->options;
	uint64_t allowed = options->window - channel->outstanding, due, span;

	if (allowed > BATCH)
		allowed = BATCH;
	span = (uint16_t)(channel->next_id - channel->oldest_id);
	if (WINDOW_MAX - span < allowed)
		allowed = WINDOW_MAX - span;
	if (options->count && worker->quota - worker->tally.sent < allowed)
		allowed = worker->quota - worker->tally.sent;
	if (options->rate) {
		due = (uint64_t)((double)(time - worker->begun) * options->rate / options->threads / SECOND) + 1;
		if (due <= worker->tally.sent)
			return 0;
		if (due - worker->tally.sent < allowed)
			allowed = due - worker->tally.sent;
	}
	return allowed;
}

static int worker_send(struct worker *worker, struct channel *channel, uint64_t time)
{
	uint64_t allowed = worker_allowance(worker, channel, time);
	int family = channel->transport == 6, sent, i;
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < (int)allowed; i++) {
		uint16_t id = channel->next_id + i;
		struct slot *slot = &channel->slots[id % WINDOW_MAX];
		size_t row = (worker->row_next[family] + i) % worker->row_count[family];

		ask_make(&slot->ask, worker->rows[family][row], id, worker->options->ask_flags, &worker->seed);
		slot->id = id;
		slot->state = SLOT_FREE;
		slot->sent = time;
		pieces[i] = (struct iovec){slot->ask.octets, slot->ask.length};
		messages[i].msg_hdr.msg_iov = &pieces[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = allowed ? sendmmsg(channel->fd, messages, allowed, MSG_DONTWAIT) : 0;
	for (i = 0; i < sent; i++)
		channel->slots[(uint16_t)(channel->next_id + i) % WINDOW_MAX].state = SLOT_WAITING;
	if (sent <= 0)
		return 0;	/* full buffers, or an ICMP error of an earlier query, which will show as lost */
	worker->row_next[family] += sent;
	channel->next_id += sent;
	channel->outstanding += sent;
	worker->tally.sent += sent;
	return sent;
}

/* -- the threads -- */

static int worker_is_done(const struct worker *worker, uint64_t time)
{
	const struct options *options = worker->options;

	return atomic_load(&stopped) || (options->count && worker->tally.sent >= worker->quota) ||
	       time - worker->begun >= options->seconds * SECOND;
}

/* Nothing moved: sleep until a reply comes, or the rate or a time-out may want something. */
static void worker_rest(const struct worker *worker)
{
	struct pollfd polls[SOCKETS_MAX];
	unsigned long i;

	for (i = 0; i < worker->options->sockets; i++)
		polls[i] = (struct pollfd){.fd = worker->channels[i].fd, .events = POLLIN};
	poll(polls, worker->options->sockets, 1);
}

static void worker_flood(struct worker *worker)
{
	uint32_t outstanding;
	uint64_t time;
	int moved, is_done;
	unsigned long i;

	worker->begun = now();
	do {
		moved = 0;
		outstanding = 0;
		time = now();
		is_done = worker_is_done(worker, time);
		for (i = 0; i < worker->options->sockets; i++) {
			struct channel *channel = &worker->channels[i];

			moved += worker_receive(worker, channel);
			channel_expire(worker, channel, time);
			if (!is_done)
				moved += worker_send(worker, channel, time);
			outstanding += channel->outstanding;
		}
		if (!moved)
			worker_rest(worker);
	} while (!is_done || outstanding);
}

static int channel_open(struct channel *channel, const struct options *options, unsigned long number, uint64_t *seed)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} to = {0};
	int octets = 1 << 20, fault;

	channel->transport = options->transport ? (int)options->transport : number % 2 ? 6 : 4;
	channel->next_id = channel->oldest_id = ask_random(seed);
	to.any.sa_family = channel->transport == 6 ? AF_INET6 : AF_INET;
	if (channel->transport == 6) {
		fault = inet_pton(AF_INET6, options->server[1], &to.in6.sin6_addr) != 1;
		to.in6.sin6_port = htons(options->port);
	} else {
		fault = inet_pton(AF_INET, options->server[0], &to.in4.sin_addr) != 1;
		to.in4.sin_port = htons(options->port);
	}
	if (fault)
		return -EINVAL;
	channel->fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (channel->fd < 0)
		return -errno;
	if (setsockopt(channel->fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)))
		setsockopt(channel->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	return connect(channel->fd, &to.any, channel->transport == 6 ? sizeof(to.in6) : sizeof(to.in4)) ? -errno : 0;
}

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	const struct options *options = worker->options;
	unsigned long i, opened = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(worker->number % (unsigned long)sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	worker->channels = calloc(options->sockets, sizeof(*worker->channels));
	if (!worker->channels) {
		worker->fault = -ENOMEM;
		return NULL;
	}
	for (i = 0; i < options->sockets && !worker->fault; i++, opened++)
		worker->fault = channel_open(&worker->channels[i], options, i, &worker->seed);
	if (!worker->fault)
		worker_flood(worker);
	for (i = 0; i < opened; i++)
		if (worker->channels[i].fd > 0)
			close(worker->channels[i].fd);
	free(worker->channels);
	return NULL;
}

/* The rows of the kinds asked for that a transport may ask. 0 or -errno. */
static int worker_rows(struct worker *worker, int family)
{
	const struct expect *expect = worker->expect;
	int transport = family ? 6 : 4;
	size_t i;

	worker->rows[family] = calloc(expect->row_count, sizeof(*worker->rows[family]));
	if (!worker->rows[family])
		return -ENOMEM;
	for (i = 0; i < expect->row_count; i++) {
		const struct expect_row *row = &expect->rows[i];

		if (row->kind & worker->options->kinds && (!row->transport || row->transport == transport))
			worker->rows[family][worker->row_count[family]++] = row;
	}
	if (!worker->row_count[family])
		return -ENOENT;
	worker->row_next[family] = ask_random(&worker->seed) % worker->row_count[family];
	return 0;
}

static int worker_start(struct worker *worker, unsigned long number, const struct options *options,
			const struct expect *expect)
{
	worker->number = number;
	worker->options = options;
	worker->expect = expect;
	worker->seed = (options->seed + 1) * 0x9e3779b97f4a7c15ULL + number;
	worker->quota = options->count / options->threads + (number < options->count % options->threads);
	if (worker_rows(worker, 0) || worker_rows(worker, 1)) {
		fprintf(stderr, "flood: the table has nothing to ask\n");
		return -ENOENT;
	}
	return -pthread_create(&worker->thread, NULL, worker_run, worker);
}

/* -- the report -- */

static void tally_add(struct tally *to, const struct tally *tally)
{
	to->sent += tally->sent;
	to->received += tally->received;
	to->lost += tally->lost;
	to->late += tally->late;
	to->wrong += tally->wrong;
	to->unasked += tally->unasked;
	to->only_a += tally->only_a;
	to->only_b += tally->only_b;
	to->either += tally->either;
	if (tally->slowest > to->slowest)
		to->slowest = tally->slowest;
	if (tally->a_until > to->a_until)
		to->a_until = tally->a_until;
	if (tally->b_from && (!to->b_from || tally->b_from < to->b_from))
		to->b_from = tally->b_from;
}

/* A moment of now(), in seconds since 1970; 0 stays 0. */
static double wall_clock(uint64_t moment)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return moment ? time.tv_sec + time.tv_nsec / 1e9 - (double)(now() - moment) / SECOND : 0;
}

static int report(const struct options *options, const struct tally *all, double seconds)
{
	printf("sent %lu received %lu lost %lu late %lu wrong %lu unasked %lu a %lu b %lu either %lu "
	       "rate %.0f slowest_ms %.1f seconds %.1f a_until %.6f b_from %.6f\n", all->sent, all->received, all->lost,
	       all->late, all->wrong, all->unasked, all->only_a, all->only_b, all->either, all->received / seconds,
	       all->slowest / 1e6, seconds, wall_clock(all->a_until), wall_clock(all->b_from));
	if (!all->received) {
		printf("wrong: no reply at all\n");
		return 1;
	}
	if (options->count && all->sent != options->count && !atomic_load(&stopped)) {
		printf("wrong: the time was over before all queries were sent\n");
		return 1;
	}
	if (options->need_both && (!all->only_a || !all->only_b)) {
		printf("wrong: only one configuration was ever seen\n");
		return 1;
	}
	return all->lost || all->wrong || all->unasked || all->received != all->sent;
}

static int flood(const struct options *options, const struct expect *expect)
{
	struct worker workers[THREADS_MAX] = {0};
	struct tally all = {0};
	uint64_t begun = now();
	unsigned long i, started;
	int fault = 0;

	for (started = 0; started < options->threads && !fault; started++)
		fault = worker_start(&workers[started], started, options, expect);
	if (fault) {
		started--;
		atomic_store(&stopped, 1);
	}
	for (i = 0; i < started; i++) {
		pthread_join(workers[i].thread, NULL);
		tally_add(&all, &workers[i].tally);
		if (workers[i].fault)
			fault = workers[i].fault;
	}
	for (i = 0; i < options->threads; i++) {
		free(workers[i].rows[0]);
		free(workers[i].rows[1]);
	}
	if (fault) {
		fprintf(stderr, "flood: %s\n", strerror(-fault));
		return 1;
	}
	return report(options, &all, (double)(now() - begun) / SECOND);
}

/* -- options -- */

static void usage(FILE *to)
{
	fprintf(to, "usage: flood --table FILE [OPTION]...\n\n"
		"  --count N           queries in all (default: until the time is over)\n"
		"  --seconds S         at most so long (10)\n"
		"  --rate N            queries a second in all (as fast as they are answered)\n"
		"  --threads N         each on a CPU of its own (2)\n"
		"  --sockets N         a thread, each with a port of its own (8)\n"
		"  --window N          queries outstanding on a socket, up to 512 (12: a veth queue holds 256)\n"
		"  --timeout MS        after which a query counts as lost (5000)\n"
		"  --transport 4|6     the other is not used\n"
		"  --kind service|zone ask only what services answer, or only what zone data does in a configuration\n"
		"  --nsid              ask who answers (NSID) in every query: the fallback does\n"
		"  --only a|b          every reply must be of this configuration\n"
		"  --need-both         both configurations must be seen\n"
		"  --server4 ADDRESS   (198.18.0.1)\n"
		"  --server6 ADDRESS   (fd00:ec5::1)\n"
		"  --port N            (53)\n"
		"  --seed N            (the time)\n\n"
		"SIGTERM and SIGINT end it with the report: a_until is when the last query was sent that only A answers so, b_from\n"
		"when the first reply came that only B gives, in seconds since 1970.\n"
		"Exit: 0 every reply came and was right, 1 not so, 2 wrong usage.\n");
}

static int bounded(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (!errno && *text && !*end && *out >= least && *out <= most)
		return 0;
	fprintf(stderr, "flood: %s: a number from %lu to %lu, please\n", text, least, most);
	return -1;
}

enum option_key { COUNT = 256, SECONDS, RATE, THREADS, SOCKETS, WINDOW, TIMEOUT, TRANSPORT, KIND, ONLY, SERVER4, SERVER6,
	PORT, SEED };

static int option_take(struct options *options, int key, const char *value)
{
	switch (key) {
	case 't': options->table = value; return 0;
	case 'c': options->ask_flags |= ASK_NSID; return 0;
	case 'b': options->need_both = 1; return 0;
	case COUNT: return bounded(value, 1, 100000000, &options->count);
	case SECONDS: options->seconds = atof(value); return options->seconds > 0 && options->seconds <= 3600 ? 0 : -1;
	case RATE: return bounded(value, 1, 10000000, &options->rate);
	case THREADS: return bounded(value, 1, THREADS_MAX, &options->threads);
	case SOCKETS: return bounded(value, 1, SOCKETS_MAX, &options->sockets);
	case WINDOW: return bounded(value, 1, WINDOW_MAX / 2, &options->window);
	case TIMEOUT: return bounded(value, 1, 60000, &options->timeout);
	case TRANSPORT: return bounded(value, 4, 6, &options->transport) || options->transport == 5 ? -1 : 0;
	case KIND: options->kinds = !strcmp(value, "service") ? EXPECT_SERVICE : !strcmp(value, "zone") ? EXPECT_ZONE : 0;
		return options->kinds ? 0 : -1;
	case ONLY: options->only = !strcmp(value, "a") ? JUDGE_A : !strcmp(value, "b") ? JUDGE_B : 0;
		return options->only ? 0 : -1;
	case SERVER4: options->server[0] = value; return 0;
	case SERVER6: options->server[1] = value; return 0;
	case PORT: return bounded(value, 1, 65535, &options->port);
	case SEED: return bounded(value, 0, UINT32_MAX, &options->seed);
	default: return -1;
	}
}

static int options_read(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{"help", no_argument, NULL, 'h'}, {"table", required_argument, NULL, 't'},
		{"nsid", no_argument, NULL, 'c'}, {"need-both", no_argument, NULL, 'b'},
		{"count", required_argument, NULL, COUNT}, {"seconds", required_argument, NULL, SECONDS},
		{"rate", required_argument, NULL, RATE}, {"threads", required_argument, NULL, THREADS},
		{"sockets", required_argument, NULL, SOCKETS}, {"window", required_argument, NULL, WINDOW},
		{"timeout", required_argument, NULL, TIMEOUT}, {"transport", required_argument, NULL, TRANSPORT},
		{"kind", required_argument, NULL, KIND}, {"only", required_argument, NULL, ONLY},
		{"server4", required_argument, NULL, SERVER4}, {"server6", required_argument, NULL, SERVER6},
		{"port", required_argument, NULL, PORT}, {"seed", required_argument, NULL, SEED}, {0},
	};
	int key;

	while ((key = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (key == 'h') {
			usage(stdout);
			exit(0);
		}
		if (option_take(options, key, optarg))
			return -1;
	}
	return options->table && optind == argc ? 0 : -1;
}

static void stop(int signal)
{
	(void)signal;
	atomic_store(&stopped, 1);
}

int main(int argc, char **argv)
{
	struct options options = {
		.server = {"198.18.0.1", "fd00:ec5::1"}, .seconds = 10, .threads = 2, .sockets = 8, .window = 12,
		.timeout = 5000, .port = 53, .kinds = EXPECT_SERVICE | EXPECT_ZONE, .seed = time(NULL),
	};
	struct expect expect;
	int exit_code = 1;

	if (options_read(&options, argc, argv)) {
		usage(stderr);
		return 2;
	}
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	if (!expect_read(&expect, options.table))
		exit_code = flood(&options, &expect);
	expect_free(&expect);
	return exit_code;
}
