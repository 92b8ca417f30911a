// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * flap PINS STATE INTERFACE SERVICES SECONDS: takes the place of the controller, takes the live generation over, and lets
 * health flap as fast as it can, while one thread asks the driver (BPF_PROG_RUN) and another the fallback (198.18.0.1).
 * Every reply must be, to the octet, one that was published: members of one group of eight, all of them or all but one.
 *
 * With SECONDS 0: how long a verdict takes until the driver and the fallback answer by it, twenty times.
 *
 * The configuration is that of tests/e2e/flap.sh: SERVICES names s00000.example.com, ..., all on one pool of 64 members.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/vectors/program.h"
#include "user/controller/generation.h"
#include "user/controller/publish.h"

#define MEMBERS 64
#define GROUP 8
#define STATES (MEMBERS / GROUP * (GROUP + 1))
#define VERDICTS 20
#define MESSAGE_ROOM 512
#define SERVER "198.18.0.1"

struct flap {
	struct tables tables;
	struct state state;
	struct publisher publisher;
	struct ids ids;
	struct faults faults;
	struct generation *generation;
	struct program program;
	unsigned int services;
	unsigned int now;		/* the state that health has */
	uint8_t published[STATES];
	bool stop;
};

/* What one thread has found. */
struct asker {
	struct flap *flap;
	int socket;			/* the fallback's; -1: the driver */
	uint64_t replies, bad, lost;
};

static int flap_open(struct flap *flap, char **argv);
static int flap_race(struct flap *flap, unsigned int seconds);
static int flap_measure(struct flap *flap);

int main(int argc, char **argv)
{
	static struct flap flap;
	int fault;

	if (argc != 6) {
		fprintf(stderr, "Usage: flap PINS STATE INTERFACE SERVICES SECONDS\n");
		return 2;
	}
	flap.services = atoi(argv[4]);
	faults_init(&flap.faults);
	fault = flap_open(&flap, argv);
	faults_print(&flap.faults, stderr);
	if (fault) {
		fprintf(stderr, "flap: %s\n", strerror(-fault));
		return 1;
	}
	fault = atoi(argv[5]) ? flap_race(&flap, atoi(argv[5])) : flap_measure(&flap);
	program_close(&flap.program);
	publisher_free(&flap.publisher);
	generation_free(flap.generation);
	return fault ? 1 : 0;
}

/* -- states: members of group state / 9, but for the one numbered state % 9, if there is such -- */

static bool state_has(unsigned int state, unsigned int member)
{
	return member / GROUP == state / (GROUP + 1) && member % GROUP != state % (GROUP + 1);
}

static void states_read(void *context, const struct config *config, uint8_t *down)
{
	const struct flap *flap = context;

	for (uint32_t i = 0; i < config->member_count; i++)
		down[i] = !state_has(flap->now, i);
}

static void flap_turn(struct flap *flap, unsigned int state, struct reaction_counts *counts)
{
	__atomic_store_n(&flap->published[state], 1, __ATOMIC_RELEASE);
	flap->now = state;
	publisher_react(&flap->publisher, counts);
}

/* -- taking over -- */

static int flap_ids(struct flap *flap)
{
	uint8_t *octets;
	size_t length;
	int fault = state_read(&flap->state, "ids.json", 64 << 20, &octets, &length);

	ids_init(&flap->ids, flap->tables.entries[TABLE_service_hits], flap->tables.entries[TABLE_region_hits]);
	if (fault)
		return fault;
	fault = ids_parse(&flap->ids, "ids.json", octets, length, &flap->faults);
	free(octets);
	return fault;
}

/* The live generation's bundle, compiled with all members up, as the controller did. */
static int flap_generation(struct flap *flap, uint32_t number)
{
	struct bundle *bundle;
	uint8_t *archive;
	size_t length;
	int fault = state_bundle_read(&flap->state, number, &archive, &length);

	if (fault)
		return fault;
	fault = bundle_read_tar(archive, length, &bundle, &flap->faults);
	free(archive);
	if (fault)
		return fault;
	fault = generation_make(bundle, NULL, NULL, &flap->ids, &flap->generation, &flap->faults);
	bundle_free(bundle);
	return fault;
}

static int flap_adopt(struct flap *flap)
{
	uint32_t number = publisher_generation(&flap->publisher);
	int fault = flap_ids(flap);
	struct reaction_difference difference;
	struct publication publication = {.generation = number};

	if (!fault)
		fault = flap_generation(flap, number);
	if (!fault)
		fault = publisher_read(&flap->publisher, &flap->faults);
	if (fault)
		return fault;
	publication.config = flap->generation->config;
	publication.compiled = flap->generation->compiled;
	fault = publisher_adopt(&flap->publisher, &publication, &difference, &flap->faults);
	if (!fault && difference.by_health + difference.otherwise) {
		fprintf(stderr, "flap: %u answers of other health, %u unexplained\n", difference.by_health, difference.otherwise);
		return -EINVAL;
	}
	return fault;
}

static int flap_open(struct flap *flap, char **argv)
{
	char error[512] = "";
	int fault = tables_open(&flap->tables, argv[1], TABLES_WRITE, error, sizeof(error));

	if (fault)
		fprintf(stderr, "%s\n", error);
	if (!fault)
		fault = program_open(&flap->program, argv[1], if_nametoindex(argv[3]));
	if (!fault)
		fault = state_open(&flap->state, argv[2]);
	if (!fault)
		fault = publisher_init(&flap->publisher, &flap->tables, &flap->state, &flap->faults);
	if (!fault)
		fault = flap_adopt(flap);
	flap->publisher.health = (struct health_source){states_read, flap};
	return fault;
}

/* -- questions and replies -- */

static size_t query_write(uint8_t *message, uint16_t id, unsigned int service)
{
	static const uint8_t header[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6};
	static const uint8_t rest[] = "\7example\3com\0\0\1\0\1";
	size_t at = sizeof(header);

	memcpy(message, header, sizeof(header));
	message[0] = id >> 8;
	message[1] = id;
	at += sprintf((char *)message + at, "s%05u", service);
	memcpy(message + at, rest, sizeof(rest) - 1);
	return at + sizeof(rest) - 1;
}

/* The reply that a state gives: written here, with nothing of ours. */
static size_t reply_write(uint8_t *reply, const uint8_t *query, size_t length, unsigned int state)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2};

	memcpy(reply, query, length);
	reply[2] = 0x85;	/* QR, AA, RD */
	reply[7] = 0;
	for (unsigned int member = 0; member < MEMBERS; member++) {
		if (!state_has(state, member))
			continue;
		memcpy(reply + length, record, sizeof(record));
		reply[length + sizeof(record)] = member;
		length += sizeof(record) + 1;
		reply[7]++;
	}
	return length;
}

/* The state that gives this reply and has been published; STATES if there is none. */
static unsigned int reply_state(const struct flap *flap, const uint8_t *query, size_t asked, const uint8_t *reply,
				size_t length)
{
	uint8_t wanted[MESSAGE_ROOM];

	for (unsigned int state = 0; state < STATES; state++)
		if (__atomic_load_n(&flap->published[state], __ATOMIC_ACQUIRE) &&
		    reply_write(wanted, query, asked, state) == length && !memcmp(wanted, reply, length))
			return state;
	return STATES;
}

static void reply_complain(const char *who, const uint8_t *reply, size_t length)
{
	printf("# %s gave what was never published:", who);
	for (size_t i = 0; i < length; i++)
		printf("%s%02x", i % 32 ? " " : "\n#   ", reply[i]);
	printf("\n");
}

/* -- both paths: octets of the reply, 0 if none came -- */

static size_t ask_driver(const struct flap *flap, const uint8_t *query, size_t length, uint8_t *reply)
{
	struct ends ends = {.version = 4, .client = {198, 18, 0, 2}, .server = {198, 18, 0, 1}, .port = 53000,
			    .client_mac = {2, 0, 0, 0, 0, 2}};
	static __thread struct frame in, out;
	uint32_t verdict;
	size_t at;

	memcpy(ends.server_mac, flap->program.mac, sizeof(ends.server_mac));
	frame_make(&in, &ends, query, length);
	if (program_run(&flap->program, &in, &out, &verdict) || verdict != XDP_TX || frame_check(&out, &ends, &at) ||
	    out.length - at > MESSAGE_ROOM)
		return 0;
	memcpy(reply, out.octets + at, out.length - at);
	return out.length - at;
}

static size_t ask_fallback(int socket, const uint8_t *query, size_t length, uint8_t *reply)
{
	ssize_t got;

	if (send(socket, query, length, 0) != (ssize_t)length)
		return 0;
	do {
		got = recv(socket, reply, MESSAGE_ROOM, 0);
	} while (got >= 2 && memcmp(reply, query, 2));	/* one that came too late for its question */
	return got < 0 ? 0 : got;
}

static int fallback_socket(void)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct timeval patience = {.tv_sec = 1};
	int made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, SERVER, &server.sin_addr);
	if (made < 0 || setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    connect(made, (struct sockaddr *)&server, sizeof(server))) {
		perror("flap: a socket to the fallback");
		exit(1);
	}
	return made;
}

static void *ask(void *argument)
{
	struct asker *asker = argument;
	const struct flap *flap = asker->flap;
	uint8_t query[MESSAGE_ROOM], reply[MESSAGE_ROOM];
	size_t asked, length;

	for (uint16_t id = 0; !__atomic_load_n(&flap->stop, __ATOMIC_ACQUIRE); id++) {
		asked = query_write(query, id, id % flap->services);
		length = asker->socket < 0 ? ask_driver(flap, query, asked, reply) :
			 ask_fallback(asker->socket, query, asked, reply);
		asker->replies += length != 0;
		asker->lost += !length;
		if (!length || reply_state(flap, query, asked, reply, length) < STATES)
			continue;
		if (!asker->bad++)
			reply_complain(asker->socket < 0 ? "the driver" : "the fallback", reply, length);
	}
	return NULL;
}

/* -- the race -- */

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}

static int flap_race(struct flap *flap, unsigned int seconds)
{
	struct asker driver = {.flap = flap, .socket = -1}, fallback = {.flap = flap, .socket = fallback_socket()};
	uint64_t turns = 0, words = 0, entries = 0, graces = 0, missing = 0, seed = 88172645463325252ULL;
	double end = now_ms() + seconds * 1e3;
	struct reaction_counts counts;
	pthread_t threads[2];

	flap_turn(flap, 0, &counts);
	pthread_create(&threads[0], NULL, ask, &driver);
	pthread_create(&threads[1], NULL, ask, &fallback);
	pin(pthread_self(), 0);
	pin(threads[0], 1);
	for (; now_ms() < end; turns++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		flap_turn(flap, seed % STATES, &counts);
		words += counts.indices;
		entries += counts.entries;
		graces += counts.graces;
		missing += counts.missing;
	}
	__atomic_store_n(&flap->stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	printf("verdicts %" PRIu64 " words %" PRIu64 " entries %" PRIu64 " graces %" PRIu64 " missing %" PRIu64
	       " driver_replies %" PRIu64 " driver_bad %" PRIu64 " driver_lost %" PRIu64
	       " fallback_replies %" PRIu64 " fallback_bad %" PRIu64 " fallback_lost %" PRIu64 "\n",
	       turns, words, entries, graces, missing, driver.replies, driver.bad, driver.lost, fallback.replies,
	       fallback.bad, fallback.lost);
	return driver.bad || fallback.bad || driver.lost || fallback.lost;
}

/* -- how long -- */

static int order_of(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

static double median(double list[VERDICTS])
{
	qsort(list, VERDICTS, sizeof(list[0]), order_of);
	return list[VERDICTS / 2];
}

/* The last service that a verdict comes to; its answer must be the new one as soon as the call has returned. */
static int flap_measure(struct flap *flap)
{
	double tables[VERDICTS], driver[VERDICTS], fallback[VERDICTS], began;
	uint8_t query[MESSAGE_ROOM], reply[MESSAGE_ROOM];
	size_t asked = query_write(query, 1, flap->services - 1), length;
	int server = fallback_socket();
	struct reaction_counts counts;

	for (unsigned int i = 0; i < VERDICTS; i++) {
		began = now_ms();
		flap_turn(flap, (i * 10 + i / 8) % STATES, &counts);
		tables[i] = now_ms() - began;
		length = ask_driver(flap, query, asked, reply);
		driver[i] = now_ms() - began;
		if (reply_state(flap, query, asked, reply, length) != flap->now || counts.indices != flap->services) {
			printf("# verdict %u: the driver does not answer by it (%u words)\n", i, counts.indices);
			return -EINVAL;
		}
		length = ask_fallback(server, query, asked, reply);
		fallback[i] = now_ms() - began;
		if (reply_state(flap, query, asked, reply, length) != flap->now) {
			printf("# verdict %u: the fallback does not answer by it\n", i);
			return -EINVAL;
		}
	}
	printf("tables_ms %.3f driver_ms %.3f fallback_ms %.3f\n", median(tables), median(driver), median(fallback));
	return 0;
}
