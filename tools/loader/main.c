// SPDX-License-Identifier: GPL-3.0-or-later
/* ecsdns-loader: the table of verbs, and their options. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/loader/loader.h"
#include "user/common/version.h"

enum { DONE = 0, REFUSED = 1, WRONG_USAGE = 2 };
enum { NEEDS_NONE = 0x1, NEEDS_SOME = 0x2, NEEDS_ROOT = 0x4, NEEDS_LOCK = 0x8 };
#define NEEDS_CHANGE (NEEDS_ROOT | NEEDS_LOCK)

/* libbpf prints the verifier's whole log when a program is refused; its end says why. */
#define LOG_TAIL 1500
static int print_tail(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text = NULL;
	size_t length;

	if (level != LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
		return 0;
	length = strlen(text);
	fputs(length > LOG_TAIL ? text + length - LOG_TAIL : text, stderr);
	free(text);
	return 0;
}

static const struct verb {
	const char *name;
	int (*run)(struct loader *loader);
	unsigned int needs;
	const char *arguments, *help;
} verbs[] = {
	{ "prepare", loader_prepare, NEEDS_NONE | NEEDS_CHANGE, "", "make the tables, or say that they stand; attach nothing" },
	{ "attach", loader_attach, NEEDS_SOME | NEEDS_CHANGE, "IFACE...", "make the tables if there are none, attach the program" },
	{ "upgrade", loader_upgrade, NEEDS_CHANGE, "IFACE...", "put this version's program in place, without a gap" },
	{ "detach", loader_detach, NEEDS_SOME | NEEDS_CHANGE, "IFACE...", "remove the program; the tables stay" },
	{ "unload", loader_unload, NEEDS_NONE | NEEDS_CHANGE, "", "remove the program everywhere, and the tables" },
	{ "status", loader_status, NEEDS_ROOT, "[IFACE...]", "where the program runs" },
	{ "preflight", loader_preflight, NEEDS_SOME, "IFACE...", "what stands in the way on an interface, and the mend" },
};

/* Sizes of tables that can be set while they are made. */
static const struct {
	const char *option;
	enum table table;
	uint32_t standard;
	const char *help;
} sizes[] = {
	{ "names", TABLE_names_short, NAMES_SHORT_ENTRIES, "service names of up to 60 octets, both generations" },
	{ "long-names", TABLE_names_long, NAMES_LONG_ENTRIES, "longer service names, both generations" },
	{ "topology4", TABLE_topology4, TOPOLOGY4_ENTRIES, "IPv4 topology entries, about 2.3 a prefix and generation" },
	{ "topology6", TABLE_topology6, TOPOLOGY6_ENTRIES, "the same for IPv6" },
	{ "indices", TABLE_indices, INDICES_ENTRIES, "8 octets each: (4 + 3 * regions) a service and generation" },
	{ "answers", TABLE_answers, ANSWERS_ENTRIES, "2 KiB each: different answers, both generations" },
	{ "services", TABLE_service_hits, SERVICES_ENTRIES, "service counters" },
	{ "regions", TABLE_region_hits, REGIONS_ENTRIES, "region counters" },
};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: ecsdns-loader VERB [OPTION]... [IFACE]...\n\nVerbs:\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(to, "  %-10s %-11s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
	fprintf(to, "\nOptions:\n"
		"  --mode auto|native|generic  where in the stack (auto: native, else generic with a word about it)\n"
		"  --dispatcher auto|yes|no    share the interface through libxdp (auto: where the kernel takes it)\n"
		"  --mac MAC                   answer frames to this MAC too (VRRP); up to %d times\n"
		"  --pins DIR                  the tables' place (environment ECSDNS_PINS; default %s)\n"
		"  --from DIR                  upgrade: from the tables there to those of --pins; no IFACE: all that run on these\n"
		"  --owner USER                whose the tables are when attach makes them: the controller's, if that is not root\n"
		"  --json                      output for programs\n"
		"  --help, --version\n\nSizes of the tables, when prepare or attach makes them:\n", INTERFACE_MACS - 1, ECSDNS_PINS_DEFAULT);
	for (size_t i = 0; i < SIZE_COUNT; i++)
		fprintf(to, "  --%-11s N  %s (%u)\n", sizes[i].option, sizes[i].help, sizes[i].standard);
	fprintf(to, "\nExit: 0 done, 1 refused, 2 wrong usage.\n");
}

static int parse_word(const char *option, const char *value, const char *const words[], int *out)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*out = i;
			return 0;
		}
	}
	fprintf(stderr, "ecsdns-loader: --%s %s: expected", option, value);
	for (int i = 0; words[i]; i++)
		fprintf(stderr, "%s %s", i ? "," : "", words[i]);
	fprintf(stderr, "\n");
	return -EINVAL;
}

static int parse_mac(struct loader *loader, const char *text)
{
	uint8_t *mac = loader->macs[loader->mac_count];
	int end = 0;

	if (loader->mac_count == INTERFACE_MACS - 1) {
		fprintf(stderr, "ecsdns-loader: at most %d --mac\n", INTERFACE_MACS - 1);
		return -EINVAL;
	}
	/* strspn: sscanf takes signs and blanks for hexadecimal numbers too */
	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &end) != 6 ||
	    text[end] || text[strspn(text, "0123456789abcdefABCDEF:")] || mac[0] & 1) {
		fprintf(stderr, "ecsdns-loader: --mac %s: expected a unicast address like 00:00:5e:00:01:0a\n", text);
		return -EINVAL;
	}
	loader->mac_count++;
	return 0;
}

static int parse_owner(struct loader *loader, const char *name)
{
	loader->owner = getpwnam(name);
	if (loader->owner)
		return 0;
	fprintf(stderr, "ecsdns-loader: --owner %s: no such user\n", name);
	return -EINVAL;
}

/* Two generations share every table, so an odd or tiny size is a mistake. */
static int parse_size(struct loader *loader, size_t which, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || value < 16 || value > 1u << 28 || value % 2) {
		fprintf(stderr, "ecsdns-loader: --%s %s: expected an even number from 16 to %u\n", sizes[which].option, text, 1u << 28);
		return -EINVAL;
	}
	loader->entries[sizes[which].table] = value;
	if (sizes[which].table == TABLE_service_hits)
		loader->entries[TABLE_service_names] = value;
	if (sizes[which].table == TABLE_region_hits)
		loader->entries[TABLE_region_names] = value;
	return 0;
}

enum { OPTION_MODE = 1, OPTION_CHAIN, OPTION_MAC, OPTION_PINS, OPTION_FROM, OPTION_OWNER, OPTION_JSON, OPTION_HELP, OPTION_VERSION,
	OPTION_SIZES };
#define OPTIONS_BESIDE_SIZES 9

static int parse_option(struct loader *loader, int option, const char *value)
{
	static const char *const modes[] = { "auto", "native", "generic", NULL };
	static const char *const chains[] = { "auto", "yes", "no", NULL };
	int word = 0, code = 0;

	switch (option) {
	case OPTION_MODE:
		code = parse_word("mode", value, modes, &word);
		loader->mode = word;
		return code;
	case OPTION_CHAIN:
		code = parse_word("dispatcher", value, chains, &word);
		loader->chain = word;
		return code;
	case OPTION_MAC:
		return parse_mac(loader, value);
	case OPTION_PINS:
		loader->pins = value;
		return 0;
	case OPTION_FROM:
		loader->from = value;
		return 0;
	case OPTION_OWNER:
		return parse_owner(loader, value);
	case OPTION_JSON:
		loader->json = true;
		return 0;
	case OPTION_HELP:
		usage(stdout);
		exit(DONE);
	case OPTION_VERSION:
		printf("ecsdns-loader %s, ABI %d\n", ECSDNS_VERSION, ECSDNS_ABI_VERSION);
		exit(DONE);
	}
	if (option >= OPTION_SIZES)
		return parse_size(loader, option - OPTION_SIZES, value);
	return -EINVAL;
}

static int parse_options(struct loader *loader, int argc, char **argv)
{
	struct option options[OPTIONS_BESIDE_SIZES + SIZE_COUNT + 1] = {
		{ "mode", required_argument, NULL, OPTION_MODE }, { "dispatcher", required_argument, NULL, OPTION_CHAIN },
		{ "mac", required_argument, NULL, OPTION_MAC }, { "pins", required_argument, NULL, OPTION_PINS },
		{ "json", no_argument, NULL, OPTION_JSON }, { "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION }, { "from", required_argument, NULL, OPTION_FROM },
		{ "owner", required_argument, NULL, OPTION_OWNER },
	};
	int option;

	for (size_t i = 0; i < SIZE_COUNT; i++)
		options[OPTIONS_BESIDE_SIZES + i] = (struct option){ sizes[i].option, required_argument, NULL, OPTION_SIZES + (int)i };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == '?' || parse_option(loader, option, optarg))
			return -EINVAL;
	return 0;
}

static bool usage_fits(const struct loader *loader, const struct verb *verb)
{
	if (verb->run == loader_upgrade && !loader->from && !loader->interface_count)
		return false;
	if (loader->from && verb->run != loader_upgrade)
		return false;
	return !(verb->needs & NEEDS_SOME && !loader->interface_count) && !(verb->needs & NEEDS_NONE && loader->interface_count);
}

int main(int argc, char **argv)
{
	struct loader loader = {};
	const struct verb *verb = NULL;
	int code;

	if (parse_options(&loader, argc, argv))
		return WRONG_USAGE;
	for (size_t i = 0; optind < argc && i < VERB_COUNT; i++)
		if (!strcmp(verbs[i].name, argv[optind]))
			verb = &verbs[i];
	if (!verb) {
		if (optind < argc)
			fprintf(stderr, "ecsdns-loader: no such verb: %s\n", argv[optind]);
		usage(stderr);
		return WRONG_USAGE;
	}
	loader.interfaces = argv + optind + 1;
	loader.interface_count = argc - optind - 1;
	if (!usage_fits(&loader, verb)) {
		fprintf(stderr, "usage: ecsdns-loader %s [OPTION]... %s%s\n", verb->name, verb->arguments,
			loader.from ? " (--from is for upgrade)" : "");
		return WRONG_USAGE;
	}
	libbpf_set_print(print_tail);
	loader.pins = tables_pins(loader.pins);
	code = verb->needs & NEEDS_ROOT ? pins_check(&loader) : 0;
	if (!code && verb->needs & NEEDS_LOCK)
		code = pins_lock(&loader);
	if (!code)
		code = verb->run(&loader);
	return code ? REFUSED : DONE;
}
