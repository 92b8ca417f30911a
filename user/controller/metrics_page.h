/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The page of GET /metrics. What the loop owns is copied first, in the loop, at a few octets a member; the page is made of
 * that and of the tables in another thread, since with 10,000 services it takes longer than a check should have to wait.
 */
#ifndef ECSDNS_CONTROLLER_METRICS_PAGE_H
#define ECSDNS_CONTROLLER_METRICS_PAGE_H

#include "user/controller/controller.h"

/* Which services have a series of their own. */
#define METRICS_SERVICES(X) X(all) X(answered) X(none)
enum metrics_services {
#define X(name) METRICS_SERVICES_##name,
	METRICS_SERVICES(X)
#undef X
	METRICS_SERVICES_COUNT
};

struct metrics_snapshot {
	struct tables *tables;
	const char *pins;
	struct publisher *publisher;
	struct generation *live;	/* shared; null: none */
	struct states_glance glance;	/* of its members */
	struct checks_figures checks;
	struct figures figures;
	size_t used[TABLE_COUNT];
	time_t started;
	enum metrics_services services;
};

/* The loop's thread. 0 or -ENOMEM; metrics_snapshot_free(), likewise in the loop's thread, may follow either. */
int metrics_snapshot(struct metrics_snapshot *snapshot, struct controller *controller, enum metrics_services services);
void metrics_snapshot_free(struct metrics_snapshot *snapshot);

/* Any thread. The text is the caller's to free. 0 or -errno. */
int metrics_page(const struct metrics_snapshot *snapshot, char **text, size_t *length);

#endif
