// SPDX-License-Identifier: GPL-3.0-or-later
/* top: asks for the counters time and again, and shows what they grew by. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/ecsctl/top.h"

#define INTERVAL_LEAST 0.1
#define INTERVAL_MOST 3600.0
#define COUNT_MOST 1000000000.0
#define ROWS 60			/* where there is no terminal */

static volatile sig_atomic_t is_interrupted;

struct top {
	struct ecsctl *ecsctl;
	double interval;
	long count;		/* samples to give; 0: no end */
	bool is_screen;
	json_t *before;		/* the last reply */
	json_t *rates;		/* between it and the one before; null: none yet */
	char trouble[256];	/* that the controller gives */
};

/* -- asking -- */

/* On a screen a controller may restart; elsewhere that ends it. */
static int top_ask(struct top *top)
{
	const struct request request = {.path = "/v1/stats", .is_quiet = top->is_screen && top->before};
	int status = 0, result;
	json_t *reply = NULL;

	result = client_request(top->ecsctl, &request, &reply, &status);
	if (!result && status == 200) {
		json_decref(top->rates);
		top->rates = top->before ? top_rates(top->before, reply) : NULL;
		json_decref(top->before);
		top->before = reply;
		*top->trouble = 0;
		return DONE;
	}
	if (request.is_quiet) {
		snprintf(top->trouble, sizeof(top->trouble), "%s", result ? "the controller does not answer" :
			 field_text(reply, "error"));
		result = DONE;
	} else if (!result) {
		output_error(top->ecsctl, reply);
		result = REFUSED;
	}
	json_decref(reply);
	return result;
}

/* -- on a terminal -- */

static void top_draw(const struct top *top)
{
	size_t rows, columns, length;
	time_t now = time(NULL);
	char clock[16], *text = NULL;
	FILE *out = open_memstream(&text, &length);
	struct tm parts;

	if (!out)
		return;
	screen_size(&rows, &columns);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &parts));
	fprintf(out, "%s  every %g s, q ends it%s%s\n", clock, top->interval, *top->trouble ? "; " : "", top->trouble);
	if (top->rates)
		top_print(out, top->rates, rows > TOP_PRINT_LINES + 1 ? rows - TOP_PRINT_LINES - 1 : 0);
	else
		fprintf(out, "counting\n");
	if (!fclose(out))
		screen_show(text);
	free(text);
}

/* The first reply comes before the screen is taken over: what is wrong then, stays to be read. */
static int top_on_screen(struct top *top)
{
	double left;
	int result = top_ask(top);

	if (result)
		return result;
	screen_open();
	while (!screen_is_over()) {
		top_draw(top);
		left = top->interval;
		while (!screen_is_over() && !screen_wait(left)) {
			left = top->interval;
			top_draw(top);
		}
		if (!screen_is_over())
			top_ask(top);
	}
	screen_close();
	return DONE;
}

/* -- elsewhere -- */

static void top_on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
}

static void top_sleep(double seconds)
{
	struct timespec left = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};

	while (!is_interrupted && nanosleep(&left, &left))
		;
}

static void top_line(const struct top *top)
{
	if (top->ecsctl->is_json) {
		json_dumpf(top->rates, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		top_print(stdout, top->rates, ROWS);
	}
	fflush(stdout);
}

static int top_print_samples(struct top *top)
{
	int result = top_ask(top);

	sigaction(SIGINT, &(struct sigaction){.sa_handler = top_on_signal}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = top_on_signal}, NULL);
	for (long i = 0; !result && (!top->count || i < top->count); i++) {
		top_sleep(top->interval);
		if (is_interrupted || ferror(stdout))
			break;
		result = top_ask(top);
		if (result || !top->rates)
			continue;
		if (i && !top->ecsctl->is_json)
			putchar('\n');
		top_line(top);
	}
	return result;
}

/* -- the verb -- */

/* A number within these, or false. */
static bool top_number(const char *text, double least, double most, double *number)
{
	char *end;

	*number = strtod(text, &end);
	return *text >= '0' && *text <= '9' && !*end && *number >= least && *number <= most;
}

static int top_run(struct ecsctl *ecsctl, int argc, char **argv)
{
	const char *interval = NULL, *count = NULL;
	int is_once = 0, result;
	const struct verb_option own[] = {{"once", &is_once, NULL}, {"count", NULL, &count}, {"interval", NULL, &interval}, {0}};
	struct top top = {.ecsctl = ecsctl, .interval = 1};
	int at = verb_options(ecsctl, argc, argv, own);
	double number = is_once;

	if (at < 0)
		return -1 - at;
	if (argc != at)
		return verb_usage(ecsctl, "no argument was expected");
	if (interval && !top_number(interval, INTERVAL_LEAST, INTERVAL_MOST, &top.interval))
		return verb_usage(ecsctl, "--interval %s: seconds, from %g to %g, were expected", interval, INTERVAL_LEAST, INTERVAL_MOST);
	if (count && (!top_number(count, 1, COUNT_MOST, &number) || number != (long)number || strpbrk(count, ".eExX")))
		return verb_usage(ecsctl, "--count %s: a number from 1 was expected", count);
	top.count = number;
	top.is_screen = !top.count && !ecsctl->is_json && screen_is_there();
	result = top.is_screen ? top_on_screen(&top) : top_print_samples(&top);
	json_decref(top.before);
	json_decref(top.rates);
	return result;
}

const struct verb verb_top = {
	.name = "top", .arguments = "[--once | --count N] [--interval S]",
	.summary = "show queries a second by service, region, path and reason, as they come",
	.details = "\nThe highest come first; what stands still is left out. On a terminal it fills it until q or ctrl-c, elsewhere it\n"
		   "prints. Services and regions are those of the driver's answers.\n\n"
		   "  --interval S   seconds from count to count (default: 1)\n"
		   "  --count N      print so many, and end\n"
		   "  --once         print one, and end\n\n"
		   "With --json each is a line of its own, with all rows.\n",
	.run = top_run,
};
