/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "stewardctl/format.h"
#include "stewardctl/member.h"
#include "stewardctl/progress.h"

/* Bits a second, as it is configured. */
static void show_bandwidth(const cJSON *update)
{
	const cJSON *now = cJSON_GetObjectItem(update, "bandwidth-in-force");
	char text[FORMAT_SIZE];

	if (member_number(now, "max-bandwidth") > 0)
		(void)printf("Bandwidth    %.0f bits/s", member_number(now, "max-bandwidth"));
	else
		(void)printf("Bandwidth    unlimited");
	if (member_text(now, "schedule")[0])
		(void)printf(", by %s", member_text(now, "schedule"));
	if (member_number(now, "until") > 0)
		(void)printf(", until %s", format_date(text, (int64_t)member_number(now, "until")));
	(void)printf("\n");
}

void show_status(const cJSON *status)
{
	const cJSON *update = cJSON_GetObjectItem(status, "software-update");
	const cJSON *downloads = cJSON_GetObjectItem(update, "downloads");
	char uptime[FORMAT_SIZE];

	(void)printf("Steward      %s\n", member_text(status, "version"));
	if (member_text(status, "node")[0])
		(void)printf("Router       %s %s\n", member_text(status, "name"),
			     member_text(status, "node"));
	else
		(void)printf("Conductor    %s\n", member_text(status, "name"));
	(void)printf("Up           %s\n",
		     format_duration(uptime, (int64_t)member_number(status, "uptime")));
	(void)printf("Access mode  %s\n", member_text(update, "access-mode"));
	show_bandwidth(update);
	(void)printf("Images       %.0f\n", member_number(update, "images"));
	(void)printf("Downloads    %.0f running, %.0f queued\n",
		     member_number(downloads, "running"), member_number(downloads, "queued"));
}

void show_downloads(const cJSON *answer)
{
	const cJSON *item;

	(void)printf("%-24s %-14s %5s %12s %8s  %s\n", "VERSION", "STATE", "DONE", "RATE", "LEFT",
		     "SOURCE");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "downloads")) {
		bool runs = member_number(item, "rate") > 0;
		char rate[FORMAT_SIZE] = "-";
		char left[FORMAT_SIZE] = "-";

		if (runs) {
			(void)format_rate(rate, member_number(item, "rate"));
			(void)format_duration(left, (int64_t)member_number(item, "eta"));
		}
		(void)printf("%-24s %-14s %3u %% %12s %8s  %s\n", member_text(item, "version"),
			     member_text(item, "state"), progress_percent(item), rate, left,
			     member_text(item, "active-source"));
	}
}

static void show_times(const cJSON *download)
{
	char text[FORMAT_SIZE];

	(void)printf("Attempt   %.0f", member_number(download, "attempt"));
	if (member_number(download, "attempts") > 0)
		(void)printf(" of %.0f", member_number(download, "attempts"));
	(void)printf("\nStarted   %s\n",
		     format_date(text, (int64_t)member_number(download, "started")));
	if (member_number(download, "deadline") > 0)
		(void)printf("Deadline  %s\n",
			     format_date(text, (int64_t)member_number(download, "deadline")));
	if (member_number(download, "retry-at") > 0)
		(void)printf("Retry in  %s\n",
			     format_duration(text, (int64_t)member_number(download, "retry-at") -
							   time(NULL)));
}

void show_download(const cJSON *download)
{
	double fetched = member_number(download, "bytes-fetched");
	double verified = member_number(download, "bytes-verified");
	double reused = member_number(download, "bytes-reused");
	char amounts[4][FORMAT_SIZE];
	const cJSON *item;

	(void)printf("Version   %s\n", member_text(download, "version"));
	(void)printf("State     %s\n", member_text(download, "state"));
	if (member_text(download, "error")[0])
		(void)printf("Reason    %s\n", member_text(download, "error"));
	(void)printf("Verified  %s of %s (%u %%)\n", format_bytes(amounts[0], verified),
		     format_bytes(amounts[1], member_number(download, "bytes-total")),
		     progress_percent(download));
	(void)printf("Fetched   %s", format_bytes(amounts[2], fetched));
	if (strcmp(member_text(download, "state"), "complete") == 0)
		(void)printf(" (%s wasted)",
			     format_bytes(amounts[3], MAX(fetched + reused - verified, 0)));
	(void)printf("\n");
	if (reused > 0)
		(void)printf("Reused    %s of images that are here\n",
			     format_bytes(amounts[0], reused));
	if (member_number(download, "rate") > 0)
		(void)printf("Rate      %s\n",
			     format_rate(amounts[0], member_number(download, "rate")));
	show_times(download);
	(void)printf("\n%-20s %-12s %-12s %9s %9s %12s  %s\n", "SOURCE", "KIND", "STATE",
		     "REQUESTS", "FAILURES", "BYTES", "REASON");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(download, "sources"))
		(void)printf("%-20s %-12s %-12s %9.0f %9.0f %12s  %s\n", member_text(item, "name"),
			     member_text(item, "kind"), member_text(item, "state"),
			     member_number(item, "requests"), member_number(item, "failures"),
			     format_bytes(amounts[0], member_number(item, "bytes")),
			     member_text(item, "reason"));
}

/* after: what to say of each. Returns the separator for what follows. */
static const char *show_names(const cJSON *names, const char *separator, const char *after)
{
	const cJSON *name;

	cJSON_ArrayForEach (name, names) {
		(void)printf("%s%s%s", separator, cJSON_GetStringValue(name), after);
		separator = ", ";
	}
	return separator;
}

void show_versions(const cJSON *answer)
{
	const cJSON *item;
	const cJSON *source;

	(void)printf("%-24s %s\n", "VERSION", "SOURCES");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "versions")) {
		const char *separator;

		(void)printf("%-24s ", member_text(item, "version"));
		separator = show_names(cJSON_GetObjectItem(item, "sources"), "", "");
		(void)show_names(cJSON_GetObjectItem(item, "on-demand"), separator,
				 " (would fetch it)");
		(void)printf("\n");
	}
	cJSON_ArrayForEach (source, cJSON_GetObjectItem(answer, "sources"))
		if (member_text(source, "error")[0])
			(void)printf("%s does not answer: %s\n", member_text(source, "name"),
				     member_text(source, "error"));
}

void show_images(const cJSON *answer)
{
	const cJSON *item;

	(void)printf("%-24s %12s  %-20s  %s\n", "VERSION", "SIZE", "CREATED", "SHA-256");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "images")) {
		char size[FORMAT_SIZE];
		char date[FORMAT_SIZE];

		(void)printf("%-24s %12s  %-20s  %s%s\n", member_text(item, "version"),
			     format_bytes(size, member_number(item, "size")),
			     format_date(date, (int64_t)member_number(item, "created")),
			     member_text(item, "sha256"),
			     cJSON_IsFalse(cJSON_GetObjectItem(item, "imported")) ? "  not imported"
										  : "");
	}
}

static void show_pcrs(const cJSON *answer)
{
	const char *separator = " ";
	const cJSON *item;

	(void)printf("PCRs       ");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "pcr")) {
		(void)printf("%s%.0f", separator, item->valuedouble);
		separator = ", ";
	}
	if (cJSON_GetArraySize(cJSON_GetObjectItem(answer, "pcr")) > 0)
		(void)printf(" (%s)\n", member_text(answer, "pcr-bank"));
	else
		(void)printf(" none\n");
}

static void show_policy(const cJSON *policy)
{
	if (!cJSON_IsObject(policy))
		return;
	(void)printf("Policy key  %s\n", member_text(policy, "key"));
	if (member_text(policy, "name")[0])
		(void)printf("Policy      %s, generation %.0f; the counter %s stood at %.0f\n",
			     member_text(policy, "name"), member_number(policy, "generation"),
			     member_text(policy, "policy-nv-index"),
			     member_number(policy, "counter"));
}

void show_integrity(const cJSON *answer)
{
	const cJSON *item;

	(void)printf("State       %s\n", member_text(answer, "state"));
	if (member_text(answer, "reason")[0])
		(void)printf("Reason      %s\n", member_text(answer, "reason"));
	if (member_text(answer, "record")[0]) {
		(void)printf("Record      %s\n", member_text(answer, "record"));
		(void)printf("TPM         key %s, pin %s\n", member_text(answer, "key-handle"),
			     member_text(answer, "nv-index"));
		show_pcrs(answer);
	}
	show_policy(cJSON_GetObjectItemCaseSensitive(answer, "policy"));
	(void)printf("\n%-12s %-34s %s\n", "STATE", "KEY", "DIRECTORY");
	cJSON_ArrayForEach (item, cJSON_GetObjectItem(answer, "directories"))
		(void)printf("%-12s %-34s %s\n", member_text(item, "state"),
			     member_text(item, "key-identifier"), member_text(item, "path"));
}
