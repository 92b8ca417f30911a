// SPDX-License-Identifier: GPL-3.0-or-later
/* Prometheus' text format, as its document says it is: samples, what has to be escaped in them, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/controller/metrics_text.h"

struct text {
	FILE *out;
	char *octets;
	size_t length;
};

static int text_open(void **state)
{
	struct text *text = calloc(1, sizeof(*text));

	*state = text;
	text->out = open_memstream(&text->octets, &text->length);
	return text->out ? 0 : -1;
}

static int text_close(void **state)
{
	struct text *text = *state;

	fclose(text->out);
	free(text->octets);
	free(text);
	return 0;
}

static const char *text_so_far(struct text *text)
{
	fflush(text->out);
	return text->octets;
}

static void begins(void **state)
{
	struct text *text = *state;

	metric_begin(text->out, METRIC_generation);
	assert_string_equal(text_so_far(text), "# HELP ecsdns_generation The live generation; 0: nothing has been published\n"
			    "# TYPE ecsdns_generation gauge\n");
}

static void samples(void **state)
{
	struct text *text = *state;

	metric_count(text->out, METRIC_generation, 7, NULL);
	metric_count(text->out, METRIC_queries_total, UINT64_MAX, "path", "driver", "reason", "NAME", NULL);
	metric_seconds(text->out, METRIC_health_age_seconds, 0.25, NULL);
	metric_seconds(text->out, METRIC_health_age_seconds, 86400.125, "a", "", NULL);
	assert_string_equal(text_so_far(text), "ecsdns_generation 7\n"
			    "ecsdns_queries_total{path=\"driver\",reason=\"NAME\"} 18446744073709551615\n"
			    "ecsdns_health_age_seconds 0.25\n"
			    "ecsdns_health_age_seconds{a=\"\"} 86400.125\n");
}

/* A service's name may have any octet, as \DDD or behind a backslash. */
static void escapes(void **state)
{
	struct text *text = *state;

	metric_count(text->out, METRIC_service_answers_total, 1, "service", "a\\.b\\\"c\nd\xc3\xa9", NULL);
	assert_string_equal(text_so_far(text), "ecsdns_service_answers_total{service=\"a\\\\.b\\\\\\\"c\\nd\xc3\xa9\"} 1\n");
}

static void counts_durations(void **state)
{
	static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1};
	struct figures figures = {0};
	struct text *text = *state;

	assert_memory_equal(bounds, figures_reaction_bounds, sizeof(bounds));
	figures_count_reaction(&figures, 0);
	figures_count_reaction(&figures, 100000);	/* `le` is less or equal */
	figures_count_reaction(&figures, 100001);
	figures_count_reaction(&figures, 30000000);
	figures_count_reaction(&figures, 2000000000);
	metric_histogram(text->out, METRIC_reaction_duration_seconds, &figures.reaction, bounds);
	assert_string_equal(strstr(text_so_far(text), "# TYPE"), "# TYPE ecsdns_reaction_duration_seconds histogram\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.0001\"} 2\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.00025\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.0005\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.001\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.0025\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.005\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.01\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.025\"} 3\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.05\"} 4\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.1\"} 4\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"0.25\"} 4\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"1\"} 4\n"
			    "ecsdns_reaction_duration_seconds_bucket{le=\"+Inf\"} 5\n"
			    "ecsdns_reaction_duration_seconds_sum 2.0302\n"
			    "ecsdns_reaction_duration_seconds_count 5\n");
}

static void counts_pushes(void **state)
{
	struct figures figures = {0};

	(void)state;
	figures_count_push(&figures, FIGURES_done, 20000000);
	figures_count_push(&figures, FIGURES_refused, 1);
	assert_int_equal(figures.pushes[FIGURES_done], 1);
	assert_int_equal(figures.pushes[FIGURES_refused], 1);
	assert_int_equal(figures.pushes[FIGURES_failed], 0);
	assert_int_equal(figures.last_result, FIGURES_refused);
	assert_true(figures.last_push > 1700000000);
	assert_int_equal(figures.push.counts[1], 1);	/* of those that are live alone */
	assert_int_equal(figures.push.nanoseconds, 20000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(begins, text_open, text_close),
		cmocka_unit_test_setup_teardown(samples, text_open, text_close),
		cmocka_unit_test_setup_teardown(escapes, text_open, text_close),
		cmocka_unit_test_setup_teardown(counts_durations, text_open, text_close),
		cmocka_unit_test(counts_pushes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
