#include "stewardd/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#define CONFIG_PATH "/etc/steward/steward.json"

static const char usage[] =
	"usage: stewardd [--config FILE] [--foreground] [--check] [--version] [--help]\n"
	"\n"
	"  --config FILE  the configuration (default " CONFIG_PATH ")\n"
	"  --foreground   log to stderr\n"
	"  --check        validate the configuration and exit\n"
	"  --version      print the version and exit\n"
	"  --help         print this and exit\n";

int options_parse(struct options *ret, int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
		{"check", no_argument, NULL, 'k'},        {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct options options = {.config = CONFIG_PATH};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 'f':
			options.foreground = true;
			break;
		case 'k':
			options.check = true;
			break;
		case 'v':
			(void)printf("stewardd %s\n", STEWARD_VERSION);
			return EX_OK;
		case 'h':
			(void)fputs(usage, stdout);
			return EX_OK;
		default:
			(void)fputs(usage, stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "stewardd: what is '%s'?\n%s", argv[optind], usage);
		return EX_USAGE;
	}
	*ret = options;
	return -1;
}
