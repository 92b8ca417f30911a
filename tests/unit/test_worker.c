// SPDX-License-Identifier: GPL-3.0-or-later
/* Orders to a worker of the fallback, whose thread is made to stand still while they come. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/fallback/worker.h"

#define PORT 5399
#define TRIES 5000
#define TRY_MICROSECONDS 1000

static struct generations generations;	/* none is live: there is no address to be on */
static struct policy policy;
static struct worker *worker;
static int is_still, may_go_on;

static void stand_still(int number)
{
	(void)number;
	__atomic_store_n(&is_still, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&may_go_on, __ATOMIC_SEQ_CST))
		usleep(TRY_MICROSECONDS);
	__atomic_store_n(&is_still, 0, __ATOMIC_SEQ_CST);
}

static int comes_true(const int *what)
{
	for (int i = 0; i < TRIES && !__atomic_load_n(what, __ATOMIC_SEQ_CST); i++)
		usleep(TRY_MICROSECONDS);
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

static int gets_done(enum worker_order order)
{
	for (int i = 0; i < TRIES && !worker_has_done(worker, order); i++)
		usleep(TRY_MICROSECONDS);
	return worker_has_done(worker, order);
}

/* The only thread of ours that is not this one. */
static pid_t find_thread(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *each;
	pid_t thread = 0;

	assert_non_null(tasks);
	while ((each = readdir(tasks)))
		if (atoi(each->d_name) && atoi(each->d_name) != getpid())
			thread = atoi(each->d_name);
	closedir(tasks);
	return thread;
}

static void freeze(void)
{
	may_go_on = 0;
	assert_int_equal(syscall(SYS_tgkill, getpid(), find_thread(), SIGUSR1), 0);
	assert_true(comes_true(&is_still));
}

static void thaw(void)
{
	__atomic_store_n(&may_go_on, 1, __ATOMIC_SEQ_CST);
}

static int begin(void **state)
{
	int news = eventfd(0, EFD_NONBLOCK);

	(void)state;
	signal(SIGUSR1, stand_still);
	return news < 0 || worker_start(&generations, &policy, 0, PORT, news, &worker);
}

static int end(void **state)
{
	(void)state;
	thaw();
	worker_order(worker, WORKER_STOP);
	worker_end(worker);
	return 0;
}

/* It held for a take-over that failed, and shall serve; before it comes to that, the next one asks it to hold. */
static void the_same_again(void **state)
{
	(void)state;
	worker_order(worker, WORKER_HOLD);
	assert_true(gets_done(WORKER_HOLD));
	freeze();
	worker_order(worker, WORKER_SERVE);
	assert_false(worker_has_done(worker, WORKER_HOLD));
	worker_order(worker, WORKER_HOLD);
	assert_false(worker_has_done(worker, WORKER_HOLD));
	thaw();
	assert_true(gets_done(WORKER_HOLD));
}

static void one_after_the_other(void **state)
{
	static const enum worker_order orders[] = {
		WORKER_SERVE, WORKER_HOLD, WORKER_SERVE, WORKER_HOLD, WORKER_HOLD, WORKER_SERVE, WORKER_SERVE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		worker_order(worker, orders[i]);
		assert_true(gets_done(orders[i]));
		assert_false(worker_has_done(worker, WORKER_ENDED));
	}
}

/* Without connections there is nothing to stay for. Whatever it was asked for last, it will do no more. */
static void the_end(void **state)
{
	(void)state;
	freeze();
	worker_order(worker, WORKER_LEAVE);
	assert_false(worker_has_done(worker, WORKER_LEAVE));
	thaw();
	assert_true(gets_done(WORKER_ENDED));
	assert_true(worker_has_done(worker, WORKER_LEAVE));
	worker_order(worker, WORKER_SERVE);
	assert_true(worker_has_done(worker, WORKER_SERVE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_again, begin, end),
		cmocka_unit_test_setup_teardown(one_after_the_other, begin, end),
		cmocka_unit_test_setup_teardown(the_end, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
