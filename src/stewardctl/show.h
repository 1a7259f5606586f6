/* SPDX-License-Identifier: GPL-3.0-or-later */
/* show.h - the daemon's answers as tables for people. */
#pragma once

#include <cjson/cJSON.h>

void show_status(const cJSON *status);
void show_downloads(const cJSON *answer);
void show_download(const cJSON *download);
void show_versions(const cJSON *answer);
void show_integrity(const cJSON *answer);
void show_images(const cJSON *answer);
void show_routers_head(void);
void show_routers_row(const cJSON *router);
void show_router(const cJSON *router);
void show_router_configuration(const cJSON *answer);
void show_tokens_head(void);
void show_tokens_row(const cJSON *token);
void show_enrolments_head(void);
void show_enrolments_row(const cJSON *enrolment);
/* The conductors of a registry. */
void show_conductors(const cJSON *answer);
void show_onboarding(const cJSON *answer);
