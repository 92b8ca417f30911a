// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The checks of a configuration, run as the controller runs them, and what comes of them as lines of text:
 *
 *	change MILLISECONDS POOL/MEMBER up|down REASON		when a verdict changes
 *	held MILLISECONDS yes|no
 *	member POOL/MEMBER up|down|unknown REASON		at the end, of each
 *	figures NAME=VALUE...					at the end
 *
 *	checks-run [--state DIR] [--quiet] CONFIG SECONDS
 *
 * --state: health.json in DIR is read before, and written after. SIGHUP: CONFIG is read again, as by a push.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "user/controller/checks.h"
#include "user/controller/state.h"

#define STATE_OCTETS_MAX (64UL << 20)

struct run {
	uv_loop_t loop;
	uv_timer_t end, sample;
	uv_signal_t hangup;
	const char *path;
	struct checks *checks;
	struct config *config;
	uint64_t began;
	bool is_quiet;
	size_t files_most;
};

static void run_fail(const char *what, int fault)
{
	fprintf(stderr, "checks-run: %s: %s\n", what, strerror(-fault));
	exit(1);
}

static const struct config_pool *run_pool(const struct config *config, uint32_t member)
{
	for (size_t i = 0; i < config->pool_count; i++)
		if (member - config->pools[i].first_member < config->pools[i].member_count)
			return &config->pools[i];
	abort();
}

static const char *run_member(const struct config *config, uint32_t member)
{
	const struct config_pool *pool = run_pool(config, member);
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", pool->name, pool->members[member - pool->first_member].name);
	return text;
}

static void run_on_changed(void *context, uint32_t number)
{
	struct run *run = context;
	const struct health_member *member = checks_member(run->checks, number);

	if (health_is_up(member) == checks_down(run->checks)[number])
		abort();
	if (!run->is_quiet)
		printf("change %" PRIu64 " %s %s %s\n", uv_now(&run->loop) - run->began,
		       run_member(checks_config(run->checks), number), health_is_up(member) ? "up" : "down", member->reason);
	fflush(stdout);
}

static void run_on_held(void *context, bool is_holding)
{
	struct run *run = context;

	printf("held %" PRIu64 " %s\n", uv_now(&run->loop) - run->began, is_holding ? "yes" : "no");
	fflush(stdout);
}

static struct config *run_read(const char *path)
{
	struct bundle *bundle;
	struct config *config;
	struct faults faults;

	faults_init(&faults);
	if (config_read_disk(path, &bundle, &config, &faults)) {
		faults_print(&faults, stderr);
		exit(1);
	}
	bundle_free(bundle);
	faults_free(&faults);
	return config;
}

static void run_load(struct run *run, const struct health_saved *saved)
{
	struct config *before = run->config;
	uint8_t *down;
	int fault;

	run->config = run_read(run->path);
	down = calloc(run->config->member_count + 1, 1);
	fault = checks_down_of(run->checks, run->config, saved, down);
	if (!fault)
		fault = checks_load(run->checks, run->config, saved);
	if (fault)
		run_fail("load", fault);
	if (memcmp(down, checks_down(run->checks), run->config->member_count))
		abort();
	free(down);
	config_free(before);
}

static void run_on_hangup(uv_signal_t *signal, int number)
{
	struct run *run = signal->data;

	(void)number;
	run_load(run, NULL);
	printf("loaded %" PRIu64 "\n", uv_now(&run->loop) - run->began);
	fflush(stdout);
}

/* Files that are open in this process, counted by the kernel. */
static size_t files_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	while (directory && readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void run_on_sample(uv_timer_t *timer)
{
	struct run *run = timer->data;
	size_t files = files_open();

	run->files_most = files > run->files_most ? files : run->files_most;
}

static double seconds_of(struct timeval time)
{
	return time.tv_sec + time.tv_usec / 1e6;
}

static void run_print(struct run *run)
{
	static const char *const verdicts[] = {"unknown", "up", "down"};
	const struct checks_figures *figures = checks_figures(run->checks);
	double wall = (uv_now(&run->loop) - run->began) / 1e3, cpu;
	struct rusage usage;

	for (uint32_t i = 0; i < run->config->member_count && !run->is_quiet; i++) {
		const struct health_member *member = checks_member(run->checks, i);

		if (!member->is_checked)
			continue;
		printf("member %s %s %s\n", run_member(run->config, i), verdicts[member->record.verdict], member->reason);
	}
	getrusage(RUSAGE_SELF, &usage);
	cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
	printf("figures started=%" PRIu64 " ended=%" PRIu64 " running_most=%u queued_most=%u max_running=%u files_most=%zu "
	       "wall=%.3f cpu=%.3f cpu_per_second=%.3f memory_kb=%ld", figures->started, figures->ended, figures->running_most,
	       figures->queued_most, figures->max_running, run->files_most, wall, cpu, cpu / wall, usage.ru_maxrss);
	for (int i = 0; i < CHECK_REASON_COUNT; i++)
		printf(" %s=%" PRIu64, check_reason_names[i], figures->results[i]);
	printf("\n");
}

static void run_on_end(uv_timer_t *timer)
{
	struct run *run = timer->data;

	run_print(run);
	uv_stop(&run->loop);
}

static void state_load(const char *path, struct health_saved *saved)
{
	struct state state;
	struct faults faults;
	uint8_t *octets;
	size_t length;
	int fault = state_open(&state, path);

	if (fault)
		run_fail(path, fault);
	faults_init(&faults);
	fault = state_read(&state, "health.json", STATE_OCTETS_MAX, &octets, &length);
	if (!fault && health_saved_parse(saved, "health.json", octets, length, &faults)) {
		faults_print(&faults, stderr);
		exit(1);
	}
	free(octets);
	faults_free(&faults);
	state_close(&state);
}

static void state_save(const char *path, struct run *run)
{
	char *text = health_save_text(run->config, checks_member(run->checks, 0));
	struct state state;
	int fault = state_open(&state, path);

	if (!fault)
		fault = state_write(&state, "health.json", text, strlen(text), 0640);
	if (fault)
		run_fail(path, fault);
	state_close(&state);
	free(text);
}

static void run_start(struct run *run, double seconds)
{
	struct checks_owner owner = {.changed = run_on_changed, .held = run_on_held, .context = run};

	uv_loop_init(&run->loop);
	run->began = uv_now(&run->loop);
	run->checks = checks_new(&run->loop, &owner);
	uv_timer_init(&run->loop, &run->end);
	uv_timer_init(&run->loop, &run->sample);
	uv_signal_init(&run->loop, &run->hangup);
	run->end.data = run->sample.data = run->hangup.data = run;
	uv_timer_start(&run->end, run_on_end, seconds * 1000, 0);
	uv_timer_start(&run->sample, run_on_sample, 500, 500);
	uv_signal_start(&run->hangup, run_on_hangup, SIGHUP);
}

static void run_finish(struct run *run)
{
	checks_stop(run->checks);
	uv_close((uv_handle_t *)&run->end, NULL);
	uv_close((uv_handle_t *)&run->sample, NULL);
	uv_close((uv_handle_t *)&run->hangup, NULL);
	uv_run(&run->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&run->loop))
		abort();	/* a handle was forgotten */
	config_free(run->config);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"state", required_argument, NULL, 's'}, {"quiet", no_argument, NULL, 'q'}, {0},
	};
	struct health_saved saved = {0};
	const char *state = NULL;
	struct run run = {0};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			state = optarg;
		else if (option == 'q')
			run.is_quiet = true;
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "Usage: checks-run [--state DIR] [--quiet] CONFIG SECONDS\n");
		return 2;
	}
	run.path = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	if (state)
		state_load(state, &saved);
	run_start(&run, strtod(argv[optind + 1], NULL));
	run_load(&run, &saved);
	health_saved_free(&saved);
	uv_run(&run.loop, UV_RUN_DEFAULT);
	if (state)
		state_save(state, &run);
	run_finish(&run);
	return 0;
}
