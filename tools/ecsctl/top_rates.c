// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "tools/ecsctl/top.h"

/* -- rates -- */

/* A counter that has gone back began anew. */
static double rate_of(const json_t *before, const json_t *now, const char *field, double seconds)
{
	long long first = field_number(before, field), last = field_number(now, field);

	return (last >= first ? last - first : last) / seconds;
}

static int compare_names(const json_t *one, const json_t *other, const char *const names[2])
{
	int order = strcmp(field_text(one, names[0]), field_text(other, names[0]));

	return order ? order : strcmp(field_text(one, names[1]), field_text(other, names[1]));
}

struct rated {
	json_t *row;
	double rate;
};

static int compare_rates(const void *one, const void *other)
{
	const struct rated *a = one, *b = other;

	return (a->rate < b->rate) - (a->rate > b->rate);
}

/* The highest first, without those that stood still; takes the list. */
static json_t *rates_sorted(json_t *list, const char *field, const char *other)
{
	size_t count = json_array_size(list), i;
	struct rated *rated = calloc(count + 1, sizeof(*rated));
	json_t *sorted = rated ? json_array() : NULL, *row;

	json_array_foreach(list, i, row)
		if (sorted)
			rated[i] = (struct rated){row, json_real_value(json_object_get(row, field)) +
						       json_real_value(json_object_get(row, other))};
	if (sorted)
		qsort(rated, count, sizeof(*rated), compare_rates);
	for (i = 0; sorted && i < count && rated[i].rate > 0; i++)
		json_array_append(sorted, rated[i].row);
	free(rated);
	json_decref(list);
	return sorted;
}

/* Both lists are in the order of their names. What was not there before has no rate yet. */
static json_t *rates_list(const json_t *before, const json_t *now, const char *const names[2], double seconds)
{
	const json_t *old = json_array_get(before, 0), *each;
	json_t *list = json_array();
	size_t i, at = 0;

	json_array_foreach(now, i, each) {
		while (old && compare_names(old, each, names) < 0)
			old = json_array_get(before, ++at);
		if (!old || compare_names(old, each, names))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:f}", names[0], field_text(each, names[0]), names[1],
						      field_text(each, names[1]), "rate",
						      rate_of(old, each, "packets", seconds)));
	}
	return rates_sorted(list, "rate", "");
}

/* Adds up what the driver did. */
static json_t *rates_reasons(const json_t *before, const json_t *now, double seconds, json_t *sums)
{
	static const char *const outcomes[][2] = {{"TX", "answered"}, {"PASS", "passed"}, {"DROP", "dropped"}};
	double sum[3] = {0}, fallback = 0, rates[2];
	json_t *list = json_array();
	const json_t *each, *old;
	size_t i;

	json_array_foreach(now, i, each) {
		old = json_array_get(before, i);
		rates[0] = rate_of(old, each, "driver", seconds);
		rates[1] = rate_of(old, each, "fallback", seconds);
		fallback += rates[1];
		for (size_t j = 0; j < 3; j++)
			if (!strcmp(outcomes[j][0], field_text(each, "outcome")))
				sum[j] += rates[0];
		json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:f}", "reason", field_text(each, "reason"), "outcome",
						      field_text(each, "outcome"), "driver", rates[0], "fallback", rates[1]));
	}
	for (size_t j = 0; j < 3; j++)
		json_object_set_new(sums, outcomes[j][1], json_real(sum[j]));
	json_object_set_new(sums, "fallback", json_real(fallback));
	return rates_sorted(list, "driver", "fallback");
}

json_t *top_rates(const json_t *before, const json_t *now)
{
	static const char *const service[2] = {"service", "service"}, *const region[2] = {"topology", "region"};
	double seconds = (field_number(now, "nanoseconds") - field_number(before, "nanoseconds")) / 1e9;
	json_t *rates = seconds > 0 ? json_pack("{s:I, s:f}", "nanoseconds", (json_int_t)field_number(now, "nanoseconds"),
						"seconds", seconds) : NULL;

	if (!rates)
		return NULL;
	json_object_set_new(rates, "reasons", rates_reasons(json_object_get(before, "reasons"), json_object_get(now, "reasons"),
							    seconds, rates));
	json_object_set_new(rates, "services", rates_list(json_object_get(before, "services"), json_object_get(now, "services"),
							  service, seconds));
	json_object_set_new(rates, "regions", rates_list(json_object_get(before, "regions"), json_object_get(now, "regions"),
							 region, seconds));
	return rates;
}

/* -- for people -- */

static double real(const json_t *object, const char *field)
{
	return json_real_value(json_object_get(object, field));
}

static void print_service(FILE *out, const json_t *row)
{
	fprintf(out, "%12.1f  %s\n", real(row, "rate"), field_text(row, "service"));
}

static void print_region(FILE *out, const json_t *row)
{
	fprintf(out, "%12.1f  %s/%s\n", real(row, "rate"), field_text(row, "topology"), field_text(row, "region"));
}

static void print_reason(FILE *out, const json_t *row)
{
	fprintf(out, "%12.1f %12.1f  %s\n", real(row, "driver"), real(row, "fallback"), field_text(row, "reason"));
}

#define LISTS 3

static const struct {
	const char *list, *title;
	void (*print)(FILE *out, const json_t *row);
} lists[LISTS] = {
	{"services", "  ANSWERED/S  SERVICE", print_service},
	{"regions", "  ANSWERED/S  TOPOLOGY/REGION", print_region},
	{"reasons", "    DRIVER/S   FALLBACK/S  REASON", print_reason},
};

/* One row for each list in turn, while it has more of them. */
static void share_rows(const json_t *rates, size_t rows, size_t shares[LISTS])
{
	bool is_given = true;

	memset(shares, 0, LISTS * sizeof(*shares));
	while (rows && is_given) {
		is_given = false;
		for (int i = 0; i < LISTS && rows; i++) {
			if (shares[i] == json_array_size(json_object_get(rates, lists[i].list)))
				continue;
			shares[i]++;
			rows--;
			is_given = true;
		}
	}
}

void top_print(FILE *out, const json_t *rates, size_t rows)
{
	size_t shares[LISTS];

	share_rows(rates, rows, shares);
	fprintf(out, "driver: %.1f answered, %.1f passed, %.1f dropped a second; fallback: %.1f\n", real(rates, "answered"),
		real(rates, "passed"), real(rates, "dropped"), real(rates, "fallback"));
	for (int i = 0; i < LISTS; i++) {
		const json_t *list = json_object_get(rates, lists[i].list);

		fprintf(out, "\n%s", lists[i].title);
		if (shares[i] < json_array_size(list))
			fprintf(out, " (%zu of %zu)", shares[i], json_array_size(list));
		putc('\n', out);
		for (size_t j = 0; j < shares[i]; j++)
			lists[i].print(out, json_array_get(list, j));
	}
}
