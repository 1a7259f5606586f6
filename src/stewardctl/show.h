/* show.h - the daemon's answers as tables for people. */
#pragma once

#include <cjson/cJSON.h>

void show_status(const cJSON *status);
void show_downloads(const cJSON *answer);
void show_download(const cJSON *download);
void show_versions(const cJSON *answer);
void show_integrity(const cJSON *answer);
void show_images(const cJSON *answer);
