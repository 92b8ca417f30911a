// SPDX-License-Identifier: GPL-3.0-or-later
/* A whole terminal, with the sequences that every terminal of today has: another screen, no cursor, cleared lines. */
#define _GNU_SOURCE	/* strchrnul() */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tools/ecsctl/top.h"

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"

static volatile sig_atomic_t is_over, is_resized;
static struct termios before;
static bool is_open;

static void screen_write(const char *text, size_t length)
{
	ssize_t wrote;

	for (; length; text += wrote, length -= wrote) {
		wrote = write(STDOUT_FILENO, text, length);
		if (wrote < 0 && errno == EINTR)
			wrote = 0;
		else if (wrote <= 0)
			return;		/* it hung up: the signal follows */
	}
}

/* Keys come at once and are not shown; signals of keys stay. */
static void screen_enter(void)
{
	struct termios ours = before;

	ours.c_lflag &= ~(ICANON | ECHO);
	ours.c_cc[VMIN] = 1;
	ours.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &ours);
	screen_write(ENTER, strlen(ENTER));
}

static void screen_leave(void)
{
	screen_write(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void screen_on_end(int number)
{
	(void)number;
	is_over = 1;
}

static void screen_on_resize(int number)
{
	(void)number;
	is_resized = 1;
}

/* ctrl-z: the shell gets its terminal as it was, and we ours when we go on. */
static void screen_on_stop(int number)
{
	int error = errno;

	(void)number;
	screen_leave();
	raise(SIGSTOP);
	screen_enter();
	is_resized = 1;
	errno = error;
}

bool screen_is_there(void)
{
	return isatty(STDOUT_FILENO) && !tcgetattr(STDIN_FILENO, &before);
}

void screen_open(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	tcgetattr(STDIN_FILENO, &before);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &(struct sigaction){.sa_handler = screen_on_end}, NULL);
	sigaction(SIGWINCH, &(struct sigaction){.sa_handler = screen_on_resize}, NULL);
	sigaction(SIGTSTP, &(struct sigaction){.sa_handler = screen_on_stop}, NULL);
	screen_enter();
	if (!is_open)
		atexit(screen_close);
	is_open = true;
}

void screen_close(void)
{
	if (is_open)
		screen_leave();
	is_open = false;
}

bool screen_is_over(void)
{
	return is_over;
}

void screen_size(size_t *rows, size_t *columns)
{
	struct winsize size;
	bool is_known = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col;

	*rows = is_known ? size.ws_row : 24;
	*columns = is_known ? size.ws_col : 80;
}

/* Line for line over what stands there, so that nothing flickers; what was below is cleared. */
void screen_show(const char *text)
{
	size_t rows, columns, length, shown = 0;
	char *octets = NULL;
	FILE *out = open_memstream(&octets, &length);
	const char *end;

	if (!out)
		return;
	screen_size(&rows, &columns);
	fputs("\033[H", out);
	for (; *text && shown < rows; text = *end ? end + 1 : end, shown++) {
		end = strchrnul(text, '\n');
		fprintf(out, "%s%.*s\033[K", shown ? "\r\n" : "", (int)((size_t)(end - text) < columns ? (size_t)(end - text) :
			columns), text);
	}
	fputs("\033[J", out);
	if (!fclose(out))
		screen_write(octets, length);
	free(octets);
}

static double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void screen_key(void)
{
	char key;
	ssize_t got = read(STDIN_FILENO, &key, 1);

	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN) || (got == 1 && (key == 'q' || key == 'Q' || key == 3)))
		is_over = 1;
}

bool screen_wait(double seconds)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	double until = clock_seconds() + seconds, left = seconds;

	is_resized = 0;
	for (; left > 0 && !is_over && !is_resized; left = until - clock_seconds())
		if (poll(&input, 1, (int)(left * 1000) + 1) > 0)
			screen_key();
	return left <= 0;
}
