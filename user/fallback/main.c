// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * ecsdns-fallback: the full authoritative server for whatever the driver passes up. Files in the order a query flows:
 * worker.c -> udp.c, tcp.c -> serve.c -> the stages of maps/ (parse.c for unusual messages), else authority.c ->
 * response.c; generation.c brings zones and addresses.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "user/common/log.h"
#include "user/common/tables.h"
#include "user/common/version.h"
#include "user/fallback/arguments.h"
#include "user/fallback/generation.h"
#include "user/fallback/rights.h"
#include "user/fallback/worker.h"

struct fallback {
	struct tables tables;
	struct generations generations;
	struct policy policy;
	struct worker *workers[FALLBACK_WORKERS_MAX];
	unsigned int worker_count;
};

static int cookies_read(struct fallback *fallback, const struct arguments *arguments);
static void run(struct fallback *fallback, const struct arguments *arguments, const sigset_t *signals);
static int fallback_start(struct fallback *fallback, const struct arguments *arguments);
static void fallback_stop(struct fallback *fallback);

int main(int argc, char **argv)
{
	static struct fallback fallback;
	struct arguments arguments;
	char error[512];
	sigset_t signals;
	int code;

	arguments_parse(&arguments, argc, argv);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);		/* threads inherit it */
	signal(SIGPIPE, SIG_IGN);
	if (tables_open(&fallback.tables, arguments.pins, TABLES_FALLBACK, error, sizeof(error))) {
		log_error("%s", error);
		tables_close(&fallback.tables);
		return 1;
	}
	code = cookies_read(&fallback, &arguments);
	if (!code && arguments.user)
		code = rights_drop(arguments.user);
	if (!code)
		code = fallback_start(&fallback, &arguments);
	if (!code)
		run(&fallback, &arguments, &signals);
	fallback_stop(&fallback);
	return code ? 1 : 0;
}

/* What is wrong with a file is told; the secrets that were live stay. */
static int cookies_read(struct fallback *fallback, const struct arguments *arguments)
{
	struct faults faults;
	int code;

	faults_init(&faults);
	code = cookies_load(&fallback->policy.cookies, arguments->cookie_secrets, &faults);
	faults_log(&faults);
	faults_free(&faults);
	return code;
}

/* Workers do the work. SIGHUP: the secrets again. */
static void run(struct fallback *fallback, const struct arguments *arguments, const sigset_t *signals)
{
	int number;

	while (!sigwait(signals, &number) && number == SIGHUP) {
		if (arguments->cookie_secrets && !cookies_read(fallback, arguments))
			log_notice("%s has been read again", arguments->cookie_secrets);
	}
	log_info("stopping: %s", strsignal(number));
}

/* -- threads -- */

static void wake_all(void *context)
{
	struct fallback *fallback = context;
	unsigned int count = __atomic_load_n(&fallback->worker_count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++)
		worker_wake(fallback->workers[i]);
}

/* As many descriptors as all connections of all workers take, if we may. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int fallback_start(struct fallback *fallback, const struct arguments *arguments)
{
	int code;

	raise_descriptors();
	fallback->policy.tcp_idle_ms = arguments->tcp_idle * 1000;
	fallback->policy.identity = arguments->identity;
	fallback->policy.version = arguments->version;
	fallback->policy.census = census_new(arguments->tcp_connections, arguments->tcp_per_network);
	if (!fallback->policy.census)
		return -ENOMEM;
	fallback->generations.tables = &fallback->tables;
	fallback->generations.state = arguments->state;
	fallback->generations.changed = wake_all;
	fallback->generations.context = fallback;
	code = generations_start(&fallback->generations);
	if (code) {
		log_error("starting: %s", strerror(-code));
		return code;
	}
	if (!__atomic_load_n(&fallback->generations.live, __ATOMIC_ACQUIRE))
		log_warning("nothing has been published yet; `ecsctl push FILE` does that");
	for (unsigned int i = 0; i < arguments->workers; i++) {
		code = worker_start(&fallback->generations, &fallback->policy, i, arguments->port, &fallback->workers[i]);
		if (code) {
			log_error("starting worker %u: %s", i, strerror(-code));
			return code;
		}
		__atomic_store_n(&fallback->worker_count, i + 1, __ATOMIC_RELEASE);
	}
	wake_all(fallback);	/* for what was published while they started */
	log_info("ecsdns-fallback " ECSDNS_VERSION " answers with %u workers", arguments->workers);
	return 0;
}

/* The watching thread first: it wakes workers. */
static void fallback_stop(struct fallback *fallback)
{
	generations_stop_watching(&fallback->generations);
	for (unsigned int i = 0; i < fallback->worker_count; i++)
		worker_stop(fallback->workers[i]);
	generations_free(&fallback->generations);
	census_free(fallback->policy.census);
	cookies_free(&fallback->policy.cookies);
	tables_close(&fallback->tables);
}
