// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "user/common/log.h"

#define LINE_OCTETS 1024

static void log_line(int level, const char *format, va_list arguments)
{
	char line[LINE_OCTETS];
	int at = 0, wrote;
	ssize_t ignored;

	if (!isatty(STDERR_FILENO))
		at = snprintf(line, sizeof(line), "<%d>", level);
	wrote = vsnprintf(line + at, sizeof(line) - at - 1, format, arguments);
	if (wrote > 0)
		at += wrote < (int)sizeof(line) - at - 1 ? wrote : (int)sizeof(line) - at - 2;
	line[at++] = '\n';
	ignored = write(STDERR_FILENO, line, at);	/* nowhere to complain to */
	(void)ignored;
}

#define LOG_FUNCTION(name, level)				\
	void name(const char *format, ...)			\
	{							\
		va_list arguments;				\
								\
		va_start(arguments, format);			\
		log_line(level, format, arguments);		\
		va_end(arguments);				\
	}

LOG_FUNCTION(log_error, 3)
LOG_FUNCTION(log_warning, 4)
LOG_FUNCTION(log_notice, 5)
LOG_FUNCTION(log_info, 6)
